"""What the DevStack plugin works out: the proxy's configuration, lines of files, changes of the catalog.

Run by plugin.sh as a script, with the settings as arguments; a catalog is the JSON of `openstack endpoint
list`. `check` runs before anything is installed and needs nothing but Python, so the rest is imported late.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Json = dict[str, Any]
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of clouds and regions, as these settings take them: they go through shells and files."""

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]")


class SettingsError(Exception):
    """A setting that cannot be used, or does not fit what DevStack has made."""


@dataclass(frozen=True, slots=True)
class Member:
    """One cloud of the fleet."""

    name: str
    host: str
    region: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a cloud's Keystone lists, as `openstack endpoint list -f json` prints it."""

    rows: tuple[Json, ...]

    @classmethod
    def read(cls, text: str) -> Catalog:
        """The endpoints that are enabled."""
        return cls(tuple(row for row in json.loads(text) if row["Enabled"]))

    def public(self, region: str) -> dict[str, str]:
        """Official type -> URL. An entry with the official name wins over its aliases (volumev3)."""
        from os_service_types import ServiceTypes  # noqa: PLC0415

        types = ServiceTypes()
        rows = [row for row in self.rows if row["Interface"] == "public" and row["Region"] == region]
        found = {str(types.get_service_type(row["Service Type"])): str(row["URL"]) for row in rows}
        return found | {str(row["Service Type"]): str(row["URL"]) for row in rows}


def fleet(text: str) -> dict[str, Member]:
    """`name=host,region …` -> the clouds by name."""
    members: dict[str, Member] = {}
    for word in text.split():
        name, given, place = word.partition("=")
        host, also, region = place.partition(",")
        if not (given and also and WORD.fullmatch(name) and HOST.fullmatch(host) and WORD.fullmatch(region)):
            raise SettingsError(f"OIDPROXY_CLOUDS: expected name=host,region, got {word!r}")
        if name in members:
            raise SettingsError(f"OIDPROXY_CLOUDS names {name} twice")
        members[name] = Member(name, host.lower(), region)
    return members


def admissions(text: str, members: Mapping[str, Member]) -> dict[str, list[str]]:
    """`cloud=home,home …` -> cloud -> the clouds whose users it admits."""
    admitted: dict[str, list[str]] = {}
    for word in text.split():
        cloud, given, homes = word.partition("=")
        names = homes.split(",")
        if not given or cloud in admitted:
            raise SettingsError(
                f"OIDPROXY_ADMITS: expected cloud=home,home once for each cloud, got {word!r}"
            )
        for name in (cloud, *names):
            if name not in members:
                raise SettingsError(f"OIDPROXY_ADMITS: {name!r} is not one of OIDPROXY_CLOUDS")
        if cloud in names:
            raise SettingsError(f"OIDPROXY_ADMITS: {cloud} admits its own users anyway, got {word!r}")
        admitted[cloud] = names
    return admitted


def own(options: argparse.Namespace, members: Mapping[str, Member]) -> Member:
    """The cloud that DevStack makes on this host, as the list of all has it."""
    member = members.get(options.cloud)
    if member is None:
        raise SettingsError(f"OIDPROXY_CLOUD is {options.cloud!r}, which is not one of OIDPROXY_CLOUDS")
    for variable, listed, real in (
        ("SERVICE_HOST", member.host, options.service_host.lower()),
        ("REGION_NAME", member.region, options.region),
    ):
        if listed != real:
            raise SettingsError(
                f"OIDPROXY_CLOUDS has {listed} for {member.name}, but {variable} here is {real}"
            )
    return member


def check(options: argparse.Namespace) -> None:
    """Whether the settings can be used, before half an hour is spent on the rest of the cloud."""
    members = fleet(options.clouds)
    own(options, members)
    admissions(options.admits, members)
    if not 0 <= options.port_offset <= 40000:
        raise SettingsError(f"OIDPROXY_PORT_OFFSET is {options.port_offset}, which is not from 0 to 40000")
    if not {"identity"} <= set(options.services.split()):
        raise SettingsError("OIDPROXY_SERVICES has to name identity")


def configuration(options: argparse.Namespace) -> None:
    """Print oidproxy.yaml, by the cloud's catalog; keep in a file what the catalog said."""
    import yaml  # noqa: PLC0415

    check(options)
    members = fleet(options.clouds)
    ports = _ports(options)
    direct = _direct(options, Catalog.read(sys.stdin.read()).public(options.region), ports)
    admitted = admissions(options.admits, members)
    clouds = {
        name: _cloud(member, options, direct) | _admits(options, admitted.get(name, ()))
        for name, member in members.items()
    }
    options.remember.write_text(json.dumps(direct, indent=2) + "\n")
    document = {
        "listeners": [
            {
                "bind": options.listen,
                "cloud": options.cloud,
                "ports": {kind: ports[kind] for kind in direct},
            }
        ],
        "admin": {"bind": f"127.0.0.1:{options.admin_port}"},
        "local": options.cloud,
        "fleet_keys": [f"${{file:{options.fleet_key_file}}}"],
        "clouds": clouds,
    }
    sys.stdout.write(yaml.safe_dump(document, sort_keys=False, width=1000))


def _ports(options: argparse.Namespace) -> dict[str, int]:
    from oidproxy.clouds.standard import PORTS  # noqa: PLC0415

    unknown = set(options.services.split()) - set(PORTS)
    if unknown:
        raise SettingsError(f"OIDPROXY_SERVICES: no standard port is known of {', '.join(sorted(unknown))}")
    return {kind: PORTS[kind] + options.port_offset for kind in options.services.split()}


def _direct(
    options: argparse.Namespace, catalog: Mapping[str, str], ports: Mapping[str, int]
) -> dict[str, str]:
    """Service -> where DevStack has put it. An address of ours was put there by an earlier run."""
    ours = {(_bare(options.host), port) for port in ports.values()}
    before = json.loads(options.remember.read_text()) if options.remember.exists() else {}
    direct = {}
    for kind in ports:
        if kind not in catalog:
            continue
        parts = urlsplit(catalog[kind])
        mine = (parts.hostname, parts.port) in ours
        if mine and kind not in before:
            raise SettingsError(
                f"the catalog has {catalog[kind]} for {kind}, which is the proxy, and {options.remember} "
                f"does not say where the service is: let stack.sh make the database of Keystone anew"
            )
        direct[kind] = before[kind] if mine else catalog[kind]
    if "identity" not in direct:
        raise SettingsError(f"the catalog has no public endpoint of identity in region {options.region}")
    return direct


def _cloud(member: Member, options: argparse.Namespace, direct: Mapping[str, str]) -> Json:
    urls = {kind: _at(member, options, kind, url) for kind, url in direct.items()}
    identity = urls.pop("identity").rstrip("/")
    auth_url = identity if identity.endswith("/v3") else f"{identity}/v3"
    return {"auth_url": auth_url, "region": member.region, "endpoints": urls}


def _at(member: Member, options: argparse.Namespace, kind: str, url: str) -> str:
    """Where a cloud has a service: all are laid out as this one is, on their own hosts."""
    text = url.replace("$(", "%(").replace("(tenant_id)", "(project_id)")
    parts = urlsplit(text)
    if member.name == options.cloud:
        return text
    if parts.hostname != _bare(options.service_host):
        raise SettingsError(
            f"{kind} of {options.cloud} is at {url}, not on SERVICE_HOST ({options.service_host}): "
            f"where {member.name} has it cannot be told from that"
        )
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{member.host}{port}").geturl()


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _admits(options: argparse.Namespace, homes: Sequence[str]) -> Json:
    return {"admits": {home: _policy(options) for home in homes}} if homes else {}


def _policy(options: argparse.Namespace) -> Json:
    return {
        "roles": options.admit_roles.replace(",", " ").split(),
        "services": [
            {"user": user, "project": options.service_project, "domain": options.service_domain}
            for user in options.admit_services.replace(",", " ").split()
        ],
    }


def lines(options: argparse.Namespace) -> None:
    """Print what `oidproxy cloud config` said of the files: file, section, key, value, parted by tabs."""
    for file, sections in _told(options)["files"].items():
        for section, pairs in sections.items():
            for key, value in pairs.items():
                print(file, section, key, value, sep="\t")


def address(options: argparse.Namespace) -> None:
    """Print the address of a service at the proxy, nothing if it has none."""
    for endpoint in _told(options)["endpoints"]:
        if endpoint["type"] == options.service and endpoint["interface"] == "public":
            print(endpoint["url"])


def changes(options: argparse.Namespace) -> None:
    """Print what has to change in the catalog: id and URL of endpoints, identity last.

    What names a service's own address gets the proxy's, whatever its type is called there (Cinder has two)
    and whichever interface it is; with --back the other way.
    """
    direct = json.loads(options.remember.read_text())
    public = [one for one in _told(options)["endpoints"] if one["interface"] == "public"]
    pairs = [(direct[one["type"]], one["url"]) for one in public if one["type"] in direct]
    catalog = Catalog.read(sys.stdin.read())
    if options.back:
        pairs = [(proxy, service) for service, proxy in pairs]
    else:
        _require_listed(pairs, catalog, options.region)
    moves = {_spelled(old): new for old, new in pairs}
    for row in sorted(catalog.rows, key=lambda row: row["Service Type"] == "identity"):
        new = moves.get(_spelled(row["URL"]))
        if new is not None and row["Region"] == options.region:
            print(row["ID"], new, sep="\t")


def _require_listed(pairs: Sequence[tuple[str, str]], catalog: Catalog, region: str) -> None:
    listed = {_spelled(row["URL"]) for row in catalog.rows if row["Region"] == region}
    for service, proxy in pairs:
        if not {_spelled(service), _spelled(proxy)} & listed:
            raise SettingsError(
                f"the catalog of region {region} has neither {service} nor {proxy} any longer"
            )


def _spelled(url: str) -> str:
    """Keystone takes both spellings of the project's id in a URL."""
    return url.replace("$(", "%(").rstrip("/")


def _told(options: argparse.Namespace) -> Json:
    told: Json = json.loads(options.told.read_text())
    return told


def parser() -> argparse.ArgumentParser:
    """The commands of plugin.sh."""
    whole = argparse.ArgumentParser(prog="beside.py")
    commands = whole.add_subparsers(dest="command", required=True)
    for run in (check, configuration):
        _settings(_command(commands, run), remember=run is configuration)
    told = [_command(commands, run) for run in (lines, address, changes)]
    for command in told:
        command.add_argument("--told", type=Path, required=True)
    told[1].add_argument("service")
    told[2].add_argument("--remember", type=Path, required=True)
    told[2].add_argument("--region", required=True)
    told[2].add_argument("--back", action="store_true")
    return whole


def _command(commands: Commands, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    command = commands.add_parser(run.__name__)
    command.set_defaults(run=run)
    return command


def _settings(command: argparse.ArgumentParser, *, remember: bool) -> None:
    for name in _texts():
        command.add_argument(f"--{name}", required=True)
    for name in ("port-offset", "admin-port"):
        command.add_argument(f"--{name}", type=int, required=True)
    command.add_argument("--remember", type=Path, required=remember)


def _texts() -> Iterator[str]:
    yield from ("cloud", "clouds", "region", "service-host", "host", "listen", "services", "fleet-key-file")
    yield from ("admits", "admit-roles", "admit-services", "service-project", "service-domain")


def main() -> int:
    """Run one command; 2 when the settings cannot be used."""
    options = parser().parse_args()
    try:
        options.run(options)
    except SettingsError as error:
        # Of a check plugin.sh wants to hear it: the trace of stack.sh is on standard error.
        print(error, file=sys.stdout if options.run is check else sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

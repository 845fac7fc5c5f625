"""`oidproxy cloud config`: what a cloud's services have to be configured with, for a listener beside it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from oidproxy.clouds.registry import Listener, Registry

    Sections = Mapping[str, Mapping[str, str]]

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognized, not bound
OWN_FILES = {"image": "glance-api.conf"}
"""Official type -> its configuration file, where that is not the project's name with `.conf`."""

CLIENTS = {
    "compute": ("service_user", "neutron", "placement", "cinder"),
    "network": ("nova", "placement"),
    "block-storage": ("service_user", "nova"),
}
"""Official type -> the sections of its file by which it calls other services, or shows itself to them."""


@dataclass(frozen=True, slots=True)
class CatalogEndpoint:
    """One endpoint of the cloud's own catalog, as it has to be."""

    service_type: str
    name: str
    region: str
    interface: str
    url: str

    @property
    def setting(self) -> str:
        """The command that changes the endpoint which is there."""
        find = (
            f"openstack endpoint list --service {shlex.quote(self.service_type)} "
            f"--interface {self.interface} --region {shlex.quote(self.region)} -f value -c ID"
        )
        return f'openstack endpoint set --url {shlex.quote(self.url)} "$({find})"'

    @property
    def creating(self) -> str:
        """The command that makes it where there is none."""
        words = ("openstack", "endpoint", "create", "--region", self.region, self.service_type)
        return shlex.join((*words, self.interface, self.url))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`config NAME --config FILE`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    config = commands.add_parser(
        "config",
        help="the lines and commands that put a cloud's services behind the listener beside it",
    )
    config.add_argument("name", metavar="NAME", help="the cloud, as the configuration calls it")
    config.add_argument(
        "--config", required=True, metavar="FILE", help="the configuration, usually oidproxy.yaml"
    )
    config.add_argument(
        "--host", metavar="HOST", help="how services reach the listener (default: its address)"
    )
    config.add_argument("--create", action="store_true", help="commands for a catalog without the endpoints")
    config.add_argument("--json", action="store_true", help="the same for programs")


def run(options: argparse.Namespace) -> int:
    """Print it.

    Raises:
        ConfigError: the configuration cannot be used, or nothing stands beside such a cloud.
    """
    from oidproxy.clouds.loading.load import read

    registry = read(options.config).registry
    listener = _beside(registry, options.name)
    host = _host(listener, options.host)
    endpoints = tuple(_endpoints(registry, options.name, listener, host))
    files = _files(registry, options.name, _identity(endpoints, options.name))
    if options.json:
        print(json.dumps(_json(registry, options.name, files, endpoints), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_text(options.name, files, endpoints, create=options.create)))
    return 0


def _beside(registry: Registry, name: str) -> Listener:
    """The first listener beside a cloud that has a port of its own for identity."""
    if name not in registry.clouds:
        from oidproxy.scope.nearest import nearest

        near = nearest(name, registry.clouds)
        raise ConfigError(f"no cloud is called {name!r}" + (f" (did you mean {near}?)" if near else ""))
    if registry.clouds[name].direct:
        raise ConfigError(
            f"{name} has exchange:, so its services ask their own Keystone: nothing is to be changed there"
        )
    for listener in registry.listeners:
        if listener.cloud == name and "identity" in listener.ports:
            return listener
    raise ConfigError(
        f"no listener stands beside {name}: add one with `cloud: {name}` and `ports: openstack`"
    )


def _host(listener: Listener, given: str | None) -> str:
    if given is None and listener.host in WILDCARDS:
        raise ConfigError(f"the listener is bound to {listener.host}: say with --host how services reach it")
    # An address of IPv6 may come as it stands in a URL, where it gets its brackets again.
    return (given or listener.host).strip("[]")


def _endpoints(registry: Registry, name: str, listener: Listener, host: str) -> Iterator[CatalogEndpoint]:
    """What the proxy itself shows to the cloud's services: both catalogs have to say the same."""
    from oidproxy.clouds.addresses import PROJECT_ID
    from oidproxy.rewrite.catalog import service_catalog
    from oidproxy.routing.decision import Facade

    facade = Facade(listener.scheme, host, listener.ports["identity"], listener)
    for entry in service_catalog(registry, name, PROJECT_ID, facade):
        kind, called = str(entry["type"]), str(entry["name"])
        for shown in cast("list[Mapping[str, str]]", entry["endpoints"]):
            yield CatalogEndpoint(
                kind,
                _project(kind) if called == kind else called,
                shown["region"],
                shown["interface"],
                shown["url"],
            )


def _identity(endpoints: Sequence[CatalogEndpoint], name: str) -> str:
    for endpoint in endpoints:
        if endpoint.service_type == "identity":
            return endpoint.url
    raise ConfigError(f"{name} has no identity service that its listener serves")


def _files(registry: Registry, name: str, auth_url: str) -> Mapping[str, Sections]:
    """File -> section -> key -> value, for each service of the cloud but Keystone, which asks nobody."""
    types = {
        one.service_type: one.catalog_type or one.service_type for one in registry.clouds[name].endpoints
    }
    region = registry.clouds[name].region
    return {
        _file(service): {
            "keystone_authtoken": _authtoken(auth_url, listed),
            **{section: _client(section, auth_url, region) for section in CLIENTS.get(service, ())},
        }
        for service, listed in types.items()
        if service != "identity"
    }


def _file(service_type: str) -> str:
    return OWN_FILES.get(service_type, f"{_project(service_type)}.conf")


def _project(service_type: str) -> str:
    from os_service_types import ServiceTypes

    return str(ServiceTypes().get_project_name(service_type) or service_type)


def _authtoken(auth_url: str, listed: str) -> Mapping[str, str]:
    """What keystonemiddleware needs of us; `listed` is the service's type in the catalog.

    Without `service_token_roles`, the token of any user counts as a service's. Without `service_type`, every
    application credential with access rules is refused.
    """
    return {
        "www_authenticate_uri": auth_url,
        "auth_url": auth_url,
        "service_token_roles": "service",
        "service_token_roles_required": "true",
        "service_type": listed,
    }


def _client(section: str, auth_url: str, region: str) -> Mapping[str, str]:
    if section == "service_user":
        return {"auth_url": auth_url, "send_service_user_token": "true"}
    if section == "cinder":
        return {"os_region_name": region}
    return {"auth_url": auth_url, "region_name": region}


def _json(
    registry: Registry, name: str, files: Mapping[str, Sections], endpoints: Sequence[CatalogEndpoint]
) -> Mapping[str, Any]:
    return {
        "cloud": name,
        "region": registry.clouds[name].region,
        "auth_url": _identity(endpoints, name),
        "files": files,
        "endpoints": [
            {
                "type": one.service_type,
                "name": one.name,
                "region": one.region,
                "interface": one.interface,
                "url": one.url,
                "set": one.setting,
                "create": one.creating,
            }
            for one in endpoints
        ],
    }


def _text(
    name: str, files: Mapping[str, Sections], endpoints: Sequence[CatalogEndpoint], *, create: bool
) -> Iterator[str]:
    yield f"# The services of {name}. Each section keeps the account that it has (auth_type, username,"
    yield "# password, project_name, domains); a new [service_user] gets that of [keystone_authtoken]."
    for file, sections in files.items():
        yield f"\n# {file}"
        for section, lines in sections.items():
            yield f"[{section}]"
            yield from (f"{key} = {value}" for key, value in lines.items())
    yield f"\n# The catalog of {name}"
    yield from (one.creating if create else one.setting for one in endpoints)

"""The DevStack plugin: each phase under stubs of DevStack's functions, and what it wrote and called."""

from __future__ import annotations

import argparse
import configparser
import http.server
import json
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from oidproxy.cli import serve
from oidproxy.clouds.loading.load import read

REPOSITORY = Path(__file__).parents[2]
PLUGIN = REPOSITORY / "devstack"
STUBS = Path(__file__).parent
SCRIPTS = [PLUGIN / "plugin.sh", PLUGIN / "settings", STUBS / "devstack.sh"]
BIN = Path(sys.executable).parent
OIDPROXY = BIN / "oidproxy"
STACK = ("pre-install", "install", "post-config", "extra", "test-config")
SECRET = "s3cr3t-of-the-services"

HOSTS = {"cloud-1": "10.0.0.1", "cloud-999": "10.0.0.2"}
REGIONS = {"cloud-1": "RegionOne", "cloud-999": "Edge999"}

# Service type, name, and what DevStack's functions register; {} is http:// and the host.
REGISTERED = [
    ("identity", "keystone", "{}/identity"),
    ("image", "glance", "{}/image"),
    ("compute", "nova", "{}/compute/v2.1"),
    ("compute_legacy", "nova_legacy", "{}/compute/v2/$(project_id)s"),
    ("network", "neutron", "{}:9696/networking"),
    ("placement", "placement", "{}/placement"),
    ("block-storage", "cinder", "{}/volume/v3/$(project_id)s"),
    ("volumev3", "cinderv3", "{}/volume/v3/$(project_id)s"),
]

# File -> sections that DevStack gives an account, but for what it writes late.
WITH_ACCOUNT = {
    "glance-api.conf": ["keystone_authtoken", "oslo_limit"],
    "nova.conf": ["keystone_authtoken", "service_user", "placement", "cinder"],
    "nova_cell1.conf": ["placement", "neutron"],
    "neutron.conf": ["keystone_authtoken", "nova"],
    "placement.conf": ["keystone_authtoken"],
    "cinder.conf": ["keystone_authtoken", "nova"],
}

# An interpreter that `-m venv` and `-m pip` of which are only written down; all else is done.
INTERPRETER = """#!/bin/bash
case "$1 $2" in
    "-m venv")
        echo "venv $3" >> "$HERE/calls"
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && ln -sf {oidproxy} "$3/bin/oidproxy" ;;
    "-m pip") shift 2; echo "venv-pip $*" >> "$HERE/calls" ;;
    *) exec {python} "$@" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Host:
    """One DevStack host: its folder, and the localrc that it is stacked with."""

    here: Path
    localrc: Path

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Phases in one shell, as they are in stack.sh."""
        command = ["bash", str(STUBS / "devstack.sh"), str(self.localrc), *words]
        paths = {"HERE": self.here, "HOME": self.here / "home", "PLUGIN": PLUGIN}
        set_here = {name: str(path) for name, path in paths.items()}
        base = {"PATH": os.environ["PATH"], "NEUTRON_IN_NOVA_IS_LATE": "yes"}
        return subprocess.run(
            command,
            env=base | set_here | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stack(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As `run`; nothing may fail."""
        done = self.run(*(words or STACK), **environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    @property
    def calls(self) -> list[str]:
        path = self.here / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def forget_calls(self) -> None:
        (self.here / "calls").unlink()

    def ini(self, name: str) -> configparser.RawConfigParser:
        parser = configparser.RawConfigParser(default_section="nothing is default", interpolation=None)
        parser.read(self.here / "etc" / name)
        return parser

    def catalog(self) -> dict[str, str]:
        rows = json.loads((self.here / "catalog.json").read_text())
        return {row["ID"]: row["URL"] for row in rows}

    @property
    def config(self) -> Path:
        return self.here / "etc/oidproxy/oidproxy.yaml"

    def written(self) -> dict[str, str]:
        files = [path for path in (self.here / "etc").rglob("*") if path.is_file()]
        return {str(path.relative_to(self.here)): path.read_text() for path in files}


def localrc(sample: str) -> str:
    """The part of a local.conf that is a script."""
    text = (PLUGIN / "samples" / f"local.conf.{sample}").read_text()
    return re.split(r"^\[\[.*\]\]$", text, flags=re.MULTILINE)[1]


def list_endpoints(here: Path, rows: list[dict[str, object]]) -> None:
    """What Keystone lists, a line for each endpoint."""
    (here / "catalog.json").write_text("[" + ",\n".join(json.dumps(row) for row in rows) + "]\n")


def register(here: Path, host: str, region: str) -> None:
    """The catalog as DevStack's functions have made it, with an endpoint of another region."""
    base = f"http://{host}"
    rows = [
        {"ID": f"id-{kind}", "Region": region, "Service Name": name, "Service Type": kind}
        | {"Enabled": True, "Interface": "public", "URL": url.format(base)}
        for kind, name, url in REGISTERED
    ]
    elsewhere = rows[1] | {"ID": "id-elsewhere", "Region": "Elsewhere"}
    list_endpoints(here, [*rows, elsewhere])


def configure_services(here: Path, host: str) -> None:
    """The services' files as DevStack's functions have written them when post-config begins."""
    account = f"auth_type = password\nauth_url = http://{host}/identity\nusername = {{}}\n"
    account += f"password = {SECRET}\nproject_name = service\nuser_domain_name = Default\n"
    account += "project_domain_name = Default\nmemcached_servers = localhost:11211\n"
    for file, sections in WITH_ACCOUNT.items():
        blocks = [f"[{section}]\n{account.format(file.partition('.')[0])}" for section in sections]
        (here / "etc" / file).write_text("[DEFAULT]\ndebug = True\n\n" + "\n".join(blocks))
    sample = "\n[placement]\n# auth_type = <None>\n#auth_url = <None>\n"
    with (here / "etc/neutron.conf").open("a") as file:
        file.write(sample)
    text = (here / "etc/cinder.conf").read_text()
    servers = f"debug = True\nglance_api_servers = http://{host}/image\n"
    (here / "etc/cinder.conf").write_text(text.replace("debug = True\n", servers, 1))


def prepare(here: Path, sample: str = "cloud-1", more: str = "") -> Host:
    """A host that is to be stacked by a sample, with lines added to it."""
    (here / "etc").mkdir(exist_ok=True)
    (here / "home").mkdir(exist_ok=True)
    interpreter = here / "python3"
    interpreter.write_text(INTERPRETER.format(oidproxy=OIDPROXY, python=sys.executable))
    interpreter.chmod(0o755)
    own = f"OIDPROXY_CONF_DIR={here}/etc/oidproxy\nOIDPROXY_PYTHON={interpreter}\n"
    script = here / "localrc"
    script.write_text(f"{localrc(sample)}\nSERVICE_PASSWORD={SECRET}\n{own}{more}\n")
    register(here, HOSTS[sample], REGIONS[sample])
    configure_services(here, HOSTS[sample])
    return Host(here, script)


@pytest.fixture
def devstack(tmp_path):
    """Prepares a host; a second time, as stack.sh does when it runs again."""

    def host(sample: str = "cloud-1", more: str = "") -> Host:
        return prepare(tmp_path, sample, more)

    return host


@dataclass(frozen=True, slots=True)
class Stacked:
    """A host that was stacked, to be looked at only."""

    name: str
    host: Host
    before: dict[str, str]
    between: dict[str, str]
    trace: str

    @property
    def address(self) -> str:
        return HOSTS[self.name]


@pytest.fixture(scope="module", params=list(HOSTS))
def stacked(request, tmp_path_factory):
    """Both samples, once."""
    host = prepare(tmp_path_factory.mktemp(request.param), request.param)
    before = host.catalog()
    configured = host.stack(*STACK[:3])
    between = host.catalog()
    finished = host.stack("extra")
    return Stacked(request.param, host, before, between, configured.stderr + finished.stderr)


def told(host: Host, cloud: str) -> dict:
    command = [OIDPROXY, "cloud", "config", cloud, "--config", host.config, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_pass_shellcheck(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    shellcheck = subprocess.run([BIN / "shellcheck", script], capture_output=True, text=True, check=False)
    assert shellcheck.returncode == 0, shellcheck.stdout


def test_the_samples_are_the_same_but_for_what_makes_a_cloud():
    one, other = localrc("cloud-1").splitlines(), localrc("cloud-999").splitlines()
    differ = {line.partition("=")[0] for line in set(one) ^ set(other)}
    assert differ == {"HOST_IP", "REGION_NAME", "OIDPROXY_CLOUD"}
    assert [line for line in one if line.startswith("enable_plugin oidproxy ")]


def test_the_configuration_is_accepted_and_knows_both_clouds(stacked):
    config = stacked.host.config
    done = subprocess.run([OIDPROXY, "config", "check", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    registry = read(str(config)).registry
    assert registry.local == stacked.name
    assert [listener.cloud for listener in registry.listeners] == [stacked.name]
    for cloud, region in REGIONS.items():
        known = registry.clouds[cloud]
        assert known.region == region
        types = {one.service_type for one in known.endpoints}
        assert types == {"identity", "image", "compute", "network", "placement", "block-storage"}


def test_each_cloud_has_its_services_on_its_own_host_and_admits_the_other(stacked):
    clouds = yaml.safe_load(stacked.host.config.read_text())["clouds"]
    for cloud, address in HOSTS.items():
        (home,) = set(HOSTS) - {cloud}
        assert clouds[cloud]["auth_url"] == f"http://{address}/identity/v3"
        assert clouds[cloud]["endpoints"] == {
            "image": f"http://{address}/image",
            "compute": f"http://{address}/compute/v2.1",
            "network": f"http://{address}:9696/networking",
            "placement": f"http://{address}/placement",
            "block-storage": f"http://{address}/volume/v3/%(project_id)s",
        }
        accounts = [{"user": user, "project": "service", "domain": "Default"} for user in ("nova", "cinder")]
        assert clouds[cloud]["admits"] == {home: {"roles": ["member", "reader"], "services": accounts}}


def test_the_files_have_every_line_that_cloud_config_prints(stacked):
    expected = told(stacked.host, stacked.name)
    auth_url = f"http://{stacked.address}:25000/v3"
    assert expected["auth_url"] == auth_url
    for file, sections in expected["files"].items():
        ini = stacked.host.ini(file)
        for section, lines in sections.items():
            # Neutron has no account for Placement here, so it does not use it.
            if (file, section) == ("neutron.conf", "placement"):
                assert not ini.options(section)
            else:
                assert {key: ini[section][key] for key in lines} == dict(lines), (file, section)
        assert ini["keystone_authtoken"]["auth_url"] == auth_url
        assert ini["keystone_authtoken"]["password"] == SECRET, "the account stays"


def test_what_stack_sh_writes_meanwhile_is_waited_for(stacked):
    calls = stacked.host.calls
    neutron = stacked.host.ini("nova.conf")["neutron"]
    assert neutron["auth_url"] == f"http://{stacked.address}:25000/v3"
    first = next(number for number, call in enumerate(calls) if "nova.conf keystone_authtoken" in call)
    assert calls.index("async_wait configure_neutron_nova") < first


def test_the_conductor_of_a_cell_uses_the_proxy_where_it_calls_services(stacked):
    cell = stacked.host.ini("nova_cell1.conf")
    assert cell.sections() == ["DEFAULT", "placement", "neutron"]
    for section in ("placement", "neutron"):
        assert cell[section]["auth_url"] == f"http://{stacked.address}:25000/v3"


def test_a_new_section_gets_the_account_of_the_service(stacked):
    ini = stacked.host.ini("cinder.conf")
    for key in ("auth_type", "password", "project_name", "user_domain_name", "project_domain_name"):
        assert ini["service_user"][key] == ini["keystone_authtoken"][key]
    assert ini["service_user"]["username"] == "cinder"
    assert stacked.host.ini("nova.conf")["service_user"]["username"] == "nova"


def test_nothing_names_the_image_service_past_the_proxy(stacked):
    servers = stacked.host.ini("cinder.conf")["DEFAULT"]["glance_api_servers"]
    assert servers == f"http://{stacked.address}:29292"
    assert not stacked.host.ini("nova.conf").has_section("glance")


def test_the_catalog_leads_to_the_proxy_where_it_led_to_the_services(stacked):
    assert stacked.between == stacked.before, (
        "until extra, stack.sh waits for services that the catalog names"
    )
    urls = {one["type"]: one["url"] for one in told(stacked.host, stacked.name)["endpoints"]}
    assert stacked.host.catalog() == {f"id-{kind}": url for kind, url in urls.items()} | {
        "id-volumev3": urls["block-storage"],
        "id-compute_legacy": stacked.before["id-compute_legacy"],
        "id-elsewhere": stacked.before["id-elsewhere"],
    }
    changed = [call.split()[-1] for call in stacked.host.calls if "endpoint set" in call]
    assert changed[-1] == "id-identity"


def test_the_proxy_is_started_between_the_files_and_the_services(stacked):
    calls = stacked.host.calls
    firsts = [call.split()[0] for call in calls]
    last_file = max(number for number, call in enumerate(calls) if call.startswith("iniset"))
    assert last_file < firsts.index("run_process") < firsts.index("wait_for_service") < firsts.index("curl")
    assert firsts.index("curl") < calls.index("phase extra")
    assert f"curl -g --noproxy * -sS -f -o /dev/null http://{stacked.address}:25000/v3" in calls


def test_the_command_is_one_that_oidproxy_takes(stacked):
    (call,) = [call for call in stacked.host.calls if call.startswith("run_process")]
    _, service, command, name, *arguments = shlex.split(call)
    assert (service, name) == ("oidproxy", "serve")
    assert Path(command) == stacked.host.here / "dest/oidproxy.venv/bin/oidproxy"
    # DevStack refuses to run the one, and takes the other for an application of uWSGI.
    assert "sudo" not in call
    assert "uwsgi" not in call
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    options = parser.parse_args(arguments)
    assert (options.config, options.workers, options.access_log) == (stacked.host.config, 2, "-")


def test_no_secret_is_on_a_command_line_or_in_the_log(stacked):
    key = stacked.host.here / "home/oidproxy-fleet.key"
    assert re.fullmatch(r"[0-9a-f]{128}\n", key.read_text())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "+ sed -n " in stacked.trace, "xtrace shows every command with its arguments"
    for hidden in (SECRET, key.read_text().strip()):
        assert hidden not in stacked.trace
        assert hidden not in "\n".join(stacked.host.calls)


def test_the_proxy_and_the_client_s_plugin_are_installed_apart(devstack):
    host = devstack()
    host.stack("pre-install", "install")
    assert [call for call in host.calls if call.startswith(("venv", "pip_install", "install_package"))] == [
        "install_package python3-venv",
        f"venv {host.here}/dest/oidproxy.venv",
        f"venv-pip install --editable {REPOSITORY}[server]",
        f"pip_install --editable {REPOSITORY}",
    ]


def test_offline_nothing_is_downloaded_and_a_missing_proxy_is_said(devstack):
    host = devstack(more="OFFLINE=True")
    done = host.run("install")
    assert done.returncode == 1
    assert "OFFLINE=False" in done.stderr
    assert not [call for call in host.calls if call.startswith("venv")]
    host = devstack()
    host.stack("install")
    host.forget_calls()
    host = devstack(more="OFFLINE=True")
    host.stack("install")
    assert not [call for call in host.calls if call.startswith("venv")]


def test_a_key_that_was_brought_is_used_and_made_private_and_stays(devstack):
    host = devstack()
    key = host.here / "home/oidproxy-fleet.key"
    key.write_text("ab" * 64)
    key.chmod(0o644)
    host.stack("install", "post-config")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    host.stack("unstack", "clean")
    assert key.read_text() == "ab" * 64


def test_a_second_run_changes_nothing(devstack):
    host = devstack()
    host.stack()
    written, catalog, key = (
        host.written(),
        host.catalog(),
        (host.here / "home/oidproxy-fleet.key").read_text(),
    )
    host.forget_calls()
    # As stack.sh does it with RECREATE_KEYSTONE_DB=False, and even without writing the services' files anew.
    host.stack("post-config", "extra", NEUTRON_IN_NOVA_IS_LATE="")
    assert host.written() == written
    assert host.catalog() == catalog
    assert (host.here / "home/oidproxy-fleet.key").read_text() == key
    assert not [call for call in host.calls if "endpoint set" in call]


def test_it_can_be_taken_down_and_stacked_again_and_removed(devstack):
    log = "OIDPROXY_ACCESS_LOG=$HERE/access.jsonl"
    host = devstack(more=log)
    before = host.catalog()
    host.stack()
    written, catalog = host.written(), host.catalog()

    host.stack("unstack")
    assert host.calls[-1] == "stop_process oidproxy"
    assert host.catalog() == before

    devstack(more=log).stack()
    assert host.written() == written
    assert host.catalog() == catalog

    (host.here / "access.jsonl").touch()
    host.stack("unstack", "clean")
    assert not host.config.parent.exists()
    assert not (host.here / "dest/oidproxy.venv").exists()
    assert not (host.here / "access.jsonl").exists()
    assert not list((host.here / "home").iterdir())
    assert host.calls[-1] == "pip_uninstall oidproxy"


def test_unstack_stops_the_proxy_though_keystone_is_away(devstack):
    host = devstack()
    host.stack("install", "post-config")
    (host.here / "catalog.json").unlink()
    done = host.stack("unstack")
    assert "RECREATE_KEYSTONE_DB" in done.stderr
    assert host.calls[-1] == "stop_process oidproxy"


def test_unstack_and_clean_of_what_was_never_stacked(devstack):
    host = devstack()
    before = host.written()
    done = host.stack("unstack", "clean")
    assert "WARNING" not in done.stderr
    assert host.written() == before


def test_disabled_it_does_nothing(devstack):
    host = devstack(more="disable_service oidproxy")
    before = host.written()
    host.stack()
    host.stack("unstack", "clean")
    assert [call for call in host.calls if not call.startswith(("phase", "enable_plugin"))] == []
    assert host.written() == before


@pytest.mark.parametrize("word", ["source", "test-config", "a-phase-to-come"])
def test_a_phase_that_is_not_its_own_does_nothing(devstack, word):
    host = devstack()
    before = host.written()
    host.stack(word)
    assert [call for call in host.calls if not call.startswith("enable_plugin")] == [f"phase {word}"]
    assert host.written() == before


BAD = {
    "OIDPROXY_CLOUD=": "OIDPROXY_CLOUD is not set",
    "OIDPROXY_CLOUDS=": "OIDPROXY_CLOUDS is not set",
    "OIDPROXY_CLOUD=cloud-2": "OIDPROXY_CLOUD is 'cloud-2', which is not one of OIDPROXY_CLOUDS",
    "REGION_NAME=Edge1": "has RegionOne for cloud-1, but REGION_NAME here is Edge1",
    "OIDPROXY_ADMITS=cloud-1=cloud-3": "'cloud-3' is not one of OIDPROXY_CLOUDS",
    "OIDPROXY_PORT_OFFSET=high": "invalid int value: 'high'",
    "OIDPROXY_PYTHON=false": "set OIDPROXY_PYTHON (it is false)",
    "disable_service keystone": "enable keystone on this host",
    "ENABLED_SERVICES+=,tls-proxy": "disable_service tls-proxy",
}


@pytest.mark.parametrize(("line", "message"), BAD.items(), ids=list(BAD))
def test_settings_that_cannot_be_used_are_said_before_anything_is_installed(devstack, line, message):
    host = devstack(more=line)
    before = host.written()
    done = host.run(*STACK)
    assert done.returncode == 1
    assert "[ERROR]" in done.stderr
    assert message in done.stderr
    assert [call for call in host.calls if not call.startswith("enable_plugin")] == ["phase pre-install"]
    assert host.written() == before


def failing(host: Host, *words: str) -> str:
    done = host.run(*words)
    assert done.returncode == 1
    return done.stderr


def test_a_service_that_is_not_on_this_host_is_named(devstack):
    host = devstack()
    (host.here / "etc/cinder.conf").unlink()
    assert "CINDER_CONF" in failing(host, *STACK[:3])
    assert "run_process" not in " ".join(host.calls)


def test_a_service_without_a_file_of_devstack_s_is_named(devstack):
    host = devstack(more='OIDPROXY_SERVICES="identity key-manager"')
    rows = json.loads((host.here / "catalog.json").read_text())
    rows.append(rows[1] | {"ID": "k", "Service Type": "key-manager", "URL": "http://10.0.0.1/key-manager"})
    list_endpoints(host.here, rows)
    assert "BARBICAN_CONF (not set)" in failing(host, *STACK[:3])


def test_a_service_that_is_not_in_the_catalog_is_left_out(devstack):
    host = devstack()
    rows = json.loads((host.here / "catalog.json").read_text())
    kept = [row for row in rows if row["Service Name"] not in {"cinder", "cinderv3"}]
    list_endpoints(host.here, kept)
    (host.here / "etc/cinder.conf").unlink()
    host.stack()
    document = yaml.safe_load(host.config.read_text())
    assert "block-storage" not in document["listeners"][0]["ports"]


def test_an_endpoint_that_went_meanwhile_is_said(devstack):
    host = devstack()
    host.stack(*STACK[:3])
    text = (host.here / "catalog.json").read_text()
    (host.here / "catalog.json").write_text(text.replace("/placement", "/moved"))
    assert "neither http://10.0.0.1/placement nor" in failing(host, "extra")


def test_hosts_may_have_addresses_of_ipv6(devstack):
    clouds = 'OIDPROXY_CLOUDS="cloud-1=[fd00::1],RegionOne cloud-999=[fd00::2],Edge999"'
    host = devstack(more=f'SERVICE_HOST="[fd00::1]"\n{clouds}')
    text = (host.here / "catalog.json").read_text()
    (host.here / "catalog.json").write_text(text.replace("10.0.0.1", "[fd00::1]"))
    host.stack("pre-install", "install", "post-config")
    assert host.ini("nova.conf")["keystone_authtoken"]["auth_url"] == "http://[fd00::1]:25000/v3"
    clouds = yaml.safe_load(host.config.read_text())["clouds"]
    assert clouds["cloud-999"]["endpoints"]["network"] == "http://[fd00::2]:9696/networking"


class Keystone(http.server.BaseHTTPRequestHandler):
    """Answers for the version, as Keystone does under DevStack's path."""

    def do_GET(self) -> None:
        body = json.dumps({"version": {"id": "v3.14", "links": []}}).encode()
        self.send_response(200 if self.path.rstrip("/") == "/identity/v3" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Silent."""


@pytest.fixture
def keystone():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keystone)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_offset() -> int:
    """One that leads to ports which nobody has."""
    for offset in range(free_port() % 20000, 40000, 7):
        with socket.socket() as identity, socket.socket() as image:
            try:
                identity.bind(("127.0.0.1", 5000 + offset))
                image.bind(("127.0.0.1", 9292 + offset))
            except OSError:
                continue
        return offset
    raise AssertionError("no ports are free")


def real(devstack, port: int) -> Host:
    """A host at 127.0.0.1, whose Keystone listens at this port and whose proxy really runs."""
    offset = free_offset()
    clouds = "cloud-1=127.0.0.1,RegionOne cloud-999=127.0.0.2,Edge999"
    more = f'HOST_IP=127.0.0.1\nSERVICE_HOST=127.0.0.1\nOIDPROXY_CLOUDS="{clouds}"\n'
    more += f"OIDPROXY_PORT_OFFSET={offset}\nOIDPROXY_WORKERS=1\nOIDPROXY_ADMIN_PORT={free_port()}\n"
    more += 'OIDPROXY_SERVICES="identity image"'
    host = devstack(more=more)
    text = (host.here / "catalog.json").read_text()
    (host.here / "catalog.json").write_text(text.replace("http://10.0.0.1", f"http://127.0.0.1:{port}"))
    return host


def test_the_proxy_really_starts_and_keystone_answers_through_it(devstack, keystone):
    host = real(devstack, keystone.server_port)
    try:
        host.stack(REALLY_RUN="yes")
    finally:
        host.run("unstack")
    port = yaml.safe_load(host.config.read_text())["listeners"][0]["ports"]["identity"]
    assert f"127.0.0.1:{port}" in (host.here / "served").read_text()


def test_a_keystone_that_does_not_answer_through_the_proxy_ends_it(devstack):
    host = real(devstack, free_port())
    try:
        done = host.run(*STACK, REALLY_RUN="yes")
    finally:
        host.run("unstack")
    assert done.returncode == 1
    assert "Keystone does not answer through it" in done.stderr
    assert "phase extra" not in host.calls

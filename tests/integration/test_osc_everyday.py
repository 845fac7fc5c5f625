"""Everyday commands of the real client, by every way of coming to the proxy: what they print, and which
cloud they reached."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import yaml

from oidproxy.cli.demonstration.downloads import downloads
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.url import auth_url
from oidproxy.tokens.sealed import unseal
from tests.integration.recordings import visited

if TYPE_CHECKING:
    from tests.integration.clients import Client, Shell

SCOPE = "keystone:cloud-1;glance:cloud-999"
CANONICAL = "identity:cloud-1;image:cloud-999"
BYTES = b"an image of our own\n" * 5000
SECONDS = 20


@dataclass(frozen=True)
class Way:
    """How a client comes to the proxy, and where its commands end."""

    name: str
    image: str
    """The cloud of its images."""
    rest: str
    """The cloud of all else but identity, which is cloud-1 always."""
    client: Client
    root: str
    """What the URLs of its catalog begin with, up to the port."""


@dataclass(frozen=True)
class Visit:
    """A way, and a client started on it."""

    way: Way
    shell: Shell


def beside(lab, openstack, _):
    return Way("", "cloud-1", "cloud-1", openstack, f"http://{lab.place('cloud-1').beside}:")


def header(lab, openstack, folder):
    client = openstack.given(OIDPROXY_SCOPE=f"<{SCOPE}>")
    return replace(beside(lab, openstack, folder), image="cloud-999", client=client)


def gateway(lab, openstack, _):
    client = openstack.given(OS_AUTH_URL=f"{lab.places.gateway_url}/identity/v3")
    return Way("", "cloud-1", "cloud-1", client, f"{lab.places.gateway_url}/")


def url(lab, openstack, folder):
    client = openstack.given(OS_AUTH_URL=auth_url(parse(SCOPE), lab.places.gateway_url))
    return replace(gateway(lab, openstack, folder), image="cloud-999", client=client)


def region(lab, openstack, folder):
    """A cloud as a region: the client's own calls go there, its token stays its home's."""
    way = url(lab, openstack, folder)
    return replace(way, rest="cloud-999", client=way.client.given(OS_REGION_NAME="cloud-999"))


def profile(lab, openstack, folder):
    """The proxy named as profile, the scope in clouds.yaml: no variable but the cloud's name."""
    own = openstack.environment
    auth = {key: own[f"OS_{key.upper()}"] for key in ("username", "password", "project_name")}
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    cloud = {
        "profile": lab.places.gateway_url,
        "auth": {**auth, **domains},
        "region_name": own["OS_REGION_NAME"],
        "identity_api_version": "3",
        "vendor_hook": "oidproxy.osc.hook:apply",
        "oidproxy": {"scope": f"{{{SCOPE}}}"},
    }
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"lab": cloud}}))
    client = replace(openstack, environment={"OS_CLOUD": "lab"})
    return replace(gateway(lab, openstack, folder), image="cloud-999", client=client)


@pytest.fixture(
    scope="module",
    params=[beside, header, gateway, url, region, profile],
    ids=lambda make: make.__name__,
)
def visit(request, lab, openstack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    way = replace(request.param(lab, openstack, folder), name=request.param.__name__)
    # The home folder stays the shared one.
    client = replace(way.client, folder=folder).given(HOME=str(openstack.folder))
    with client.shell() as shell:
        yield Visit(way, shell)


@pytest.fixture
def shell(visit) -> Shell:
    return visit.shell


@pytest.fixture
def way(visit) -> Way:
    return visit.way


@pytest.fixture
def reached(recordings):
    """Checks where the client's requests went since the test began."""
    mark = recordings.mark()

    def check(**clouds: str) -> None:
        found = visited(recordings.since(mark))
        assert found == {service: {cloud} for service, cloud in clouds.items()}

    return check


@contextmanager
def uploaded(shell, folder, name):
    file = folder / "up.bin"
    file.write_bytes(BYTES)
    yield shell.json("image", "create", name, "--file", str(file), "--disk-format", "raw")
    shell.done("image", "delete", name)


def test_token_and_catalog(shell, way):
    token = shell.json("token", "issue")
    _, home, scope = unseal(token["id"])
    assert (home, canonical(scope)) == ("cloud-1", CANONICAL if way.image == "cloud-999" else "")
    services = {entry["Type"]: entry["Endpoints"] for entry in shell.json("catalog", "list")}
    assert services.keys() == {"identity", "image", "compute", "network", "placement", "block-storage"}
    urls = [endpoint["url"] for endpoints in services.values() for endpoint in endpoints]
    assert len(urls) >= 18
    assert [url for url in urls if not url.startswith(way.root)] == []


def test_versions(shell, way, lab):
    shown = shell.json("versions", "show")
    assert [row["Endpoint"] for row in shown if not row["Endpoint"].startswith(way.root)] == []
    newest = {(row["Region Name"], row["Service Type"], row["Max Microversion"]) for row in shown}
    home = lab.place("cloud-1").region
    assert {(home, "compute", "2.96"), (home, "placement", "1.39"), (home, "block-storage", "3.71")} <= newest


def test_images(shell, way, tmp_path, reached):
    with uploaded(shell, tmp_path, "ours") as created:
        assert created["size"] == len(BYTES)
        assert created["status"] == "active"
        names = listed(shell, "image", "Name")
        assert "ours" in names
        assert ("cirros" in names) == (way.image == "cloud-999")
        shown = shell.json("image", "show", "ours")
        assert (shown["id"], shown["size"]) == (created["id"], len(BYTES))
        shell.done("image", "save", "ours", "--file", str(tmp_path / "down.bin"))
        assert (tmp_path / "down.bin").read_bytes() == BYTES
    assert "ours" not in listed(shell, "image", "Name")
    reached(glance=way.image)


def test_networks_and_subnets(shell, way, reached):
    network = shell.json("network", "create", "net")
    subnet = shell.json("subnet", "create", "sub", "--network", "net", "--subnet-range", "10.1.0.0/24")
    assert subnet["network_id"] == network["id"]
    assert {row["Name"]: row["Subnets"] for row in shell.json("network", "list")}["net"] == [subnet["id"]]
    assert shell.json("network", "show", "net")["status"] == "ACTIVE"
    assert [row["Subnet"] for row in shell.json("subnet", "list", "--network", "net")] == ["10.1.0.0/24"]
    assert shell.json("subnet", "show", "sub")["cidr"] == "10.1.0.0/24"
    shell.done("subnet", "delete", "sub")
    shell.done("network", "delete", "net")
    assert "net" not in listed(shell, "network", "Name")
    reached(neutron=way.rest)


def test_volumes(shell, way, reached):
    created = shell.json("volume", "create", "--size", "2", "vol")
    eventually(lambda: shell.json("volume", "show", "vol")["status"], "available")
    assert (created["id"], "vol", 2) in listed(shell, "volume", "ID", "Name", "Size")
    shell.done("volume", "set", "--property", "key=value", "vol")
    shell.json("volume", "snapshot", "create", "--volume", "vol", "snap")
    eventually(lambda: shell.json("volume", "snapshot", "show", "snap")["status"], "available")
    shell.done("volume", "snapshot", "delete", "snap")
    eventually(lambda: shell("volume", "snapshot", "show", "snap").status, 1)
    shell.done("volume", "delete", "vol")
    eventually(lambda: created["id"] in listed(shell, "volume", "ID"), False)
    reached(cinder=way.rest)


def test_flavors_and_keypairs(shell, way, tmp_path, reached):
    assert shell.json("flavor", "show", "m1.small")["ram"] == 2048
    assert ("m1.tiny", 512, 1) in listed(shell, "flavor", "Name", "RAM", "Disk")
    key = tmp_path / "key"
    created = shell.json("keypair", "create", "pair", "--private-key", str(key))
    assert "PRIVATE KEY" in key.read_text()
    assert "pair" in listed(shell, "keypair", "Name")
    assert shell.json("keypair", "show", "pair")["fingerprint"] == created["fingerprint"]
    shell.done("keypair", "delete", "pair")
    assert "pair" not in listed(shell, "keypair", "Name")
    reached(nova=way.rest)


def test_servers(shell, way, lab, tmp_path, reached):
    before = len(downloads(lab.data(way.rest)))
    with uploaded(shell, tmp_path, "disk"):
        command = ("server", "create", "--image", "disk", "--flavor", "m1.tiny", "--network", "private")
        created = shell.json(*command, "host")
        eventually(lambda: shell.json("server", "show", "host")["status"], "ACTIVE")
        rows = listed(shell, "server", "ID", "Name", "Image", "Flavor")
        assert (created["id"], "host", "disk", "m1.tiny") in rows
        for command in ("lock", "unlock", "event list", "set --property key=value"):
            shell.done("server", *command.split(), "host")
        assert shell.json("server", "show", "host")["properties"] == {"key": "value"}
        shell.done("server", "delete", "host")
        eventually(lambda: created["id"] in listed(shell, "server", "ID"), False)
    [fetched] = downloads(lab.data(way.rest))[before:]
    assert fetched.sha256 == hashlib.sha256(BYTES).hexdigest()
    reached(nova=way.rest, glance=way.image, neutron=way.rest)


FURTHER = """
quota show
limits show --absolute
availability zone list
extension list --network
image set --property colour=blue --tag red further
image unset --property colour further
image member list further
port create --network private further
port set --name other further
port show other
port delete other
security group create further
security group rule create --protocol tcp --dst-port 22 further
security group show further
security group delete further
volume type list
project list
catalog show image
application credential create further
application credential show further
application credential delete further
"""


def test_further_commands_succeed(shell, tmp_path):
    """PATCH, PUT, DELETE without a body, and every service once more."""
    with uploaded(shell, tmp_path, "further"):
        lines = FURTHER.strip().splitlines()
        said = {line: ran.err for line in lines if (ran := shell(*line.split())).status}
    assert said == {}


def test_what_is_not_there(shell):
    ran = shell("server", "show", "nothing")
    assert ran.status == 1
    assert "nothing" in ran.err


def test_no_cloud_shows_its_own_address(shell, lab):
    """Over what the tests before it printed, too."""
    for words in ("catalog list", "versions show", "image list --long", "network list", "server list"):
        shell.json(*words.split())
    printed = "".join(shell.shown).splitlines()
    own = [f"{place.address}:" for place in lab.places.clouds]
    assert [line for line in printed if any(address in line for address in own)] == []


def listed(shell, kind, *columns):
    """The values of one column, or rows of several."""
    rows = shell.json(kind, "list")
    return {row[columns[0]] if len(columns) == 1 else tuple(row[name] for name in columns) for row in rows}


def eventually(ask, wanted):
    deadline = time.monotonic() + SECONDS
    while (found := ask()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)

"""OpenStackoid's published examples on real services: what each promises, or a refusal that says why.

InstanceOne and CloudOne are cloud-1 here, InstanceTwo and CloudTwo are cloud-999. It needed one administrator
with one password in all clouds, so there is one. Its clouds have an image of the same name each; ours have
one of their own each, which leaves no doubt where a disk came from.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.lab.openstackoid import NAME, Examples, everywhere
from tests.lab.users import Refused, User

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "openstackoid.md"
SECONDS = 60.0

EXAMPLES = Examples()
example = EXAMPLES.of
README, LIST, EARLIER, MISC = "README", "examples.sh", "examples.sh, earlier", "misc, docstrings"

HOME, ABROAD = "cloud-1", "cloud-999"
ALL_BUT_IDENTITY = {"compute": ABROAD, "network": ABROAD, "placement": ABROAD}
IDENTITY_AT_HOME = {"identity": HOME, **ALL_BUT_IDENTITY}
CREATE = "server create my-vm --flavor m1.small --image {image} --network private --wait"
CREATE_WITHOUT_NETWORK = "server create my-vm --flavor m1.small --image {image} --wait"


@pytest.fixture(scope="module")
def person(home, abroad, tmp_path_factory):
    with everywhere(home, abroad, tmp_path_factory.mktemp(NAME)) as found:
        yield found


@pytest.fixture(scope="module")
def one(person):
    """The administrator, at cloud-1's address."""
    return person.one


@pytest.fixture(scope="module")
def two(person):
    """The same, at cloud-999's."""
    return person.two


@pytest.fixture
def asked(request):
    """The example of this test."""
    return request.function.example


@pytest.fixture(scope="module")
def images(admin_abroad, demo, home):
    """The image that only the other cloud has, and the one that only home has."""
    return {
        ABROAD: admin_abroad.json("image", "show", "cirros"),
        HOME: demo.json("image", "show", f"image-of-{home.name}"),
    }


def column(user: User, name: str, *words: str) -> set[str]:
    """One column of what the client lists."""
    return {row[name] for row in user.json(*words)}


def servers(user: User, *words: str) -> set[str]:
    """The ids in a list of servers."""
    return column(user, "ID", "server", "list", *words)


def hashed(place: Any, server: str) -> str:
    """The hash of the disk that a cloud's hypervisor was given."""
    return json.loads((place.data / "nova" / "servers" / f"{server}.json").read_text())["sha512"]


def built(user: User, server: str) -> Any:
    """A server, once it is made."""
    deadline = time.monotonic() + SECONDS
    while (found := user.json("server", "show", server))["status"] == "BUILD":
        assert time.monotonic() < deadline, found
    return found


@contextmanager
def kept(user: User, words: tuple[str, ...], *scoped: str) -> Iterator[Any]:
    """A server, deleted at the end unless a test did so."""
    made = user.json(*words)
    try:
        yield made
    finally:
        if made["id"] in servers(user, *scoped):
            user.run("server", "delete", "--wait", made["id"], *scoped)


@contextmanager
def network(user: User, name: str, *scoped: str) -> Iterator[str]:
    """A network of the user's own."""
    made = user.json("network", "create", name, *scoped)["id"]
    try:
        subnet = ("--network", made, "--subnet-range", "10.77.0.0/24", name)
        user.run("subnet", "create", *subnet, *scoped)
        yield made
    finally:
        user.run("network", "delete", made, *scoped)


# The README: lists, and the server that it is all about.


@example(
    README,
    "image list",
    promised="at each cloud its own images: the ids differ",
    here="yes",
)
def test_each_cloud_lists_its_own_images(one, two, asked):
    at_one, at_two = column(one, "ID", *asked.words()), column(two, "ID", *asked.words())
    assert at_one
    assert at_two
    assert not at_one & at_two


@example(
    README,
    CREATE_WITHOUT_NETWORK,
    {"image": ABROAD},
    promised="ACTIVE at cloud-1, from an image of cloud-999 that is given by its id and shown by its name",
    here="yes, and its user is a mere member",
)
def test_a_server_of_an_image_abroad_by_its_id(demo, home, abroad, images, asked, evidence):
    image = images[ABROAD]
    with kept(demo, asked.words(image=image["id"])) as server:
        assert server["status"] == "ACTIVE"
        assert server["image"] == f"cirros ({image['id']})"
        assert hashed(home, server["id"]) == image["properties"]["os_hash_value"]
        assert evidence.service(abroad, "glance-api", f'"GET /v2/images/{image["id"]}/file HTTP/1.1" 200')
        assert server["id"] in servers(demo)


@example(
    README,
    "server create my-vm --flavor m1.small --image {image}",
    {"compute": HOME, "image": ABROAD},
    promised="a server of cloud-1 with an image of cloud-999",
    here="yes",
)
def test_a_server_with_both_services_named(demo, home, images, asked):
    with kept(demo, asked.words(image="cirros")) as server:
        assert built(demo, server["id"])["status"] == "ACTIVE"
        assert hashed(home, server["id"]) == images[ABROAD]["properties"]["os_hash_value"]


@example(
    README,
    'endpoint list --format json -c "Service Type" -c Interface -c URL -c Region',
    promised="its own cloud's endpoints, from which the proxy's configuration is made",
    here="yes; the proxy needs no such list, only each cloud's auth URL",
)
def test_the_endpoints_as_json(one, home, asked):
    rows = json.loads(one.run(*asked.words()))
    assert all(set(row) == {"Service Type", "Interface", "URL", "Region"} for row in rows)
    assert {row["Region"] for row in rows} == {home.region}
    assert {row["URL"] for row in rows if row["Service Type"] == "image"} == {home.beside_url("image")}


@example(
    MISC,
    "image list --debug",
    {"image": ABROAD},
    promised="the output says which scope goes with the requests",
    here="yes: each request is shown with `X-Scope: image:cloud-999`",
)
def test_debugging_shows_the_scope(demo, asked, tmp_path):
    log = tmp_path / "said"
    demo.run(*asked.words(), "--log-file", str(log))
    requests = [line for line in log.read_text().splitlines() if "REQ: curl" in line]
    assert [line for line in requests if "/v2/images" in line]
    assert all('-H "X-Scope: image:cloud-999"' in line for line in requests)


@example(
    MISC,
    "image list",
    {"image": HOME, "identity": ABROAD},
    promised="cloud-1's images, for whom cloud-999 knows",
    here="yes: the public ones, to somebody whom cloud-1 does not know",
)
def test_images_of_home_for_an_identity_of_the_other_cloud(one, home, asked, evidence):
    names = column(one, "Name", *asked.words())
    assert f"image-of-{home.name}" in names
    assert "cirros" not in names
    assert evidence.service(home, "glance-api", '"GET /v2/images HTTP/1.1" 200')
    told = evidence.calls(service="image", cloud=home.name, home=ABROAD, status=200)
    assert any(call["path"].endswith("/v2/images") for call in told)


@example(
    MISC,
    "curl http://{beside}/v2.0/networks",
    promised="a request past the client is seen to come through the proxy to Neutron",
    here="yes: Neutron itself says that it wants a token",
)
def test_curl_comes_through_to_neutron(home, asked, evidence):
    beside = home.beside_url("network").removeprefix("http://")
    said = subprocess.run(
        [*asked.words(beside=beside), "-si"], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("HTTP/1.1 401 ")
    assert "The request you have made requires authentication." in said
    assert [call for call in evidence.calls(service="network", status=401) if call["cloud"] == home.name]


@example(
    MISC,
    "curl http://{beside}/v2/images -H 'X-Auth-Token: {token}!SCOPE!{scope}'",
    {"identity": HOME, "image": ABROAD},
    promised="a token with its scope behind it lists the images of the scope's cloud",
    here="yes, where the token is as Keystone made it",
)
def test_a_scope_behind_the_token(demo, home, asked, tmp_path):
    bare = demo.json("token", "issue")["id"].partition("~")[0]
    beside = home.beside_url("image").removeprefix("http://")
    # In a file, since everybody may see a process's arguments.
    header = f"X-Auth-Token: {bare}!SCOPE!{json.dumps(asked.scope)}"
    config = tmp_path / "curl"
    config.write_text("header = " + json.dumps(header) + "\n")
    said = subprocess.run(
        ["curl", f"http://{beside}/v2/images", "-s", "-K", str(config)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {image["name"] for image in json.loads(said)["images"]}
    assert "cirros" in names
    assert f"image-of-{home.name}" not in names


# The list of examples: what it calls simple collaboration.


@example(LIST, "endpoint list", promised="cloud-1's", here="yes")
def test_endpoints_without_a_scope(one, home, asked):
    assert column(one, "Region", *asked.words()) == {home.region}


@example(LIST, "endpoint list", {"identity": HOME}, promised="cloud-1's", here="yes")
def test_endpoints_of_the_cloud_where_one_is(one, home, asked):
    assert column(one, "Region", *asked.words()) == {home.region}


@example(LIST, "endpoint list", {"identity": ABROAD}, promised="cloud-999's", here="yes")
def test_endpoints_of_the_other_cloud(one, abroad, asked, evidence):
    assert column(one, "Region", *asked.words()) == {abroad.region}
    assert evidence.service(abroad, "keystone", "GET /v3/endpoints")


@example(LIST, "image list", promised="cloud-1's", here="yes")
def test_images_without_a_scope(one, home, asked):
    names = column(one, "Name", *asked.words())
    assert (f"image-of-{home.name}" in names, "cirros" in names) == (True, False)


@example(LIST, "image list", {"image": HOME}, promised="cloud-1's", here="yes")
def test_images_of_the_cloud_where_one_is(one, home, asked):
    names = column(one, "Name", *asked.words())
    assert (f"image-of-{home.name}" in names, "cirros" in names) == (True, False)


@example(LIST, "image list", {"image": ABROAD}, promised="cloud-999's", here="yes")
def test_images_of_the_other_cloud(one, home, abroad, asked, evidence):
    names = column(one, "Name", *asked.words())
    assert (f"image-of-{home.name}" in names, "cirros" in names) == (False, True)
    assert evidence.service(abroad, "glance-api", '"GET /v2/images HTTP/1.1" 200')


@pytest.fixture(scope="module")
def listed_abroad(one):
    """A network of the user's own in the other cloud."""
    with network(one, "listed", "--os-scope", json.dumps({"network": ABROAD})) as made:
        yield made


@example(LIST, "network list", promised="cloud-1's", here="yes")
def test_networks_without_a_scope(one, demo, listed_abroad, asked):
    assert networks_of_home(one, demo, asked) & {listed_abroad} == set()


@example(LIST, "network list", {"network": HOME}, promised="cloud-1's", here="yes")
def test_networks_of_the_cloud_where_one_is(one, demo, listed_abroad, asked):
    assert networks_of_home(one, demo, asked) & {listed_abroad} == set()


@example(
    EARLIER, "network list", {"image": ABROAD}, promised="cloud-1's: only images are elsewhere", here="yes"
)
def test_networks_under_a_scope_of_images(one, demo, listed_abroad, asked):
    assert networks_of_home(one, demo, asked) & {listed_abroad} == set()


def networks_of_home(user: User, demo: User, asked: Any) -> set[str]:
    """What is listed, among which is demo's."""
    listed = column(user, "ID", *asked.words())
    assert listed >= column(demo, "ID", "network", "list", "--name", "private")
    return listed


@example(
    LIST,
    "network list",
    {"network": ABROAD},
    promised="cloud-999's, all of them, to its administrator",
    here="the user's own, since an administrator of cloud-1 is a member at cloud-999",
)
def test_networks_of_the_other_cloud(one, two, listed_abroad, asked, evidence, abroad):
    assert column(one, "ID", *asked.words()) == {listed_abroad}
    assert evidence.service(abroad, "neutron-server", '"GET /v2.0/networks')
    # Its own administrator sees demo's there too.
    assert len(column(two, "ID", "network", "list")) > 1


@pytest.fixture(scope="module")
def vm(one):
    """`my-vm` of cloud-1, of an image of cloud-999."""
    asked = test_a_server_of_an_image_abroad.example
    with kept(one, asked.words(image="cirros")) as made:
        yield made


@example(
    LIST,
    CREATE,
    {"image": ABROAD},
    promised="ACTIVE at cloud-1, in cloud-1's network, from an image of cloud-999",
    here="yes",
)
def test_a_server_of_an_image_abroad(home, abroad, images, vm):
    assert vm["status"] == "ACTIVE"
    assert "private" in vm["addresses"]
    assert hashed(home, vm["id"]) == images[ABROAD]["properties"]["os_hash_value"]
    taken = f'"GET /v2/images/{images[ABROAD]["id"]}/file HTTP/1.1" 200'
    assert taken in (abroad.logs / "glance-api.log").read_text()


@example(LIST, "server list", promised="the new server", here="yes")
def test_the_new_server_is_listed_without_a_scope(one, vm, asked):
    assert vm["id"] in column(one, "ID", *asked.words())


@example(LIST, "server delete my-vm", promised="it is deleted without a scope", here="yes")
def test_the_new_server_is_deleted_without_a_scope(one, vm, asked):
    one.run(*asked.words(), "--wait")
    assert vm["id"] not in servers(one)


# What it calls identity collaboration: a server elsewhere, for an identity of home.


@example(
    EARLIER,
    CREATE_WITHOUT_NETWORK,
    ALL_BUT_IDENTITY,
    promised="a server at cloud-999, whose network is not set up as it should be, maybe for want of one",
    here="refused where its user has no network there, since Nova would have to set one up",
    refusal="compute of cloud-999 may not make this call to network with the token of another cloud's user",
)
def test_a_server_abroad_without_a_network(demo, home, asked):
    with pytest.raises(Refused, match=re.escape(asked.refusal)):
        demo.run(*asked.words(image=f"image-of-{home.name}"))


@example(
    LIST,
    CREATE,
    IDENTITY_AT_HOME,
    promised="a server at cloud-999 in anybody's network there, as administrators may",
    here="only where cloud-999 admits cloud-1's role `admin`; by default it is stripped, and the client says",
    refusal="No Network found for private",
)
def test_a_server_abroad_in_anybodys_network(one, home, abroad, asked, admin_admitted):
    words = asked.words(image=f"image-of-{home.name}")
    with pytest.raises(Refused, match=asked.refusal):
        one.run(*words)
    with admin_admitted(), kept(one, words, *asked.scoped) as made:
        assert made["status"] == "ACTIVE"
        assert (abroad.data / "nova" / "servers" / f"{made['id']}.json").exists()


@pytest.fixture
def admin_admitted(lab):
    """The other cloud's policy with one role more, for a while."""

    @contextmanager
    def for_a_while() -> Iterator[None]:
        text = lab.config.read_text()
        document = yaml.safe_load(text)
        for cloud in document["clouds"].values():
            for granted in cloud["admits"].values():
                granted["roles"] = ["admin", *granted["roles"]]
        configured(lab, yaml.safe_dump(document))
        try:
            yield
        finally:
            configured(lab, text)

    return for_a_while


def configured(lab: Any, text: str) -> None:
    """Let the proxy that runs have this configuration."""
    log = lab.shared / "proxy.log"
    before = log.read_text().count("reloaded")
    lab.config.write_text(text)
    deadline = time.monotonic() + SECONDS
    while log.read_text().count("reloaded") == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def private_abroad(one):
    """A network of the user's own in the other cloud, that is called as the examples call it."""
    with network(one, "private", "--os-scope", json.dumps({"network": ABROAD})) as made:
        yield made


@pytest.fixture(scope="module")
def vm_abroad(one, home, private_abroad):
    """`my-vm` of cloud-999, for whom cloud-1 knows."""
    asked = test_a_server_abroad.example
    with kept(one, asked.words(image=f"image-of-{home.name}"), *asked.scoped) as made:
        yield made


@example(
    LIST,
    CREATE,
    IDENTITY_AT_HOME,
    promised="a server at cloud-999, in a network there that its user made, as members have to",
    here="yes",
)
def test_a_server_abroad(home, abroad, images, vm_abroad):
    assert vm_abroad["status"] == "ACTIVE"
    (address,) = vm_abroad["addresses"]["private"]
    assert address.startswith("10.77.0.")
    assert hashed(abroad, vm_abroad["id"]) == images[HOME]["properties"]["os_hash_value"]
    assert not (home.data / "nova" / "servers" / f"{vm_abroad['id']}.json").exists()


@example(LIST, "server list", promised="nothing: the server is not at cloud-1", here="yes")
def test_home_does_not_list_the_server_abroad(one, vm_abroad, asked):
    assert vm_abroad["id"] not in column(one, "ID", *asked.words())


@example(LIST, "server list", IDENTITY_AT_HOME, promised="the server", here="yes")
def test_the_server_abroad_is_listed_under_its_scope(one, vm_abroad, asked):
    assert vm_abroad["id"] in column(one, "ID", *asked.words())


@example(EARLIER, "server list", {"compute": ABROAD, "network": ABROAD}, promised="the server", here="yes")
def test_the_server_abroad_is_listed_under_two_services(one, vm_abroad, asked):
    assert vm_abroad["id"] in column(one, "ID", *asked.words())


@example(LIST, "server list", {"compute": ABROAD}, promised="the server: compute is enough", here="yes")
def test_the_server_abroad_is_listed_under_compute_alone(one, vm_abroad, asked):
    assert vm_abroad["id"] in column(one, "ID", *asked.words())


@example(
    LIST,
    "server list",
    {"identity": HOME, "compute": ABROAD},
    promised="the server: the same scope in full",
    here="yes",
)
def test_the_server_abroad_is_listed_under_the_same_in_full(one, vm_abroad, asked):
    assert vm_abroad["id"] in column(one, "ID", *asked.words())


@example(
    LIST,
    "server list",
    {"identity": ABROAD, "compute": ABROAD},
    promised="not the server: it belongs to a project of cloud-1",
    here="yes: nothing",
)
def test_the_server_abroad_is_not_of_the_project_there(one, vm_abroad, asked, evidence, abroad):
    assert vm_abroad["id"] not in column(one, "ID", *asked.words())
    assert evidence.service(abroad, "keystone", "POST /v3/auth/tokens")


@example(
    LIST,
    "server list --all-project",
    {"identity": ABROAD, "compute": ABROAD},
    promised="the server: an administrator sees all projects'",
    here="yes",
)
def test_an_administrator_there_sees_the_server(one, vm_abroad, asked):
    assert vm_abroad["id"] in column(one, "ID", *asked.words())


@example(LIST, "server delete my-vm", IDENTITY_AT_HOME, promised="it is deleted", here="yes")
def test_the_server_abroad_is_deleted(one, vm_abroad, asked):
    one.run(*asked.words(), "--wait")
    assert vm_abroad["id"] not in servers(one, *asked.scoped)


@example(
    EARLIER,
    "server delete my-vm",
    {"compute": ABROAD, "network": ABROAD},
    promised="it is deleted under two services",
    here="yes",
)
def test_a_server_abroad_is_deleted_under_two_services(one, home, asked):
    create = ("server", "create", "my-vm", "--flavor", "m1.small", "--image", f"image-of-{home.name}")
    made = one.json(*create, "--nic", "none", "--wait", *asked.scoped)
    one.run(*asked.words(), "--wait")
    assert made["id"] not in servers(one, *asked.scoped)


# What it calls ill.


@example(
    LIST,
    CREATE,
    {"network": ABROAD},
    promised="an error: the network is not where the server is",
    here="refused before anything is made",
    refusal="The scope binds network to cloud-999, but compute to cloud-1: a server needs the network of its "
    "own cloud. Leave network out of the scope, then it follows compute.",
)
def test_a_server_in_a_network_of_another_cloud(one, home, private_abroad, asked, evidence):
    before = servers(one)
    with pytest.raises(Refused, match=re.escape(asked.refusal)):
        one.run(*asked.words(image=f"image-of-{home.name}"))
    assert servers(one) == before
    assert evidence.silent(home, "nova-api-os-compute", '"POST /v2.1/servers')


@example(
    LIST,
    CREATE,
    {"placement": ABROAD},
    promised="an error, though it worked, to its author's surprise",
    here="refused: Nova asks placement with its own account, so no scope could ever reach that call",
    refusal="The scope binds placement to cloud-999, but compute to cloud-1: a server needs the placement of "
    "its own cloud. Leave placement out of the scope, then it follows compute.",
)
def test_a_server_with_placement_of_another_cloud(one, home, asked, evidence):
    before = servers(one)
    with pytest.raises(Refused, match=re.escape(asked.refusal)):
        one.run(*asked.words(image=f"image-of-{home.name}"))
    assert servers(one) == before
    assert evidence.silent(home, "nova-api-os-compute", '"POST /v2.1/servers')


@example(
    LIST,
    "server delete my-vm",
    promised="the server that should not have been is deleted",
    here="there is none",
    refusal="No Server found for my-vm",
)
def test_no_server_is_left_of_what_is_ill(one, asked):
    with pytest.raises(Refused, match=asked.refusal):
        one.run(*asked.words())


def test_the_page_has_one_row_for_each_example():
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    assert shown == EXAMPLES.table().splitlines()

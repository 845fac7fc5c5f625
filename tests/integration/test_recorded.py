"""What the clouds saw of an operation that spans both: nothing past the proxy, nothing of its own language,
and no token that is worth anything at the other."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from oidproxy.clouds.fleet import key
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.tokens.closed import Keyring, is_closed
from oidproxy.tokens.presented import Use
from tests.integration.recordings import Seen, visited
from tests.integration.replaying import Keystone, Server, token_like

OTHER = {"cloud-1": "cloud-999", "cloud-999": "cloud-1"}
ABROAD = {
    "images": "identity:{home};image:{other}",
    "all-but-images": "identity:{home};compute:{other};network:{other};block-storage:{other};image:{home}",
}
SERVICES = {
    "glance": "image",
    "nova": "compute",
    "neutron": "network",
    "placement": "placement",
    "cinder": "block-storage",
}
CARRIERS = ("x-auth-token", "x-service-token")
BARE = re.compile(r"gAAAA[A-Za-z0-9_=-]+")
LISTS = {
    5000: "/v3/auth/projects",
    9292: "/v2/images",
    8774: "/v2.1/servers",
    9696: "/v2.0/networks",
    8776: "/v3/volumes",
}
"""What any user may read, by port."""


@dataclass(frozen=True)
class Operation:
    """An image, a volume and a server, made by a user of `home` under a scope, and what was seen of it."""

    home: str
    scope: str
    seen: list[Seen]

    @property
    def abroad(self) -> str:
        return OTHER[self.home]

    @property
    def received(self) -> list[Seen]:
        return [one for one in self.seen if one.received]

    def at(self, cloud: str) -> list[Seen]:
        return [one for one in self.seen if one.cloud == cloud]

    def closed(self) -> set[str]:
        """The closed tokens that the other cloud saw."""
        return {text for text in token_like(self.at(self.abroad)) if is_closed(text)}


@pytest.fixture(
    scope="module",
    params=[(home, what) for home in OTHER for what in ABROAD],
    ids=lambda param: f"{param[0]}-has-{param[1]}-abroad",
)
def operation(request, lab, openstack, recordings, tmp_path_factory) -> Operation:
    home, what = request.param
    scope = ABROAD[what].format(home=home, other=OTHER[home])
    file = tmp_path_factory.mktemp("operation") / "disk.bin"
    file.write_bytes(b"a disk" * 1000)
    mark = recordings.mark()
    client = openstack.given(**lab.environment(home), OIDPROXY_SCOPE=scope)
    with client.shell() as shell, made(shell, str(file)):
        seen = recordings.since(mark)
    return Operation(home, scope, seen)


@contextmanager
def made(shell, file):
    """The image; a volume with its content; a server from it, with the volume attached."""
    shell.json("image", "create", "disk", "--file", file, "--disk-format", "raw")
    shell.json("volume", "create", "--size", "1", "--image", "disk", "vol")
    until(shell, "volume", "vol", "available")
    shell.json("server", "create", "--image", "disk", "--flavor", "m1.small", "--network", "private", "host")
    until(shell, "server", "host", "ACTIVE")
    shell.done("server", "add", "volume", "host", "vol")
    until(shell, "volume", "vol", "in-use")
    yield
    shell.done("server", "remove", "volume", "host", "vol")
    until(shell, "volume", "vol", "available")
    shell.done("server", "delete", "host")
    wait_for(lambda: shell("server", "show", "host").status == 1)
    shell.done("volume", "delete", "vol")
    shell.done("image", "delete", "disk")


def until(shell, kind, name, status):
    wait_for(lambda: shell.json(kind, "show", name)["status"] == status)


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def keyring(lab) -> Keyring:
    return Keyring((key((lab.folder / "fleet.key").read_text()),))


def test_the_operation_spans_both_clouds(operation):
    clouds = visited(operation.seen)
    bound = dict(binding.split(":") for binding in operation.scope.split(";"))
    assert clouds["nova"] == {bound.get("compute", operation.home)}
    assert clouds["cinder"] == {bound.get("block-storage", operation.home)}
    assert clouds["glance"] == {bound["image"]}
    agents = {one.headers["user-agent"] for one in operation.received if one.service == "glance"}
    assert len([agent for agent in agents if "glanceclient" in agent]) >= 1, "a service read the image"
    assert operation.closed(), "the user's token went abroad"


def test_every_request_has_passed_the_proxy(operation, lab):
    ways = {one.headers.get("via") for one in operation.received}
    assert len(ways) == 1, "one proxy, and no request without it"
    assert re.fullmatch(r"1\.1 oidproxy-[0-9a-f]+", ways.pop() or "")
    beside = {place.name: f"http://{place.beside}:" for place in lab.places.clouds}
    sent = [one for one in operation.seen if not one.received]
    assert sent
    assert [one.call for one in sent if not one.line["url"].startswith(beside[one.cloud])] == []


def test_a_request_past_the_proxy_would_be_noticed(lab, recordings):
    mark = recordings.mark()
    with Keystone(lab.place("cloud-1").address) as keystone:
        keystone.ask("GET", "/v3", {})
    assert [one.headers.get("via") for one in recordings.since(mark)] == [None]


def test_no_cloud_hears_of_scopes(operation):
    scope = parse(operation.scope)
    words = {operation.scope, canonical(scope), tag(scope), "/s/x"}
    for one in operation.seen:
        assert not [name for name in one.headers if name.startswith(("x-scope", "x-oidproxy"))], one.call
        assert "/s/" not in one.call
        assert not [text for text in one.texts() if any(word in text for word in words)], one.call


def test_a_keystone_receives_bare_tokens_only(operation):
    """In both fields, and in the body of a POST."""
    asked = [one for one in operation.received if one.service == "keystone"]
    found = [one.headers[name] for one in asked for name in PRESENTED if name in one.headers]
    found += [identity["token"]["id"] for one in asked if "token" in (identity := methods(one))]
    assert len(found) >= 5
    assert [token[:20] for token in found if not BARE.fullmatch(token)] == []


PRESENTED = ("x-auth-token", "x-subject-token", "x-service-token")


def methods(one):
    document = json.loads(one.body) if one.body and one.line["method"] == "POST" else {}
    return document.get("auth", {}).get("identity", {})


def test_no_token_of_a_cloud_is_seen_by_the_other(operation, recordings):
    """Looked for as its Keystone issued it, in everything that was seen."""
    for cloud, other in OTHER.items():
        issued = recordings.issued_by(cloud)
        assert [one for one in operation.at(cloud) if shows(one, issued)], "where it may be, it is found"
        assert [one.call for one in operation.at(other) if shows(one, issued)] == []


def shows(one, tokens):
    whole = json.dumps(one.line)
    return any(token in whole for token in tokens)


def test_abroad_a_token_is_closed_for_the_cloud_and_service_that_receives_it(operation, keyring):
    carried = [
        (one.service, name, one.headers[name])
        for one in operation.at(operation.abroad)
        for name in CARRIERS
        if one.received and is_closed(one.headers.get(name, ""))
    ]
    assert {name for _, name, _ in carried} >= {"x-auth-token"}
    for service, name, token in carried:
        box = keyring.open(token)
        assert (box.home, box.cloud, box.service) == (operation.home, operation.abroad, SERVICES[service])
        assert box.use is (Use.VALIDATE if name == "x-service-token" else Use.CALL)


@pytest.mark.parametrize("cloud", OTHER)
def test_what_a_cloud_saw_is_worth_nothing_at_the_others_keystone(operation, lab, keyring, cloud):
    home = lab.place(OTHER[cloud])
    found = token_like(operation.at(cloud))
    inside = {box.token for box in map(keyring.open, filter(is_closed, found)) if box.home == home.name}
    assert inside or cloud == operation.home
    with Keystone(home.address) as keystone:
        admin = keystone.sign_in("admin", lab.password)
        every_way = keystone.accepts(admin, admin)
        assert len(every_way) == 6
        assert [keystone.accepts(token, admin) for token in inside] == [every_way] * len(inside)
        assert {text[:20]: ways for text in found if (ways := keystone.accepts(text, admin))} == {}


def test_closed_tokens_are_worth_nothing_at_the_home_and_at_its_side_of_the_proxy(operation, lab):
    place = lab.place(operation.home)
    doors = [(place.address, LISTS), (place.beside, LISTS), (lab.places.gateway, {8888: "/image/v2/images"})]
    for address, lists in doors:
        for port, path in lists.items():
            with Server(address, port) as server:
                asked = [server.ask("GET", path, {"X-Auth-Token": token}) for token in operation.closed()]
            assert {answer.status for answer in asked} == {401}, (address, port)

"""What the clouds saw of an operation that spans both: nothing past the proxy, nothing of its own language,
and abroad no token that is worth anything at home."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from oidproxy.clouds.fleet import key
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.tokens.closed import PREFIX, Keyring
from tests.integration.recordings import Seen, visited

pytestmark = [pytest.mark.xdist_group("lab"), pytest.mark.filterwarnings("ignore:::openstack")]

WAIT = {"interval": 0.1, "wait": 20}
OTHER = {"cloud-1": "cloud-999", "cloud-999": "cloud-1"}
ABROAD = {
    "image": "identity:{home};image:{other}",
    "compute": "identity:{home};compute:{other};network:{other};block-storage:{other};image:{home}",
}
"""What a user does abroad: keep the images there, or run everything there but the images."""
TOKEN = re.compile(r"[A-Za-z0-9_~.+/=!%-]{32,}")
"""Anything that could be a token, or a part of one; ids and digests are among it."""


@dataclass(frozen=True)
class Operation:
    """A server, an image and a volume, made by a user of `home` in a scope."""

    home: str
    scope: str
    seen: list[Seen]
    """All that both clouds saw of it."""
    token: str
    """The user's, as the client got it."""

    @property
    def abroad(self) -> str:
        return OTHER[self.home]

    @property
    def received(self) -> list[Seen]:
        return [one for one in self.seen if one.received]


@pytest.fixture(
    scope="module",
    params=[(home, kind) for home in OTHER for kind in ABROAD],
    ids=lambda param: f"user-of-{param[0]}-{param[1]}-abroad",
)
def operation(request, lab, openstack, recordings, tmp_path_factory) -> Operation:
    home, kind = request.param
    scope = ABROAD[kind].format(home=home, other=OTHER[home])
    client = openstack.given(**lab.environment(home), OIDPROXY_SCOPE=scope)
    file = tmp_path_factory.mktemp("operation") / "disk.bin"
    file.write_bytes(b"a disk" * 1000)
    mark = recordings.mark()
    with client.shell() as shell:
        token = shell.json("token", "issue")["id"]
        shell.json("image", "create", "disk", "--file", str(file), "--disk-format", "raw")
        shell.json("volume", "create", "--size", "1", "--image", "disk", "vol")
        until(lambda: shell.json("volume", "show", "vol")["status"] == "available")
        flavor = ("--flavor", "m1.small", "--network", "private")
        shell.json("server", "create", "--image", "disk", *flavor, "host")
        until(lambda: shell.json("server", "show", "host")["status"] == "ACTIVE")
        shell.json("server", "add", "volume", "host", "vol")
        until(lambda: shell.json("volume", "show", "vol")["status"] == "in-use")
        seen = recordings.since(mark)
        shell.done("server", "remove", "volume", "host", "vol")
        until(lambda: shell.json("volume", "show", "vol")["status"] == "available")
        shell.done("server", "delete", "--wait", "host")
        shell.done("volume", "delete", "vol")
        shell.done("image", "delete", "disk")
    return Operation(home, scope, seen, token)


def test_the_operation_really_spans_both_clouds(operation):
    clouds = visited(operation.seen)
    scope = dict(binding.split(":") for binding in operation.scope.split(";"))
    assert clouds["nova"] == {scope.get("compute", operation.home)}
    assert clouds["glance"] == {scope["image"]}
    assert clouds["cinder"] == {scope.get("block-storage", operation.home)}
    nested = {(one.cloud, one.service) for one in operation.received if not one.of_a_client}
    assert (scope["image"], "glance") in nested, "Nova and Cinder read the image with the user's token"
    assert (operation.abroad, "keystone") in nested, "the services abroad sign in at their own Keystone"
    assert closed(operation.seen, operation.abroad), "the user's token went abroad"


def test_every_request_has_passed_the_proxy(operation, lab):
    ways = {one.headers.get("via") for one in operation.received}
    assert len(ways) == 1, "one proxy, and no request without it"
    assert re.fullmatch(r"1\.1 oidproxy-[0-9a-f]+", ways.pop() or "")
    beside = {place.name: f"http://{place.beside}:" for place in lab.places.clouds}
    made = [one for one in operation.seen if not one.received]
    assert made
    assert [one.call for one in made if not one.line["url"].startswith(beside[one.cloud])] == []


def test_no_cloud_hears_of_scopes(operation):
    shown = tag(parse(operation.scope))
    for one in operation.seen:
        names = {name for name in one.headers if name.startswith(("x-scope", "x-oidproxy"))}
        assert not names, one.call
        assert "/s/" not in one.call
        assert not [text for text in one.texts() if shown in text or operation.scope in text], one.call
        assert "/s/x" not in (one.line["answer_body"] or ""), "a catalog or link with a tag, for a service"


def test_no_keystone_receives_a_sealed_or_closed_token(operation):
    found = [token for one in operation.received if one.service == "keystone" for token in presented(one)]
    assert len(found) > 10
    assert [token[:12] for token in found if not re.fullmatch(r"gAAAA[A-Za-z0-9_=-]+", token)] == []


def test_a_cloud_other_than_the_home_sees_no_token_in_any_other_form_than_closed(operation):
    bare = operation.token.partition("~")[0]
    user = json.dumps(at_home(operation, opened(lab_key(operation), ())))
    assert user
    assert [one.call for one in operation.seen if one.cloud == operation.abroad and bare in raw(one)] == []

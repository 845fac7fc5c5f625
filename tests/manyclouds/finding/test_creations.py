"""Whatever a POST created is learned from its answer, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.registry import Endpoint, Listener, Origin
from oidproxy.http.head import Length, ResponseHead
from oidproxy.manyclouds.finding.creations import READ_AT_MOST, reading_along
from oidproxy.routing.decision import Carrier, Facade, Route
from oidproxy.scope.tree import NO_SCOPE
from tests.manyclouds.finding.rig import ID, OTHER

FACADE = Facade("http", "127.0.0.1", 8888, Listener("127.0.0.1", 8888))
"""Where a client is."""


def route(service: str, rest: str) -> Route:
    endpoint = Endpoint("far", service, Origin("http", "127.0.0.1", 1))
    path = rest.encode()
    return Route(service, endpoint, path, path, "home", Carrier.HEADER, NO_SCOPE, NO_SCOPE, FACADE)


def head(status: int, *fields: tuple[bytes, bytes]) -> ResponseHead:
    index = {name.lower(): value for name, value in fields}
    return ResponseHead(status, b"", 1, fields, Length(0), True, index)


class Passing:
    """What rewrites the body as it passes."""

    learned = ("x",)

    def feed(self, data: bytes) -> bytes:
        return data.upper()

    def finish(self) -> bytes:
        return b"!"


def learned(service: str, rest: str, body: bytes, status: int = 201, *fields: tuple[bytes, bytes]) -> list:
    told: list[tuple[str, str, list[bytes]]] = []
    inner = Passing()
    made = reading_along(inner, route(service, rest), head(status, *fields), lambda *said: told.append(said))
    passed = b"".join(made.feed(body[at : at + 1000]) for at in range(0, len(body), 1000)) + made.finish()
    assert (passed, made.learned) == (body.upper() + b"!", ("x",))
    return [(cloud, service, list(items)) for cloud, service, items in told if list(items)]


def a(key: str, **more: object) -> bytes:
    return json.dumps({key: {"id": ID, "name": "x", **more}}).encode()


@pytest.mark.parametrize(
    ("service", "rest", "body", "status"),
    [
        ("block-storage", "/v3/5f2d8c1e7a9b4c3d8e6f0a1b2c3d4e5f/volumes", a("volume"), 202),
        ("network", "/v2.0/networks", a("network", subnets=[OTHER]), 201),
        ("compute", "/v2.1/servers", a("server", image={"id": OTHER}), 202),
        ("image", "/v2/images", json.dumps({"id": ID, "name": "x", "owner": OTHER}).encode(), 201),
        ("network", "/v2.0/ports", json.dumps({"ports": [{"id": ID}]}).encode(), 201),
    ],
)
def test_the_body_tells_what_was_made(service, rest, body, status):
    assert learned(service, rest, body, status) == [("far", service, [ID.encode()])]


@pytest.mark.parametrize(
    "location", [f"http://far:8774/v2.1/servers/{ID}", f"/v2/images/{ID}", f"http://far/servers/{ID}/?x=y"]
)
def test_location_tells_it_and_the_body_is_not_read(location):
    field = (b"Location", location.encode())
    assert learned("compute", "/v2.1/servers", b"{", 202, field) == [("far", "compute", [ID.encode()])]


@pytest.mark.parametrize(
    ("service", "rest", "status"),
    [
        ("compute", f"/v2.1/servers/{OTHER}/action", 202),
        ("compute", "/v2.1/os-server-external-events", 202),
        ("compute", "/v2.1/os-server-groups", 200),
        ("compute", "/v2.1/servers", 400),
        ("compute", "/v2.1/servers", 409),
        ("identity", "/v3/users", 201),
        ("object-store", "/v1/AUTH_x/c", 201),
    ],
)
def test_what_is_no_creation_is_not_read(service, rest, status):
    assert learned(service, rest, a("server"), status) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b'{"server": null}', b'{"server": {"id": 7}}', b"[" * 60_000,
     a("server", padding="x" * READ_AT_MOST)],
)  # fmt: skip
def test_what_tells_nothing_is_passed_over(body):
    assert learned("compute", "/v2.1/servers", body, 202) == []


def test_where_nobody_learns_nothing_is_read():
    assert reading_along(None, route("compute", "/v2.1/servers"), head(202), None) is None


def test_a_body_that_nobody_rewrites_passes_as_it_is():
    made = reading_along(None, route("compute", "/v2.1/servers"), head(202), lambda *_: None)
    assert (made.feed(b"{"), made.finish(), made.learned) == (b"{", b"", ())


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_whatever_a_cloud_answers_nothing_is_raised(document):
    learned("compute", "/v2.1/servers", json.dumps(document).encode(), 202)

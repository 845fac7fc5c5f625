"""A request of several clouds like one before is decided from memory, and exactly as it would be without."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.registry import Admission
from oidproxy.routing.decision import FanOut, Forward, Kind
from tests.routing.world import (
    IMAGE,
    SERVICE_TOKEN,
    ask,
    at,
    at_gateway,
    closed,
    cloud,
    head,
    registry,
    sealed,
    snapshot,
)

PATHS = (
    "/image/v2/images",
    f"/image/v2/images/{IMAGE}",
    f"/image/v2/images/{IMAGE}/file",
    "/image/v2/images?limit=3&sort=name",
    "/image/v2/schemas/images",
    "/image/v2/tasks",
    "/image/v2/",
    "/image",
    "/compute/v2.1/servers",
    f"/compute/v2.1/servers/{IMAGE}",
    f"/compute/v2.1/p/servers/{IMAGE}/os-interface",
    "/compute/v2.1/servers/detail?limit=1",
    "/compute/v2.1/extensions",
    "/compute/v2.1/limits",
    "/network/v2.0/networks/%6e",
    "/block-storage/v3/p/volumes/summary",
)
SCOPES = (
    "*",
    "image:*",
    "*:cloud-2&cloud-3",
    "image:cloud-1|cloud-3",
    "compute:any(2,*)",
    "image:cloud-2",
    "",
)
FIELDS = ({}, {"service_token": SERVICE_TOKEN}, {"x_scope_tokens": "cloud-2=theirs"}, {"accept": "a/b"})


OPEN = {"admits": {"cloud-1": Admission(frozenset({"member"}))}}


def world(**more):
    """cloud-1 is home; the others admit its users."""
    return snapshot(
        registry(cloud("cloud-1", 0), cloud("cloud-2", 1, **OPEN, **more), cloud("cloud-3", 2, **OPEN))
    )


def comparable(decision):
    """Errors are equal that say the same. What is made for each scope is made anew by an empty memory."""
    if isinstance(decision, FanOut):
        ways = decision.ways
        absent = [(one.one, type(one.error), one.error.message) for one in ways.absent]
        return replace(decision, narrowing=None, ways=None), dict(ways.places), absent, ways.direct
    error = getattr(decision, "error", None)
    return decision if error is None else (type(error), error.message)


requests = st.lists(
    st.tuples(
        st.sampled_from(["GET", "GET", "HEAD", "DELETE", "PUT", "POST"]),
        st.sampled_from(PATHS),
        st.sampled_from(SCOPES),
        st.sampled_from(
            [None, sealed(), sealed(scope="image:cloud-3"), sealed("cloud-2"), closed(scope="image:*")]
        ),
        st.sampled_from(FIELDS),
        st.sampled_from([at_gateway(), at("cloud-2", "image")]),
    ),
    max_size=12,
)


@given(requests)
def test_a_memory_of_many_requests_decides_as_an_empty_one(many):
    known = world()
    for method, path, scope, token, fields, arrival in many:
        request = head(method, path, scope=scope or None, token=token, **fields)
        fresh = ask(request, arrival, snapshot(known.registry))
        assert comparable(ask(request, arrival, known)) == comparable(fresh)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_read_is_remembered(method):
    known = world()
    for number in range(3):
        found = ask(head(method, f"/image/v2/images/{number}", scope="image:*", token=sealed()), known=known)
        assert isinstance(found, FanOut)
        assert (found.kind, found.asked.item) == (Kind.ITEM_READ, str(number).encode())
        assert found.leg(found.ones[1]).forward.route.target == f"/v2/images/{number}".encode()
    assert known.memory.routes.found == 2


def test_a_schema_between_items_goes_to_one_cloud_and_the_items_to_all():
    known = world()
    for _ in range(2):
        item = ask(head(target=f"/image/v2/images/{IMAGE}", scope="image:*", token=sealed()), known=known)
        schema = ask(head(target="/image/v2/schemas/image", scope="image:*", token=sealed()), known=known)
        assert (type(item), type(schema)) == (FanOut, Forward)


def test_what_changes_something_is_looked_at_each_time():
    known = world()
    path = f"/image/v2/images/{IMAGE}"
    for method, kind in (("GET", Kind.ITEM_READ), ("DELETE", Kind.DELETE), ("GET", Kind.ITEM_READ)):
        assert ask(head(method, path, scope="image:*", token=sealed()), known=known).kind is kind
    assert known.memory.routes.found <= 2


def test_one_with_tokens_of_the_clients_own_is_not_remembered():
    known = world(exchange=("carried",))
    for _ in range(2):
        ask(head(target="/image/v2/images", scope="image:*", token=sealed()), known=known)
    assert known.memory.routes.found == 0

"""Whether answers of several clouds show one thing."""

from __future__ import annotations

import json

import pytest

from oidproxy.manyclouds.finding.sameness import same


def shown(**what: object) -> bytes:
    return json.dumps(what).encode()


def hashed(value: str, **more: object) -> bytes:
    return shown(id="i", os_hash_algo="sha512", os_hash_value=value, **more)


@pytest.mark.parametrize(
    ("service", "bodies"),
    [
        ("image", [hashed("a", owner="x", name="n"), hashed("a", owner="y", name="m")]),
        ("compute", [shown(flavor={"ram": 1, "links": [1]}), shown(flavor={"ram": 1, "links": [2]})]),
        ("compute", [shown(keypair={"fingerprint": "f", "user_id": "a"})] * 3),
        ("network", [shown(network={"id": "n", "created_at": "1", "mtu": 1500}),
                     shown(network={"id": "n", "created_at": "2", "mtu": 1500})]),
    ],
)  # fmt: skip
def test_one_thing(service, bodies):
    assert same(service, bodies)


@pytest.mark.parametrize(
    ("service", "bodies"),
    [
        ("image", [hashed("a"), hashed("b")]),
        ("image", [hashed("a"), shown(id="i", name="queued")]),
        ("image", [hashed("a"), hashed("a").replace(b"sha512", b"md5")]),
        ("image", [shown(id="i", os_hash_value=None, name="a"), shown(id="i", os_hash_value=None, name="b")]),
        ("compute", [hashed("a", name="a"), hashed("a", name="b")]),
        ("compute", [shown(server={"name": "a"}), shown(server={"name": "b"})]),
        ("compute", [shown(server={"name": "a"}), shown(flavor={"name": "a"})]),
        ("compute", [b"{}", b"no JSON"]),
        ("compute", [b"[]", b"[]"]),
        ("compute", [b"[" * 100_000] * 2),
    ],
)
def test_several_things(service, bodies):
    assert not same(service, bodies)

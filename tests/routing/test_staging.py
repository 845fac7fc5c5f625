"""Which requests may name images, and which of their values do; everything else is left to the service."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import BadRequest
from oidproxy.routing.staging import Named, images_named, names_images

A = "0b1f4b3e-0000-4000-8000-00000000000a"
B = "0b1f4b3e-0000-4000-8000-00000000000b"
C = "0B1F4B3E-0000-4000-8000-00000000000C"
SERVERS, ACTION = b"/v2.1/servers", b"/v2.1/servers/x/action"
VOLUMES, VOLUME_ACTION = b"/v3/p/volumes", b"/v3/p/volumes/x/action"


def named(service, rest, document) -> tuple[str, ...]:
    return images_named(service, rest, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("compute", b"/v2.1/servers"),
        ("compute", b"/v2.1/servers/"),
        ("compute", b"/v2.1/%73ervers"),
        ("compute", b"/v2/p/servers"),
        ("compute", b"/v2.1/os-volumes_boot"),
        ("compute", b"/v2.1/servers/x/action"),
        ("compute", b"/v2.1/p/servers/x/action"),
        ("block-storage", b"/v3/p/volumes"),
        ("block-storage", b"/v3/volumes"),
        ("block-storage", b"/v3/p/volumes/x/action"),
    ],
)
def test_requests_that_may_name_images(service, rest):
    assert names_images(service, "POST", rest)
    assert not names_images(service, "GET", rest)


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("compute", b"/v2.1"),
        ("compute", b"/v2.1/flavors"),
        ("compute", b"/v2.1/servers/x/metadata"),
        ("compute", b"/v2.1/servers/x/os-volume_attachments"),
        ("compute", b"/v2.1/p/q/servers"),
        ("compute", b"/v3/p/volumes"),
        ("block-storage", b"/v3/p/volumes/x"),
        ("block-storage", b"/v3/p/volumes/x/metadata"),
        ("block-storage", b"/v3/p/backups"),
        ("image", b"/v2/servers"),
        ("network", b"/v2.0/servers"),
    ],
)
def test_requests_that_name_none(service, rest):
    assert not names_images(service, "POST", rest)
    assert named(service, rest, {"server": {"imageRef": A}, "volume": {"imageRef": A}}) == ()


def test_a_servers_image_and_the_images_of_its_disks():
    mappings = [
        {"source_type": "image", "uuid": B, "destination_type": "volume"},
        {"source_type": "image", "image_id": C},
        {"source_type": "volume", "uuid": "0b1f4b3e-0000-4000-8000-00000000000d"},
        {"source_type": "snapshot", "uuid": "0b1f4b3e-0000-4000-8000-00000000000d"},
        {"uuid": "0b1f4b3e-0000-4000-8000-00000000000d"},
    ]
    server = {"imageRef": A, "block_device_mapping_v2": mappings, "name": "x"}
    assert named("compute", SERVERS, {"server": server}) == (A, B, C)


def test_an_image_named_twice_is_one():
    mappings = [{"source_type": "image", "uuid": A}]
    assert named("compute", SERVERS, {"server": {"imageRef": A, "block_device_mapping_v2": mappings}}) == (A,)


@pytest.mark.parametrize(
    ("service", "rest", "document", "image"),
    [
        ("compute", ACTION, {"rebuild": {"imageRef": A}}, A),
        ("compute", ACTION, {"rescue": {"rescue_image_ref": A}}, A),
        ("block-storage", VOLUMES, {"volume": {"imageRef": A, "size": 1}}, A),
        ("block-storage", VOLUMES, {"volume": {"image_id": A, "size": 1}}, A),
        ("block-storage", VOLUMES, {"volume": {"imageRef": f"http://glance/images/{A}"}}, A),
        ("block-storage", VOLUME_ACTION, {"os-reimage": {"image_id": A}}, A),
    ],
)
def test_the_other_calls_that_name_one(service, rest, document, image):
    assert named(service, rest, document) == (image,)


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"imageRef": ""}},
        {"server": {"imageRef": None}},
        {"server": {"imageRef": 7}},
        {"server": {"imageRef": "cirros"}},
        {"server": {"imageRef": f"{A}\n"}},
        {"server": {"imageRef": f"{A}/x"}},
        {"server": {"imageRef": [A]}},
        {"server": {"metadata": {"imageRef": A}}},
        {"server": {"block_device_mapping_v2": {"source_type": "image", "uuid": A}}},
        {"server": {"block_device_mapping_v2": [[{"source_type": "image", "uuid": A}], 7, None]}},
        {"server": [{"imageRef": A}]},
        {"imageRef": A},
        {"rebuild": {"imageRef": A}},
        [{"server": {"imageRef": A}}],
        "server",
        None,
    ],
    ids=str,
)
def test_what_is_no_id_in_its_place_is_left_to_the_service(document):
    assert named("compute", SERVERS, document) == ()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 20 + b"}", b'{"server": {"imageRef": "' + A.encode()]
)
def test_what_is_no_json_is_left_to_the_service(body):
    assert images_named("compute", SERVERS, body) == ()


def test_the_last_of_two_members_counts_as_it_does_for_the_service():
    body = f'{{"server": {{"imageRef": "{A}", "imageRef": "{B}"}}}}'.encode()
    assert images_named("compute", SERVERS, body) == (B,)


def test_a_body_nested_too_deeply_is_refused():
    with pytest.raises(BadRequest):
        images_named("compute", SERVERS, b"[" * 100_000 + b"]" * 100_000)


def test_an_id_is_replaced_within_its_value():
    assert Named(f"http://glance/images/{A}", A).with_image(B) == f"http://glance/images/{B}"
    assert Named(A, A).with_image("short") == "short"

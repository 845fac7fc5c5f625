"""Which values of bodies and paths name resources, and that nothing else of them is touched."""

from __future__ import annotations

import json

import pytest

from oidproxy.manyclouds.replicating.references import (
    FLAVOR,
    IMAGE,
    NETWORK,
    PORT,
    SECURITY_GROUP,
    SERVER,
    SERVER_GROUP,
    SNAPSHOT,
    SUBNET,
    VOLUME,
    Reference,
    below,
    references,
    translated,
)

ONE = "11111111-0000-4000-8000-00000000000a"
TWO = "22222222-0000-4000-8000-00000000000a"
OTHER = "33333333-0000-4000-8000-00000000000a"


@pytest.mark.parametrize(
    ("service", "body", "named"),
    [
        ("compute", {"server": {"imageRef": ONE, "flavorRef": "7"}}, {(FLAVOR, "7"), (IMAGE, ONE)}),
        ("compute", {"server": {"imageRef": f"http://x/v2/images/{ONE}"}}, {(IMAGE, ONE)}),
        ("compute", {"server": {"networks": [{"uuid": ONE}, {"port": TWO}]}}, {(NETWORK, ONE), (PORT, TWO)}),
        ("compute", {"server": {"networks": "auto"}}, set()),
        ("compute", {"server": {"security_groups": [{"name": "web"}]}}, set()),
        ("compute", {"server": {"security_groups": [{"name": ONE}]}}, {(SECURITY_GROUP, ONE)}),
        (
            "compute",
            {
                "server": {
                    "block_device_mapping_v2": [
                        {"source_type": "volume", "uuid": ONE},
                        {"source_type": "image", "uuid": TWO},
                        {"source_type": "snapshot", "uuid": OTHER},
                        {"source_type": "blank"},
                        {"source_type": "blank", "uuid": ONE},
                    ]
                }
            },
            {(VOLUME, ONE), (IMAGE, TWO), (SNAPSHOT, OTHER)},
        ),
        ("compute", {"server": {}, "os:scheduler_hints": {"group": ONE}}, {(SERVER_GROUP, ONE)}),
        ("compute", {"os:scheduler_hints": {"same_host": ONE}}, {(SERVER, ONE)}),
        ("compute", {"os:scheduler_hints": {"different_host": [ONE, TWO]}}, {(SERVER, ONE), (SERVER, TWO)}),
        ("compute", {"server": {"metadata": {"imageRef": ONE}, "name": ONE}}, set()),
        ("compute", {"rebuild": {"imageRef": ONE}}, {(IMAGE, ONE)}),
        ("block-storage", {"volume": {"snapshot_id": ONE, "source_volid": None}}, {(SNAPSHOT, ONE)}),
        ("network", {"port": {"fixed_ips": [{"subnet_id": ONE}]}}, {(SUBNET, ONE)}),
        (
            "network",
            {"port": {"security_groups": [ONE, TWO]}},
            {(SECURITY_GROUP, ONE), (SECURITY_GROUP, TWO)},
        ),
        ("network", {"port": {"device_id": "dhcp-x"}}, set()),
        ("network", {"subnet_id": ONE}, {(SUBNET, ONE)}),
        ("network", {"router": {"external_gateway_info": None}}, set()),
        ("network", [1, 2], set()),
        ("dns", {"zone": {"id": ONE}}, set()),
        ("compute", None, set()),
    ],
)
def test_what_a_body_names(service, body, named):
    assert {(one.named, one.id) for one in references(service, body)} == named


def test_only_what_names_something_is_replaced():
    body = {
        "server": {
            "name": ONE,
            "imageRef": f"http://x/{ONE}",
            "networks": [{"uuid": TWO, "tag": TWO}],
            "metadata": {"a": ONE},
        }
    }
    ids = {Reference(IMAGE, ONE): OTHER}
    body["server"]["imageRef"] = f"http://x/{OTHER}"
    written = translated("compute", json.loads(json.dumps(body).replace(f"x/{OTHER}", f"x/{ONE}")), ids)
    assert json.loads(written) == body


def test_ids_below_an_item():
    assert below("servers", f"/os-interface/{ONE}".encode()) == (Reference(PORT, ONE),)
    assert below("servers", f"/metadata/{ONE}".encode()) == ()
    assert below("servers", b"/action") == below("servers", b"") == ()

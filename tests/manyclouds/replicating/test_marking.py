"""The mark of a resource: where each kind has it, and when what was made can be recognized."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import BadRequest, NotSupported
from oidproxy.manyclouds.replicating.kinds import KINDS, Mark, Naming, kind_of
from oidproxy.manyclouds.replicating.marking import made_id, mark_of, marked

MARK = "5f0c3c5e-3b0f-4ad4-9d0b-1f2d3c4b5a69"
FRESH = "0b1f4b3e-0000-4000-8000-00000000000a"


def of(service, name, resource):
    kind = kind_of(service, name)
    body = {kind.member: resource} if kind.member else resource
    return kind, marked(kind, json.dumps(body).encode(), MARK, FRESH)


@pytest.mark.parametrize("kind", [one for one in KINDS if one.mark is not Mark.NONE], ids=str)
def test_the_mark_that_is_put_in_is_the_one_that_is_read(kind):
    # An image bears one where its id is the user's choice.
    _, made = of(kind.service_type, kind.name, {"name": "x", **({"id": "x"} if kind.member == "" else {})})
    row = made.document[kind.member] if kind.member else made.document
    assert mark_of(kind, row) == MARK
    assert made.recognizable
    assert mark_of(kind, {"name": "x"}) == ""


def test_what_the_user_wrote_stays():
    _, made = of("compute", "servers", {"metadata": {"a": "b"}, "name": "x"})
    assert made.document["server"] == {"metadata": {"a": "b", "oidproxy_replica": MARK}, "name": "x"}
    _, made = of("network", "networks", {"description": "mine"})
    assert made.document["network"]["description"] == f"mine [oidproxy_replica {MARK}]"


def test_without_room_for_a_mark_nothing_is_cut_off_and_nothing_can_be_recognized():
    _, made = of("network", "networks", {"description": "x" * 220})
    assert made.document["network"]["description"] == "x" * 220
    assert not made.recognizable


@pytest.mark.parametrize("value", [7, ["x"]])
def test_what_is_no_place_for_a_mark_is_left_for_the_cloud_to_refuse(value):
    _, made = of("compute", "servers", {"metadata": value})
    assert (made.document["server"]["metadata"], made.recognizable) == (value, False)
    _, made = of("network", "networks", {"description": value})
    assert (made.document["network"]["description"], made.recognizable) == (value, False)


def test_ids_of_our_choice():
    _, made = of("image", "images", {"name": "x"})
    assert (made.chosen, made.recognizable, made.bears_mark) == (FRESH, True, False)
    assert made.document == {"name": "x", "id": FRESH}, "a cloud may refuse properties"
    assert of("image", "images", {"id": "mine"})[1].chosen == "mine"
    assert of("compute", "flavors", {"id": "auto"})[1].document["flavor"]["id"] == FRESH
    assert of("compute", "servers", {"id": "x"})[1].chosen == ""


def test_a_chosen_id_is_a_proof_only_where_it_is_our_own_or_beside_a_mark():
    assert of("compute", "flavors", {})[1].recognizable
    assert not of("compute", "flavors", {"id": "7"})[1].recognizable
    assert of("image", "images", {"id": "mine"})[1].recognizable, "it has the property, too"
    assert not of("compute", "os-keypairs", {"name": "k", "public_key": "x"})[1].recognizable


@pytest.mark.parametrize(
    ("service", "name", "body", "error"),
    [
        ("compute", "servers", b"{", BadRequest),
        ("compute", "servers", b"[]", BadRequest),
        ("compute", "servers", b'{"server": []}', BadRequest),
        ("compute", "servers", b"[" * 100_000, BadRequest),
        ("network", "networks", b'{"networks": [{}]}', NotSupported),
        ("compute", "servers", b'{"server": {"max_count": 3}}', NotSupported),
        ("compute", "os-keypairs", b'{"keypair": {"name": "k"}}', BadRequest),
    ],
)
def test_what_is_no_single_resource_is_refused(service, name, body, error):
    with pytest.raises(error):
        marked(kind_of(service, name), body, MARK, FRESH)


def test_the_id_in_an_answer():
    servers, images, keys = (
        kind_of("compute", "servers"),
        kind_of("image", "images"),
        kind_of("compute", "os-keypairs"),
    )
    assert made_id(servers, b'{"server": {"id": "1"}}') == "1"
    assert made_id(images, b'{"id": "2"}') == "2"
    assert made_id(keys, b'{"keypair": {"name": "k"}}') == "k"
    for nothing in (b"", b"{", b"[]", b'{"server": []}', b'{"server": {"id": 7}}', b'{"id": "1"}'):
        assert made_id(servers, nothing) == ""


def test_only_kinds_with_a_name_of_their_users_choice_are_known_by_it():
    assert [kind.name for kind in KINDS if kind.naming is Naming.USER] == ["os-keypairs"]

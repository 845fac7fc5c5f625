"""Which ids and names are told by documents."""

from __future__ import annotations

from oidproxy.trace.documents import IDS_AT_MOST, NAMES_AT_MOST, ids_in, made, names_in

ONE = "9f1c2b3a-1111-4222-8333-444455556666"
TWO = "0a1b2c3d-5555-4666-8777-888899990000"
HEX = "54fadb412c4e40cdbaed9335e4c35a9e"


def test_ids_of_both_spellings_are_found_each_once():
    assert ids_in(f'{{"imageRef":"{ONE}","networks":[{{"uuid":"{HEX}"}}],"again":"{ONE}"}}') == [ONE, HEX]


def test_a_part_of_a_longer_text_is_no_id():
    assert ids_in(f"x{HEX}y {HEX}0 req-{ONE}") == []


def test_there_are_only_so_many():
    many = " ".join(f"{number:032x}" for number in range(IDS_AT_MOST + 10))
    assert len(ids_in(many)) == IDS_AT_MOST


def test_what_was_made_is_told_by_the_answer():
    assert made({"server": {"id": ONE, "links": []}}, "", []) == [ONE]
    assert made({"ports": [{"id": ONE}, {"id": TWO}]}, "", []) == [ONE, TWO]
    assert made({"id": ONE, "name": "an image"}, "", []) == [ONE]
    assert made({"keypair": {"name": "mine", "public_key": "ssh-rsa"}}, "", []) == ["mine"]
    assert made({"image_id": ONE}, "", []) == [ONE]


def test_a_location_tells_it_too():
    assert made(None, f"http://x/v2/images/{ONE}", []) == [ONE]
    assert made({"id": ONE}, f"/v2/images/{ONE}?x=1", []) == [ONE]


def test_what_was_used_was_not_made():
    assert made({"volumeAttachment": {"id": ONE, "volumeId": ONE}}, "", [ONE]) == []


def test_a_token_is_nothing_that_was_made():
    assert made({"token": {"id": "gAAAA", "user": {"id": HEX}}}, "", []) == []


def test_odd_documents_make_nothing():
    for document in (None, [], "text", 3, {"server": None}, {"server": {"id": 5}}, {"server": {"id": ""}}):
        assert made(document, "", []) == []


def test_names_of_rows_and_of_single_things_are_told():
    assert names_in({"images": [{"id": ONE, "name": "cirros"}, {"id": TWO, "name": None}]}) == {ONE: "cirros"}
    assert names_in({"id": ONE, "name": "one"}) == {ONE: "one"}
    assert names_in({"server": {"id": TWO, "name": "two"}}) == {TWO: "two"}
    assert names_in(None) == names_in([]) == {}


def test_only_the_first_rows_are_told():
    rows = [{"id": str(number), "name": "x"} for number in range(NAMES_AT_MOST + 5)]
    assert len(names_in({"rows": rows})) == NAMES_AT_MOST

"""Ids of images in bodies: replaced where they are meant, and not one other byte touched, in any document."""

from __future__ import annotations

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.rewrite.images import replaced, shown_in
from oidproxy.routing.staging import images_named

A = "0b1f4b3e-0000-4000-8000-00000000000a"
B = "0b1f4b3e-0000-4000-8000-00000000000b"
NEW_A = "11111111-1111-4111-8111-11111111111a"
NEW_B = "11111111-1111-4111-8111-11111111111b"
IDS = {A: NEW_A, B: NEW_B}
SERVERS = b"/v2.1/servers"

MARKED = "00000000-0000-4000-8000-000000000000"
"""What the ids begin with by which places are told apart."""

TEXTS = st.sampled_from([A, B, f"{A} ", f'"{A}"', f"\\{A}", "image", "", "é", MARKED, "\n"])
KEYS = st.sampled_from(
    ["imageRef", "uuid", "source_type", "server", "block_device_mapping_v2", "image_id", A, 'a"', ""]
)
DECOYS = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
OTHER_KEYS = st.sampled_from(["name", "metadata", "user_data", "networks", "x"])


@st.composite
def servers(draw):
    """A body, and the same with the ids replaced that are to be."""
    before, after = draw(DECOYS), draw(DECOYS)
    others = draw(st.dictionaries(OTHER_KEYS, DECOYS, max_size=3))
    image = draw(st.sampled_from([A, B]))
    mappings = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "source_type": st.sampled_from(["image", "volume", "blank"]),
                    "uuid": st.sampled_from([A, B, "no id"]),
                    "tag": DECOYS,
                }
            ),
            max_size=3,
        )
    )

    def document(new):
        mapped = [
            one | ({"uuid": new(one["uuid"])} if one["source_type"] == "image" else {}) for one in mappings
        ]
        server = {**others, "imageRef": new(image), "block_device_mapping_v2": mapped}
        return {"imageRef": before, "server": server, "os:scheduler_hints": after}

    return document(lambda text: text), document(lambda text: IDS.get(text, text))


FORMS = [
    {"ensure_ascii": True},
    {"ensure_ascii": False, "indent": 1},
    {"separators": (" ,\t", " :\n")},
]


@given(servers(), st.sampled_from(FORMS))
def test_exactly_the_named_ids_change_and_no_other_byte(documents, form):
    given_document, wanted = documents
    body = json.dumps(given_document, **form).encode()
    assert replaced("compute", SERVERS, body, IDS) == json.dumps(wanted, **form).encode()


@given(servers(), st.sampled_from(FORMS))
def test_without_ids_to_replace_the_body_is_the_same_object(documents, form):
    body = json.dumps(documents[0], **form).encode()
    assert replaced("compute", SERVERS, body, {}) is body
    assert replaced("compute", SERVERS, body, {A: A, B: B}) is body


@given(DECOYS, st.sampled_from(["/v2.1/flavors", "/v2.1/servers/x/metadata", "/v2.1/servers/x/action"]))
def test_bodies_that_name_none_are_never_touched(document, rest):
    body = json.dumps({"server": document, "imageRef": A}).encode()
    assert replaced("compute", rest.encode(), body, IDS) is body


@given(st.binary(max_size=60))
def test_what_is_no_json_is_never_touched(body):
    assert replaced("compute", SERVERS, body, IDS) is body


def test_an_id_spelled_with_escapes_is_found_and_its_neighbours_stay():
    escaped = "".join(f"\\u{ord(character):04x}" for character in A)
    body = f'{{"server": {{"imageRef" :\t"{escaped}", "name": "{escaped}", "x": 1.50}} }}'
    done = replaced("compute", SERVERS, body.encode(), IDS)
    assert done.decode() == body.replace(f'"{escaped}"', f'"{NEW_A}"', 1)


def test_a_key_spelled_with_escapes_is_found():
    body = '{"ser\\u0076er": {"image\\u0052ef": "%s"}}'
    assert replaced("compute", SERVERS, (body % A).encode(), IDS).decode() == body % NEW_A


def test_of_two_members_of_one_name_the_one_that_counts_is_replaced():
    body = '{"server": {"imageRef": "%s", "imageRef": "%s"}}'
    assert replaced("compute", SERVERS, (body % (A, A)).encode(), IDS).decode() == body % (A, NEW_A)


def test_two_images_that_trade_places():
    body = json.dumps(
        {"server": {"imageRef": A, "block_device_mapping_v2": [{"source_type": "image", "uuid": B}]}}
    )
    done = replaced("compute", SERVERS, body.encode(), {A: B, B: A}).decode()
    assert done == body.replace(A, "*").replace(B, A).replace("*", B)


@pytest.mark.parametrize(
    ("service", "rest", "body"),
    [
        ("compute", b"/v2.1/servers/x/action", '{"rebuild": {"imageRef": "%s"}}'),
        ("compute", b"/v2.1/servers/x/action", '{"rescue": {"rescue_image_ref": "%s"}}'),
        ("block-storage", b"/v3/p/volumes", '{"volume": {"size": 1, "imageRef": "%s"}}'),
        ("block-storage", b"/v3/p/volumes", '{"volume": {"image_id": "%s"}}'),
        ("block-storage", b"/v3/p/volumes", '{"volume": {"imageRef": "http:\\/\\/g/images/%s"}}'),
        ("block-storage", b"/v3/p/volumes/x/action", '{"os-reimage": {"image_id": "%s"}}'),
    ],
)
def test_every_call_that_names_an_image(service, rest, body):
    done = replaced(service, rest, (body % A).encode(), IDS)
    assert json.loads(done) == json.loads(body % NEW_A)
    assert images_named(service, rest, done) == (NEW_A,)


def test_a_large_body_takes_no_long_time():
    strings = json.dumps([A] * 20_000 + ["x"] * 50_000)
    body = f'{{"server": {{"imageRef": "{A}", "x": {strings}}}}}'.encode()
    began = process_time()
    done = replaced("compute", SERVERS, body, IDS)
    assert process_time() - began < 1.0
    assert done.count(NEW_A.encode()) == 1


@pytest.mark.parametrize(
    ("service", "rest", "path"),
    [
        ("compute", b"/v2.1/servers", "servers/image/id"),
        ("compute", b"/v2.1/servers/detail", "servers/image/id"),
        ("compute", b"/v2.1/p/servers/x", "server/image/id"),
        ("compute", b"/v2.1/servers/x/action", "server/image/id"),
        ("block-storage", b"/v3/p/volumes/detail", "volumes/volume_image_metadata/image_id"),
        ("block-storage", b"/v3/volumes/x", "volume/volume_image_metadata/image_id"),
        ("block-storage", b"/v3/p/volumes/x/action", "metadata/image_id"),
    ],
)
def test_answers_that_show_images(service, rest, path):
    shown = shown_in(service, rest)
    assert shown is not None
    assert path in shown.ids


@pytest.mark.parametrize(
    ("service", "rest"),
    [("compute", b"/v2.1/flavors/detail"), ("image", b"/v2/images"), ("block-storage", b"/v3/p/backups")],
)
def test_answers_that_show_none(service, rest):
    assert shown_in(service, rest) is None

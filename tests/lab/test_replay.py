"""Everything that the services of cloud-999 received, sent back or were answered is worth nothing at cloud-1.

The promise of docs/security.md, on real services: read along on the wire during a workload that touches all
of them, then presented at cloud-1 whole, in parts and decoded, while the tokens inside are alive.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass

import pytest

from devstack.lab.layout import GATEWAY_PORT, PORTS
from oidproxy.clouds.fleet import key
from oidproxy.tokens.closed import Keyring, is_closed
from oidproxy.tokens.presented import Box, Use
from tests.lab.trust_cache import forget
from tests.lab.trust_calls import LISTS, SERVICES, TOKENS, Lines, bare
from tests.lab.trust_heard import Got, Heard
from tests.lab.trust_replay import FIELD, LONG, Replay, by_token, cuts, decoded, parts, token_like
from tests.lab.trust_workload import IMAGE, everything
from tests.lab.wiretap import Stream, Wiretap

FERNET = re.compile(r"gAAAA[A-Za-z0-9_=-]{60,}")
SECONDS = 300.0
"""More than any test here takes."""

SAME_PROJECT = {"project": {"name": "demo", "domain": {"name": "Default"}}}
TYPES = {port: service for service, port in PORTS.items()}


@dataclass(frozen=True)
class Seen:
    """What was said to and by the services of the other cloud, and, as a control, to those of home."""

    abroad: list[Stream]
    home: list[Stream]
    sealed: str
    """The user's token, as the client has it."""


@pytest.fixture(scope="module")
def lines():
    with Lines() as opened:
        yield opened


@pytest.fixture(scope="module")
def keyring(lab):
    return Keyring((key((lab.state / "fleet.key").read_text()),))


@pytest.fixture(scope="module")
def seen(lab, home, abroad, lines):
    sealed = lines.token(home, "demo")
    with Wiretap(abroad.address, abroad.beside) as there, Wiretap(home.address, home.beside) as here:
        everything(lines, home, sealed)
        there.settle()
    return Seen(there.streams(), here.streams(), sealed)


@pytest.fixture(scope="module")
def words(seen):
    """Whatever could be a token, as it was seen."""
    return token_like(seen.abroad)


@pytest.fixture(scope="module")
def boxes(words, keyring):
    """Each closed token that a service of the other cloud got, with what is in it."""
    return {text: keyring.open(text) for text in sorted(words) if is_closed(text)}


@pytest.fixture(scope="module")
def own(lines, abroad, words):
    """Those words that the other cloud's own Keystone takes: tokens that it issued to its own services."""
    admin = lines.token(abroad, "admin", direct=True)
    there = Replay(lines, abroad.address, [admin])
    return {word for word in words if FERNET.match(word) and there.asked_by_others(bare(word))}


@pytest.fixture(scope="module")
def inside(boxes):
    """Every token of home that was inside, its user's and its services' that came along, and its end."""
    return {box.token: box.expires for box in boxes.values()}


@pytest.fixture
def alive(seen, inside):
    """Those that live on for a while. The user's was made for this; a service's may be older."""
    found = {token for token, expires in inside.items() if expires > time.time() + SECONDS}
    assert bare(seen.sealed) in found
    return found


@pytest.fixture(scope="module")
def at_home(lab, lines, home, abroad):
    """Home past the proxy; asked also by a service of home, and by one of the other cloud."""
    askers = [lines.token(place, "nova", direct=True) for place in (home, abroad)]
    return Replay(lines, home.address, askers, lambda token: forget(lab, token))


@pytest.fixture(scope="module")
def mine(lines, home, seen):
    """The path of an image that only the user's project may see, at home."""
    fields = {"X-Auth-Token": bare(seen.sealed)}
    body = {"name": "replayed", "visibility": "private", **IMAGE}
    made = lines.send(home.address, "image", "POST", "/v2/images", fields, body)
    path = f"/v2/images/{made.json['id']}"
    yield path
    assert lines.send(home.address, "image", "DELETE", path, fields).status == 204


@pytest.fixture(autouse=True)
def _while_the_tokens_inside_are_alive(at_home, alive):
    """Also when a test is over."""
    yield
    assert [token for token in alive if not at_home.is_alive(token)] == []


def test_the_tokens_inside_are_alive(at_home, alive):
    """In all the ways in which a token may ask about itself."""
    every = ["GET", "HEAD", "expired", "its projects", "method token"]
    assert {token: at_home.at_keystone(token) for token in alive} == dict.fromkeys(alive, every)


# What was seen: without this nothing below says anything.


def carried(seen: Seen, place) -> list[tuple[str, str, str]]:
    """(service of the other cloud that received it, field, token) of all requests to its services."""
    return [
        (TYPES[stream.target[1]], name.decode().lower(), value.decode())
        for stream in seen.abroad
        if stream.target[0] == place.address and stream.target[1] in TYPES
        for name, value in FIELD.findall(stream.data)
    ]


def test_nothing_was_missed_and_nothing_was_unreadable(seen):
    assert [stream.missing for stream in seen.abroad if stream.missing] == []
    assert not [stream for stream in seen.abroad if b"content-encoding:" in stream.data.lower()]


def test_every_service_of_the_other_cloud_got_closed_tokens_of_its_own(seen, abroad, boxes, own):
    found = {
        (service, name, boxes[token].use)
        for service, name, token in carried(seen, abroad)
        if is_closed(token) and boxes[token].service == service
    }
    assert found >= {(service, "x-auth-token", Use.CALL) for service in LISTS}
    assert found >= {(service, "x-service-token", Use.VALIDATE) for service in ("image", "block-storage")}
    # ... and nothing else of home: what is no box was issued by their own Keystone.
    others = {token for _, _, token in carried(seen, abroad) if not is_closed(token)}
    assert others
    assert others <= own


def test_they_asked_about_them_and_were_answered(seen, abroad):
    asked = [stream for stream in seen.abroad if stream.target == (abroad.beside, PORTS["identity"])]
    told = [stream for stream in seen.abroad if stream.source == (abroad.beside, PORTS["identity"])]
    for streams in (asked, told):
        fields = [field for stream in streams for field in FIELD.findall(stream.data)]
        assert [
            value
            for name, value in fields
            if name.lower() == b"x-subject-token" and is_closed(value.decode())
        ]
    assert any(
        b'"is_admin_project": false' in stream.data or b'"is_admin_project":false' in stream.data
        for stream in told
    )


# What was seen, looked at.


def test_no_token_of_home_is_in_it_however_it_is_written(seen, inside):
    """Neither as Keystone issued it nor its bytes, nor in base64 or hex of those; no half of it either."""
    issued = {word for word in token_like(seen.home) if FERNET.fullmatch(word)} | inside.keys()
    assert issued > inside.keys(), "home's services have tokens of their own"
    here, there = (haystack(streams) for streams in (seen.home, seen.abroad))
    assert [token for token in inside if shows(here, token)], "where they may be, they are found"
    assert [token[:20] for token in issued if shows(there, token)] == []


def haystack(streams: list[Stream]) -> list[bytes]:
    plain = [text for stream in streams for text in stream.texts]
    return [*plain, *(data for word in token_like(streams) for data in decoded(word))]


def shows(texts: list[bytes], token: str) -> bool:
    """Whether a middle part of the token, which no other has, is there in any spelling."""
    part = token[len(token) // 4 // 4 * 4 :][:44].encode()
    raw = base64.urlsafe_b64decode(part)
    spelled = {part, raw, raw.hex().encode(), part.hex().encode(), part[::-1]}
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + part)[4:-4]
        spelled |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return any(spelling in text for spelling in spelled for text in texts)


# At home, past the proxy.


def test_homes_keystone_takes_none_of_it_for_a_token(at_home, words):
    assert len(words) > 100
    assert {word: ways for word in words if (ways := at_home.at_keystone(word))} == {}


def test_homes_keystone_takes_no_part_of_it_for_a_token(at_home, words):
    pieces = {part for word in words for part in parts(word)} - words
    assert pieces
    assert {piece: ways for piece in pieces if (ways := at_home.at_keystone(piece))} == {}


@pytest.mark.parametrize("use", list(Use))
def test_homes_keystone_takes_no_cut_of_a_box_for_a_token(at_home, boxes, use):
    box = next(text for text, box in boxes.items() if box.use is use)
    assert {cut: ways for cut in cuts(box) if (ways := at_home.at_keystone(cut))} == {}


@pytest.fixture(scope="module")
def pieces(words):
    """What is longer than ids are, whole and in parts."""
    return {piece for word in words for piece in (word, *parts(word)) if len(piece) >= LONG}


def test_homes_keystone_tells_no_service_of_either_cloud_who_it_is(at_home, seen, pieces):
    ways = at_home.asked_by_others(bare(seen.sealed))
    assert ways == ["asked by 0, GET ?allow_expired=1", "asked by 0, HEAD "]
    assert {piece: ways for piece in pieces if (ways := at_home.asked_by_others(piece))} == {}


def test_homes_services_do_nothing_for_it(at_home, seen, pieces):
    assert at_home.at_services(bare(seen.sealed)) == list(LISTS)
    assert {piece: done for piece in pieces if (done := at_home.at_services(piece))} == {}


# Through the proxy.


def doors(lab, home, abroad) -> dict[str, str]:
    return {
        "gateway": f"{lab.gateway}:{GATEWAY_PORT}",
        "beside home": home.beside,
        "beside the other cloud": abroad.beside,
    }


def succeeded(heard: Heard) -> list[Got]:
    """What home's Glance did of what was tried here."""
    return [got for got in heard.requests("image") if got.target == LISTS["image"] and got.status < 400]


@pytest.mark.parametrize("door", ["gateway", "beside home"])
def test_no_other_address_of_the_proxy_takes_a_box(lab, home, abroad, lines, boxes, door):
    host = doors(lab, home, abroad)[door]
    heard = Heard(lines, home)
    for text in boxes:
        fields = {"X-Auth-Token": text}
        for service, path in LISTS.items():
            assert lines.send(host, service, "GET", path, fields).status == 401
        for method in ("GET", "HEAD", "DELETE"):
            subject = {**fields, "X-Subject-Token": text}
            assert lines.send(host, "identity", method, TOKENS, subject).status == 401
        body = by_token(text, SAME_PROJECT)
        assert lines.send(host, "identity", "POST", TOKENS, fields, body).status == 401
        assert lines.send(host, "identity", "POST", TOKENS, {}, body).status == 401
    assert not [got for service in LISTS for got in heard.requests(service) if got.target in LISTS.values()]


@pytest.mark.parametrize("door", ["gateway", "beside home", "beside the other cloud"])
def test_what_is_no_box_does_nothing_at_home(lab, home, abroad, lines, boxes, own, pieces, door):
    """The other cloud's own tokens do there what they may; nothing of it reaches home."""
    host = doors(lab, home, abroad)[door]
    heard = Heard(lines, home)
    done = {
        piece
        for piece in pieces - boxes.keys()
        if lines.send(host, "image", "GET", LISTS["image"], {"X-Auth-Token": piece}).status < 400
    }
    assert {bare(piece) for piece in done} <= {bare(token) for token in own}
    assert succeeded(heard) == []


def test_the_other_clouds_own_tokens_are_guests_at_home_who_see_nothing_of_the_user(
    lab, home, abroad, lines, own, mine, seen
):
    fields = {"X-Auth-Token": seen.sealed, "X-Scope": "image:cloud-1"}
    assert lines.send(home.beside, "image", "GET", mine, fields).status == 200
    for host in doors(lab, home, abroad).values():
        for token in own:
            fields = {"X-Auth-Token": token, "X-Scope": "image:cloud-1"}
            assert lines.send(host, "image", "GET", mine, fields).status in (401, 403, 404)


# What is left: beside the cloud that a box was made for, the calls of the service that it was made for.

OK, HIDDEN, REFUSED, UNKNOWN = 200, 404, 403, 401
CALLS = {
    "an image": ("image", "{mine}"),
    "images": ("image", "/v2/images"),
    "networks": ("network", "/v2.0/networks"),
    "ports": ("network", "/v2.0/ports"),
    "servers": ("compute", "/v2.1/servers"),
    "flavors": ("compute", "/v2.1/flavors"),
    "volumes": ("block-storage", "/v3/volumes"),
    "projects": ("identity", "/v3/auth/projects"),
    "providers": ("placement", "/resource_providers"),
}
NOTHING = dict.fromkeys(CALLS, REFUSED)
MAY = {
    "compute": {**NOTHING, "an image": OK, "images": OK, "networks": OK, "ports": OK},
    "block-storage": {**NOTHING, "an image": OK},
    "image": NOTHING,
    "network": NOTHING,
}
IMAGES_ABROAD = {
    "compute:cloud-999;identity:cloud-1": False,
    "block-storage:cloud-999;identity:cloud-1": False,
    "identity:cloud-1;image:cloud-999": True,
    "block-storage:cloud-999;compute:cloud-999;identity:cloud-1;image:cloud-999": True,
}
"""Scope -> whether the image service is the other cloud's, which does not have the user's image."""


def may(box: Box) -> dict[str, int]:
    if box.use is Use.VALIDATE:
        return dict.fromkeys(CALLS, UNKNOWN)
    allowed = MAY[box.service]
    hidden = IMAGES_ABROAD[box.scope] and allowed["an image"] == OK
    return {**allowed, "an image": HIDDEN} if hidden else allowed


def test_beside_its_own_cloud_a_box_makes_the_calls_of_its_service_and_no_other(abroad, lines, boxes, mine):
    for text, box in boxes.items():
        made = {
            call: lines.send(
                abroad.beside, service, "GET", path.format(mine=mine), {"X-Auth-Token": text}
            ).status
            for call, (service, path) in CALLS.items()
        }
        assert made == may(box), box


def test_no_box_is_a_service_token(home, abroad, lines, boxes, mine):
    user = next(text for text, box in boxes.items() if may(box)["an image"] == OK)
    heard = Heard(lines, home)
    for text in boxes:
        fields = {"X-Auth-Token": user, "X-Service-Token": text}
        assert lines.send(abroad.beside, "image", "GET", mine, fields).status == 401
    assert not [got for got in heard.requests("image") if got.target == mine]


def test_beside_its_own_cloud_a_users_box_is_renewed_and_what_comes_is_worth_no_more(
    abroad, lines, boxes, keyring, at_home
):
    for text, box in boxes.items():
        fields, body = {"X-Auth-Token": text}, by_token(text, SAME_PROJECT)
        answer = lines.send(abroad.beside, "identity", "POST", TOKENS, fields, body)
        if box.use is Use.VALIDATE:
            assert (answer.status, answer.refused) == (401, "token")
            continue
        assert answer.status == 201
        renewed = keyring.open(answer.token)
        assert (renewed.service, renewed.cloud, renewed.scope) == (box.service, box.cloud, box.scope)
        assert renewed.token != box.token
        assert len(at_home.at_keystone(renewed.token)) == 5
        assert at_home.at_keystone(answer.token) == at_home.asked_by_others(answer.token) == []
        assert at_home.at_services(answer.token) == []
        assert renewed.token not in answer.body.decode()


# That all this can fail.


@pytest.fixture
def leaked(lines, home):
    token = lines.token(home, "demo", direct=True)
    yield token
    fields = {"X-Auth-Token": token, "X-Subject-Token": token}
    assert lines.send(home.address, "identity", "DELETE", TOKENS, fields).status == 204


@pytest.mark.parametrize(
    "leak",
    [
        lambda token: ({"X-Auth-Token": token}, None),
        lambda token: ({"Cookie": f"session={token}"}, None),
        lambda token: ({}, {"told": {"id": token}}),
        lambda token: ({"X-Mine": f"oid1~{token}"}, None),
        lambda token: ({"X-Mine": f"oid1~{base64.urlsafe_b64encode(token.encode()).decode()}"}, None),
    ],
    ids=["field", "cookie", "body", "prefixed", "encoded"],
)
def test_a_token_that_was_leaked_would_be_found_and_accepted(abroad, lines, at_home, leaked, leak):
    fields, body = leak(leaked)
    with Wiretap(abroad.address, abroad.beside) as tap:
        lines.send(abroad.address, "image", "POST", "/v2/images", fields, body or {})
        tap.settle()
    found = {part for word in token_like(tap.streams()) for part in (word, *parts(word))}
    assert [piece for piece in found if at_home.at_keystone(piece)] == [leaked]
    assert at_home.asked_by_others(leaked)
    assert at_home.at_services(leaked) == list(LISTS)
    assert shows(haystack(tap.streams()), leaked)


def test_all_services_of_the_other_cloud_had_tokens_of_their_own(lines, abroad, own):
    """Those that take part: they are the words above that are good somewhere."""
    admin = lines.token(abroad, "admin", direct=True)
    names = set()
    for token in own:
        fields = {"X-Auth-Token": admin, "X-Subject-Token": bare(token)}
        # Some of them may have ended since: the lab can be older than its tokens live.
        path = f"{TOKENS}?allow_expired=1"
        told = lines.send(abroad.address, "identity", "GET", path, fields).json["token"]
        names.add(told["user"]["name"])
    assert names == set(SERVICES)

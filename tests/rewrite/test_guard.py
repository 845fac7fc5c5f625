"""No link or redirect of a foreign cloud takes a client, and its token, past the proxy."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidproxy.errors import BadAnswer
from oidproxy.http.head import Chunked
from oidproxy.rewrite.answer import answer
from oidproxy.rewrite.guard import LOOKED_AT, GuardedLinks
from oidproxy.rewrite.links import Links
from oidproxy.rewrite.rules import RuleSet
from oidproxy.rewrite.scanner import Scanner
from oidproxy.rewrite.table import keys_for, may_rewrite
from oidproxy.rewrite.versions import VersionScanner
from tests.rewrite.world import answered, beside_facade, endpoint, gateway, route, two_clouds

IMAGES = endpoint("cloud-2", "image", "127.0.1.2", root="/image")
GATEWAY = gateway(tag="x41")
BESIDE = beside_facade(1)
OURS = {"127.0.0.1:8888", f"{BESIDE.host}:9292", f"{BESIDE.host}:{BESIDE.port}"}
NEXT = RuleSet.of("next", "links/*", "links/href")


def guarded(facade=GATEWAY, to=IMAGES):
    return GuardedLinks(Links.of(two_clouds(), "cloud-2", facade), to)


def followed(url: str, facade) -> str:
    """Where Python's clients would go: requests strips blanks, urlsplit takes control characters out."""
    return urlsplit(urljoin(f"{facade.base('image')}/v2/images", url.lstrip())).netloc


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"http://127.0.1.2:9292/v2/images?marker=1", b"/v2/images?marker=1"),
        (b"http://evil.example/v2/images?marker=1", b"/v2/images?marker=1"),
        (b"https://public.cloud-2.example/image/v2/images", b"/v2/images"),
        (b"https://public.cloud-2.example/image", b""),
        (b"https://public.cloud-2.example/images", b"/images"),
        (b"HTTP://EVIL:81", b""),
        (b"http://[::1]:9292?x", b"?x"),
        (b"http://127.0.1.2:9292@evil/", b"/http://127.0.1.2:9292@evil/"),
        (b'http://evil"@evil/', b'/http://evil"@evil/'),
        (b"//evil/v2", b"///evil/v2"),
        (b"/\\evil/v2", b"//\\evil/v2"),
        (b"/\t/evil", b"//\t/evil"),
        (b" http://evil/", b"/ http://evil/"),
        (b"ht\ttp://evil/", b"/ht\ttp://evil/"),
        (b"javascript:x", b"/javascript:x"),
        (b"http://evil.\xff/", b"/http://evil.\xff/"),
        (b"\0http://evil/", b"/\0http://evil/"),
    ],
)
def test_what_leads_elsewhere_leads_to_the_service_itself(url, expected):
    assert guarded().rewrite(url) == GATEWAY.base("image").encode() + expected


@pytest.mark.parametrize(
    "url", [b"/v2/images?marker=1", b"/", b"", b"?marker=1", b"#x", b"v2/", b"next", b"a/b:c", b"..", b"%41"]
)
def test_what_stays_where_it_is_is_left_alone(url):
    assert guarded().rewrite(url) == url


PIECES = [
    "http://",
    "https:",
    "//",
    "/",
    "\\",
    "evil",
    ".",
    "@",
    ":",
    "\t",
    "\n",
    " ",
    '"',
    "?",
    "#",
    "%2f",
    "[",
    "]",
]
hostile = st.lists(st.sampled_from([*PIECES, "é", "\0", "127.0.1.2:9292", "127.0.2.1:9292"]), max_size=8).map(
    "".join
)


@given(hostile, st.sampled_from([GATEWAY, BESIDE]), st.lists(st.integers(0, 80), max_size=3), st.booleans())
@example('http://evil"@evil/', BESIDE, [], True)
@example('http://127.0.1.2:9292"@evil/', BESIDE, [], True)
@example("http://" + "a" * LOOKED_AT + ".evil/", BESIDE, [], True)
@example("http://" + "\t" * LOOKED_AT + "evil/", BESIDE, [], False)
@example("//evil", GATEWAY, [9, 10, 11], False)
def test_no_link_leads_past_the_proxy_however_it_is_written_and_split(url, facade, cuts, plain):
    document = json.dumps({"next": url, "links": [{"href": url}]}, ensure_ascii=not plain).encode()
    document = document.replace(b"/", b"\\/") if len(cuts) % 2 else document
    scanner = Scanner(guarded(facade), NEXT)
    places = sorted({0, len(document), *(cut for cut in cuts if cut < len(document))})
    pieces = [scanner.feed(document[a:b]) for a, b in pairwise(places)]
    read = json.loads(b"".join(pieces) + scanner.finish())
    for link in (read["next"], read["links"][0]["href"]):
        with suppress(ValueError):  # no client can read it either
            assert followed(link, facade) in OURS


@given(hostile, st.sampled_from([GATEWAY, BESIDE]))
def test_no_location_leads_past_the_proxy(url, facade):
    value = url.strip().encode("utf-8")
    found = guarded(facade).location(value, IMAGES).decode()
    with suppress(ValueError):
        assert followed(found, facade) in OURS


@pytest.mark.parametrize(
    "value",
    [
        b"http://evil/next; rel=next",
        b"http://evil/next>; rel=next",
        b' "<http://evil/next>; rel=next',
        b"<http://evil/a>; rel=x, http://evil/next>; rel=next",
        b"<http://evil/a>; rel=x, <http://evil/next; rel=next",
    ],
)
def test_a_link_field_that_readers_may_read_differently_says_nothing(value):
    assert guarded().link_field(value) == b""


def test_a_link_field_leads_to_the_service_itself():
    base = GATEWAY.base("image").encode()
    value = b'<http://evil/v2/images>; rel="next", </v2/images>; rel="first"'
    assert guarded().link_field(value) == b"<" + base + b'/v2/images>; rel="next", </v2/images>; rel="first"'


# Where it is looked at.

ABROAD = replace(route("image", b"/v2/images", to=IMAGES), home="cloud-1")
AT_HOME = replace(ABROAD, home="cloud-2")
LINKS = Links.of(two_clouds(), "cloud-2", GATEWAY)


def test_a_redirect_of_a_foreign_cloud_does_not_lead_away():
    head = answered(b"Location: http://evil/v2/images", status=b"302 Found")
    found = dict(answer(head, ABROAD, "GET", LINKS).fields)
    assert found[b"Location"] == GATEWAY.base("image").encode() + b"/v2/images"
    # At home it is the home's own affair: it holds the token already.
    assert dict(answer(head, AT_HOME, "GET", LINKS).fields)[b"Location"] == b"http://evil/v2/images"


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain", b"application/octet-stream", b""])
@pytest.mark.parametrize(
    "status", [b"200 OK", b"206 Partial Content", b"300 Multiple Choices", b"404 Not Found"]
)
def test_its_lists_are_looked_at_whatever_they_are_called(kind, status):
    fields = [b"Content-Type: " + kind] if kind else []
    found = answer(answered(*fields, b"Content-Length: 40", status=status), ABROAD, "GET", LINKS)
    assert isinstance(found.framing, Chunked)
    read = json.loads(found.scanner.feed(b'{"next": "http://evil/v2/images"}') + found.scanner.finish())
    assert read["next"].startswith(GATEWAY.base("image"))


@pytest.mark.parametrize("charset", [b"utf-16", b"utf-7", b"cp037", b'"utf-16le"', b" utf-32"])
def test_characters_that_would_hide_a_link_are_refused(charset):
    head = answered(b"Content-Type: application/json; charset=" + charset, b"Content-Length: 4")
    with pytest.raises(BadAnswer):
        answer(head, ABROAD, "GET", LINKS)
    assert answer(head, AT_HOME, "GET", LINKS).scanner is None


@pytest.mark.parametrize("charset", [b"utf-8", b"UTF8", b'"utf-8"', b"us-ascii", b"iso-8859-1; x=y"])
def test_usual_characters_are_not(charset):
    head = answered(b"Content-Type: application/json; charset=" + charset, b"Content-Length: 4")
    assert answer(head, ABROAD, "GET", LINKS).scanner is not None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("size", [1, 3, 5, 4096])
def test_characters_that_clients_guess_are_not_passed_on(encoding, size):
    document = json.dumps({"next": "http://evil/"}).encode(encoding)
    assert json.loads(document)
    for rest in (b"/v2/images", b"/"):
        there = replace(ABROAD, rest=rest)
        found = answer(answered(b"Content-Length: 40"), there, "GET", LINKS)
        pieces = [found.scanner.feed(document[at : at + size]) for at in range(0, len(document), size)]
        assert len(b"".join(pieces) + found.scanner.finish()) < 4
    marked = b"\xef\xbb\xbf" + json.dumps({"next": "http://evil/"}).encode()
    found = answer(answered(b"Content-Length: 40"), ABROAD, "GET", LINKS)
    assert b"evil" not in found.scanner.feed(marked) + found.scanner.finish()


def test_a_compressed_list_is_refused():
    head = answered(b"Content-Type: application/json", b"Content-Encoding: gzip", b"Content-Length: 4")
    with pytest.raises(BadAnswer):
        answer(head, ABROAD, "GET", LINKS)


def test_data_is_never_looked_at():
    for service, rest in (
        ("image", b"/v2/images/7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f"),
        ("image", b"/v2/images/7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f/file"),
        ("image", b"/v2/schemas/images"),
        ("object-store", b"/v1/AUTH_1/next/links"),
        ("key-manager", b"/v1/secrets/7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f/payload"),
        ("orchestration", b"/v1/1/stacks/s/1/template"),
    ):
        assert keys_for(service, rest, abroad=True) is None
        assert not may_rewrite(service, rest, abroad=True)


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("image", b"/v2/images"),
        ("image", b"/v2.9/images/"),
        ("image", b"/v2/metadefs/namespaces"),
        ("compute", b"/v2.1/servers/detail"),
        ("network", b"/v2.0/ports"),
        ("placement", b"/resource_providers"),
        ("metric", b"/v1/resource/generic"),
        ("load-balancer", b"/v2.0/lbaas/loadbalancers"),
    ],
)
def test_lists_are_looked_at_in_every_service(service, rest):
    rules = keys_for(service, rest, abroad=True)
    assert may_rewrite(service, rest, abroad=True)
    for document in (
        {"next": "http://evil/"},
        {"links": {"next": "http://evil/"}},
        {"links": [{"rel": "next", "href": "http://evil/"}]},
        {"things_links": [{"rel": "next", "href": "http://evil/"}]},
    ):
        if service == "image" and "next" not in document:
            continue
        scanner = Scanner(guarded(), rules)
        assert b"evil" not in scanner.feed(json.dumps(document).encode()) + scanner.finish()


def test_a_version_document_teaches_and_leads_nowhere_else():
    document = {"versions": [{"id": "v2", "links": [{"rel": "self", "href": "http://evil/x/"}]}]}
    scanner = VersionScanner(guarded(), keys_for("image", b"/", abroad=True), "image")
    read = json.loads(scanner.feed(json.dumps(document).encode()) + scanner.finish())
    assert read["versions"][0]["links"][0]["href"] == f"{GATEWAY.base('image')}/x/"
    document["versions"][0]["links"][0]["href"] = "https://public/image/v2/"
    document["other"] = {"href": "http://evil/"}
    scanner = VersionScanner(guarded(), keys_for("image", b"/", abroad=True), "image")
    read = json.loads(scanner.feed(json.dumps(document).encode()) + scanner.finish())
    assert scanner.learned == ("https://public/image",)
    assert read["versions"][0]["links"][0]["href"] == f"{GATEWAY.base('image')}/v2/"
    assert read["other"]["href"] == f"{GATEWAY.base('image')}/"

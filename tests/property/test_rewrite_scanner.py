"""The streaming scanner against a plain rewriter of whole documents, for any document and any split."""

from __future__ import annotations

import json
import random
import re
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oidproxy.rewrite.bases import Bases
from oidproxy.rewrite.links import Links
from oidproxy.rewrite.rules import USER_DATA, RuleSet
from oidproxy.rewrite.scanner import Scanner
from oidproxy.rewrite.table import TABLE, VERSION_DOCUMENT
from tests.rewrite.world import gateway

BASES = {
    "http://cloud:8774": "compute",
    "http://cloud": "image",
    "http://cloud/volume": "block-storage",
    "http://cloud/volume/admin": "share",
}
LINKS = Links(Bases.made(BASES.items()), gateway("x41"))
RULES = {
    **{name: row.rules for name, row in TABLE.items()},
    "versions": VERSION_DOCUMENT,
    "references": RuleSet.of("*_ref", "*/*_ref", "list/*/next"),
}

KEYS = [
    *(
        "links",
        "servers_links",
        "href",
        "rel",
        "next",
        "previous",
        "self",
        "server",
        "servers",
        "flavor",
        "image",
    ),
    *(
        "secret_ref",
        "roles",
        "roles_links",
        "extensions",
        "versions",
        "id",
        "list",
        "é",
        'a"b',
        "x" * 1100,
        "",
    ),
    *sorted(USER_DATA)[:6],
]
keys = st.sampled_from(KEYS)
ends = st.sampled_from(
    ["", "/", "/v2.1/servers/1", "?marker=1", "#x", "7", "x", '"/', "\\/", "/é", "/volume", "/volumes/1"]
)
links = st.builds(
    str.__add__, st.sampled_from([*BASES, "http://", "http://clou", "https://cloud", "cloud"]), ends
)
words = st.one_of(links, st.text(max_size=8), st.just('{["\\u0041'), st.just("http:\\/\\/cloud/"))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words
)
linked = st.fixed_dictionaries({"rel": st.just("self"), "href": links})
documents = st.recursive(
    st.one_of(scalars, linked, st.lists(linked, max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=20,
)


def expression(path: str) -> str:
    segment = rf"(?!(?:{'|'.join(map(re.escape, USER_DATA))})(?:/|$))[^/\0]*"
    parts = []
    for one in path.split("/"):
        if one == "**":
            parts.append(f"(?:{segment}/)*")
        else:
            parts.append(segment + re.escape(one[1:]) if one.startswith("*") else re.escape(one))
    return "/".join(parts).replace(")*/", ")*")


def reference(value, rules: RuleSet):
    """Every link of a parsed document replaced, by rules that know nothing of bytes."""
    wanted = re.compile("|".join(f"(?:{expression(path)})" for path in rules.paths))

    def walk(at, path):
        if isinstance(at, dict):
            return {key: member(below, [*path, key]) for key, below in at.items()}
        if isinstance(at, list):
            return [walk(one, path) if isinstance(one, dict | list) else one for one in at]
        return at

    def member(at, path):
        if not isinstance(at, str):
            return walk(at, path)
        # The scanner knows no longer keys.
        name = ["\0" if len(json.dumps(key)) - 2 > 1024 else key for key in path]
        return replaced(at) if wanted.fullmatch("/".join(name)) else at

    return walk(value, [])


def replaced(text: str) -> str:
    for base in sorted(BASES, key=len, reverse=True):
        if text == base or text.startswith((base + "/", base + "?", base + "#")):
            return gateway("x41").base(BASES[base]) + text[len(base) :]
    return text


def scanned(text: bytes, rules: RuleSet, cuts) -> bytes:
    scanner = Scanner(LINKS, rules)
    marks = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [scanner.feed(text[start:end]) for start, end in pairwise(marks)]
    return b"".join(pieces) + scanner.finish()


@settings(max_examples=400, deadline=None)
@given(
    document=documents,
    name=st.sampled_from(sorted(RULES)),
    cuts=st.lists(st.integers(0, 5000), max_size=6),
    indent=st.sampled_from([None, 2]),
    ascii_only=st.booleans(),
)
def test_every_split_gives_what_a_whole_rewriting_gives(document, name, cuts, indent, ascii_only):
    written = {"ensure_ascii": ascii_only, "indent": indent}
    text = json.dumps(document, **written).encode("utf-8", "surrogatepass")
    expected = json.dumps(reference(document, RULES[name]), **written).encode("utf-8", "surrogatepass")
    assert scanned(text, RULES[name], cuts) == expected


@settings(max_examples=150, deadline=None)
@given(document=documents, name=st.sampled_from(sorted(RULES)))
def test_byte_by_byte_gives_the_same(document, name):
    text = json.dumps(document).encode()
    expected = json.dumps(reference(document, RULES[name])).encode()
    assert scanned(text, RULES[name], range(len(text))) == expected


def escaped(text: str, choices) -> str:
    """The same JSON, some characters of its strings written as escapes."""
    out = []
    for character in text:
        choice = next(choices)
        if character in '{}[],:" \\' or not character.isascii() or not choice:
            out.append(character)
        else:
            out.append("\\/" if character == "/" and choice == 1 else f"\\u{ord(character):04x}")
    return "".join(out)


@settings(max_examples=300, deadline=None)
@given(
    hrefs=st.lists(linked, max_size=4),
    seed=st.integers(0, 10**9),
    cuts=st.lists(st.integers(0, 5000), max_size=5),
)
@example(hrefs=[{"rel": "self", "href": "http://cloud/volume/admin"}], seed=0, cuts=list(range(500)))
def test_escaped_links_are_found_wherever_they_are_cut(hrefs, seed, cuts):
    document = {"server": {"links": hrefs}}
    chance = random.Random(seed)
    choices = iter(lambda: chance.choice([0, 0, 1, 2]), None)
    # Only strings without escapes of their own are escaped further.
    text = re.sub(
        r'"([^"\\]*)"', lambda found: f'"{escaped(found[1], choices)}"', json.dumps(document)
    ).encode()
    result = scanned(text, RULES["compute"], cuts)
    assert json.loads(result) == reference(document, RULES["compute"])


@settings(max_examples=300, deadline=None)
@given(text=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
@example(text=b'{"links":[{"href":"http:\\x', cuts=[])
@example(text=b"]}}", cuts=[1])
def test_what_is_no_json_passes_unharmed(text, cuts):
    assert scanned(text, RULES["compute"], cuts) == text


@settings(max_examples=200, deadline=None)
@given(
    document=documents,
    garbage=st.binary(max_size=10),
    at=st.integers(0, 1000),
    cuts=st.lists(st.integers(0, 999)),
)
def test_a_broken_document_changes_in_its_links_only(document, garbage, at, cuts):
    whole = json.dumps(document).encode()
    text = whole[: at % (len(whole) + 1)] + garbage
    assert unlinked(scanned(text, VERSION_DOCUMENT, cuts)) == text


def unlinked(text: bytes) -> bytes:
    """With the cloud's URLs in place of the proxy's."""
    for base, service in BASES.items():
        text = text.replace(gateway("x41").base(service).encode(), base.encode())
    return text


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_the_state_stays_small_whatever_the_document(size):
    """A string of megabytes and ten thousand open brackets leave next to nothing in the scanner."""
    scanner = Scanner(LINKS, RULES["compute"])
    text = b'{"servers":[{"name":"' + b"x" * 300_000 + b'","links":' + b"[" * 10_000
    for start in range(0, len(text), size):
        piece = text[start : start + size]
        scanner.feed(piece)
        assert len(scanner._buffer) <= 2 * len(piece) + 1200
    assert len(scanner._open) <= 64


HOSTILE = {
    "open objects": b'{"a":' * 12_000,
    "open arrays": b"[" * 60_000,
    "open links": b'{"links":[' * 6_000,
    "wide and open": (b'["aaaa",[1],{"b":[2]},') * 2_500,
    "escapes": b'{"links":[{"href":"' + b"\\" * 60_000,
    "half links": b'{"href":"http:\\u002' * 3_000,
    "blanks": b'{"links"' + b" " * 60_000,
    "a key without end": b'{"' + b"k" * 60_000,
    "commas": b"{" + b"," * 60_000,
    "quotes": b'{"a":""' * 8_000,
    "closed groups": b'{"x":[[["' + b'"],["' * 10_000,
    "links to nowhere": b'{"links":[' + b'{"href":"http://cloud' * 2_500,
}


@pytest.mark.parametrize("size", [97, 65_536])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_costs_no_more_than_its_length(text, size):
    start = process_time()
    for rules in (RULES["compute"], VERSION_DOCUMENT):
        scanner = Scanner(LINKS, rules)
        for at in range(0, len(text), size):
            scanner.feed(text[at : at + size])
        scanner.finish()
    assert process_time() - start < 1.0

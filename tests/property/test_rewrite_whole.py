"""Documents that came whole: replaced at once they are what the scanner makes of them, or left to it."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oidproxy.rewrite.guard import GuardedLinks, GuardedScanner
from oidproxy.rewrite.scanner import Scanner
from oidproxy.rewrite.table import keys_for
from oidproxy.rewrite.whole import replaced
from tests.property.test_rewrite_scanner import BASES, LINKS, RULES, documents, keys, linked, words
from tests.rewrite.world import endpoint

PLAIN = {name: rules for name, rules in RULES.items() if not rules.version_document}
GUARDED = GuardedLinks(LINKS, endpoint("cloud-1", "compute", "cloud"))
SERVICES = ("compute", "network", "image", "block-storage", "identity", "no-such-service")
ODD = st.sampled_from(
    ["//evil/x", "http://evil/x", "https:evil", " http://evil", "next", "/v2/x", "?a", "a b", ""]
)
duplicates = st.lists(st.tuples(keys, st.one_of(words, ODD)), max_size=4).map(
    lambda members: "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in members) + "}"
)


def scanned(scanner, text: bytes) -> bytes:
    return scanner.feed(text) + scanner.finish()


def abroad(service: str):
    rules = keys_for(service, b"/v2/images", abroad=True)
    assert rules is not None
    return rules


@settings(max_examples=500, deadline=None)
@given(document=documents, name=st.sampled_from(sorted(PLAIN)), indent=st.sampled_from([None, 2]))
def test_a_document_becomes_what_the_scanner_makes_of_it(document, name, indent):
    text = json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert replaced(text, PLAIN[name], LINKS) in {None, scanned(Scanner(LINKS, PLAIN[name]), text)}


@settings(max_examples=500, deadline=None)
@given(document=documents, odd=ODD, key=keys, service=st.sampled_from(SERVICES))
def test_so_does_one_of_another_cloud(document, odd, key, service):
    text = json.dumps({"servers": document, key: odd, "links": [{"href": odd}]}, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    expected = scanned(GuardedScanner(Scanner(GUARDED, abroad(service))), data)
    assert replaced(data, abroad(service), GUARDED) in {None, expected}


@settings(max_examples=500, deadline=None)
@given(text=duplicates, name=st.sampled_from(sorted(PLAIN)), service=st.sampled_from(SERVICES))
@example(text='{"next": "http://evil/x", "next": "http://cloud/y"}', name="compute", service="compute")
@example(text='{"next": "//evil/x", "next": "/y"}', name="compute", service="compute")
@example(text='{"next": "http://cloud/x", "next": 1}', name="compute", service="compute")
def test_a_key_that_stands_twice_hides_no_link(text, name, service):
    data = text.encode()
    assert replaced(data, PLAIN[name], LINKS) in {None, scanned(Scanner(LINKS, PLAIN[name]), data)}
    done = replaced(data, abroad(service), GUARDED)
    assert done is None or b"//evil" not in done


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.binary(max_size=80), duplicates.map(str.encode)), end=st.integers(0, 80))
def test_what_is_no_json_is_left_to_the_scanner_or_alone(text, end):
    cut = text[:end]
    assert replaced(cut, PLAIN["compute"], LINKS) in {None, scanned(Scanner(LINKS, PLAIN["compute"]), cut)}
    expected = scanned(GuardedScanner(Scanner(GUARDED, abroad("compute"))), cut)
    assert replaced(cut, abroad("compute"), GUARDED) in {None, expected}


@settings(max_examples=200, deadline=None)
@given(links=st.lists(linked, max_size=4), base=st.sampled_from(sorted(BASES)))
def test_an_ordinary_answer_needs_no_scanner(links, base):
    server = {"id": "1", "links": [{"rel": "self", "href": f"{base}/v2.1/servers/1"}], "metadata": {"a": "b"}}
    text = json.dumps(
        {"servers": [server, {"id": "2", "links": []}], "servers_links": server["links"]}
    ).encode()
    for rules, known in ((PLAIN["compute"], LINKS), (abroad("compute"), GUARDED)):
        done = replaced(text, rules, known)
        assert done is not None
        assert done == scanned(Scanner(known, rules), text)
        assert base.encode() not in done


def test_a_users_text_that_looks_like_a_link_is_left_to_the_scanner():
    text = json.dumps(
        {"server": {"metadata": {"a": "http://cloud/x"}, "links": [{"href": "http://cloud/y"}]}}
    )
    assert replaced(text.encode(), PLAIN["compute"], LINKS) is None

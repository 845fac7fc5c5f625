"""What a cloud's version documents tell of its URLs, and how they are rewritten by it."""

from __future__ import annotations

import json

import pytest

from oidproxy.rewrite.links import Links
from oidproxy.rewrite.table import VERSION_DOCUMENT
from oidproxy.rewrite.versions import DOCUMENT_AT_MOST, KEPT_AT_MOST, Learned, VersionScanner, base_of, learn
from tests.rewrite.world import gateway, two_clouds

LINKS = Links.of(two_clouds(), "cloud-1", gateway("x41"))
OURS = "http://127.0.0.1:8888/s/x41/compute"


def nova(base: str) -> dict:
    return {
        "version": {
            "id": "v2.1",
            "links": [
                {"href": f"{base}/v2.1/", "rel": "self"},
                {"rel": "describedby", "type": "text/html", "href": "http://docs.example/v2/"},
            ],
        }
    }


def passed(document: bytes, size: int = 10_000):
    scanner = VersionScanner(LINKS, VERSION_DOCUMENT, "compute")
    pieces = [scanner.feed(document[at : at + size]) for at in range(0, len(document), size)]
    return b"".join(pieces) + scanner.finish(), scanner.learned


@pytest.mark.parametrize("size", [1, 17, 10_000])
@pytest.mark.parametrize(
    "base", ["https://public.example/compute", "http://public:8774", "http://[fd00::1]:8774"]
)
def test_a_base_that_nobody_configured_is_learned_and_replaced(base, size):
    result, learned = passed(json.dumps(nova(base)).encode(), size)
    assert learned == (base,)
    expected = nova(OURS)
    assert json.loads(result) == expected


def test_a_known_base_is_replaced_and_nothing_learned():
    result, learned = passed(json.dumps(nova("http://127.0.1.1:8774")).encode())
    assert (json.loads(result), learned) == (nova(OURS), ())


def test_a_base_of_another_service_of_the_cloud_stays_that_services():
    """A cloud cannot turn one service's URLs into another's by what it says in a version document."""
    result, learned = passed(json.dumps(nova("http://127.0.1.1:5000")).encode())
    assert json.loads(result) == nova("http://127.0.0.1:8888/s/x41/identity")
    assert learned == ()


def test_a_scanners_links_learn_nothing_from_one_document_for_the_next():
    passed(json.dumps(nova("http://elsewhere")).encode())
    assert LINKS.rewrite(b"http://elsewhere/v2.1") == b"http://elsewhere/v2.1"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://cloud/compute/v2.1/", "http://cloud/compute"),
        ("http://cloud:8774/v2.1", "http://cloud:8774"),
        ("http://cloud/identity/v3/auth/v2/x", "http://cloud/identity"),
        ("https://docs.openstack.org/", None),
        ("http://docs.openstack.org/magnum/api-spec-v1.html", None),
        ("/v2/", None),
        ("", None),
        ("http:///v2", None),
        ("ftp://cloud/v2", None),
        ("http://cloud/a b/v2", None),
        ('http://cl"oud/v2', None),
        ("http://cloud/é/v2", None),
        ("http://cloud?x=/v2", None),
    ],
)
def test_a_base_ends_before_the_first_version_segment(url, base):
    assert base_of(url) == base


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"null", b'"x"', b"{", b"\xff", b"[" * 5000, b'{"links":[{"rel":"self","href":7}]}'],
)
def test_what_is_no_version_document_teaches_nothing_and_passes(document):
    assert learn(document) == ()
    assert passed(document) == (document, ())


def test_of_one_document_few_bases_are_learned():
    links = [{"rel": "self", "href": f"http://host{number}/v1"} for number in range(100)]
    assert len(learn(json.dumps({"versions": links}).encode())) == 4


def test_keystones_and_pecans_documents():
    keystone = {"versions": {"values": [{"id": "v3.14", "links": [{"rel": "self", "href": "http://k/v3/"}]}]}}
    ironic = {
        "id": "v1",
        "links": [{"href": "http://i/v1/", "rel": "self"}],
        "nodes": [{"href": "http://i/v1/nodes/", "rel": "self"}],
    }
    assert learn(json.dumps(keystone).encode()) == ("http://k",)
    assert learn(json.dumps(ironic).encode()) == ("http://i",)


def test_a_document_too_long_to_be_held_is_rewritten_as_it_streams():
    document = nova("http://127.0.1.1:8774")
    document["padding"] = "x" * DOCUMENT_AT_MOST
    result, learned = passed(json.dumps(document).encode(), 1000)
    assert json.loads(result) == {**nova(OURS), "padding": document["padding"]}
    assert learned == ()


class TestWhatWasLearned:
    def test_it_makes_the_links_of_that_cloud(self):
        learned = Learned().and_also("cloud-1", "compute", ("http://public/nova",))
        links = Links.of(two_clouds(), "cloud-1", gateway(), learned.of("cloud-1"))
        assert links.rewrite(b"http://public/nova/v2.1") == b"http://127.0.0.1:8888/compute/v2.1"
        assert learned.of("cloud-2") == ()

    def test_it_is_a_value(self):
        before = Learned().and_also("cloud-1", "compute", ("http://a",))
        after = before.and_also("cloud-1", "image", ("http://b",))
        assert before.of("cloud-1") == (("http://a", "compute"),)
        assert after.of("cloud-1") == (("http://a", "compute"), ("http://b", "image"))
        assert after.and_also("cloud-1", "image", ("http://b",)) is after

    def test_it_stays_small(self):
        learned = Learned()
        for number in range(100):
            learned = learned.and_also("cloud-1", "compute", (f"http://host{number}",))
        assert len(learned.of("cloud-1")) == KEPT_AT_MOST

"""Addresses and catalog URLs to values."""

from __future__ import annotations

import pytest

from oidproxy.clouds.addresses import Location, host_port, location, plain_host
from oidproxy.clouds.registry import Origin

LAB = Origin("http", "127.0.1.1", 8776)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.1.1:8776", Location(LAB, "", "")),
        ("http://127.0.1.1:8776/", Location(LAB, "", "")),
        ("http://127.0.1.1:8776/v3/%(project_id)s", Location(LAB, "", "/v3/%(project_id)s")),
        ("http://127.0.1.1:8776/v3/%(tenant_id)s/", Location(LAB, "", "/v3/%(project_id)s")),
        ("http://127.0.1.1:8776/v3/$(tenant_id)s", Location(LAB, "", "/v3/%(project_id)s")),
        ("http://127.0.1.1:8776/volume/v3/x", Location(LAB, "/volume", "/v3/x")),
        ("http://127.0.1.1:8776/image", Location(LAB, "/image", "")),
        ("http://127.0.1.1:8776/a/b/v2.1/v3", Location(LAB, "/a/b", "/v2.1/v3")),
        (
            "http://127.0.1.1:8776/vendor/v1/AUTH_%(project_id)s",
            Location(LAB, "/vendor", "/v1/AUTH_%(project_id)s"),
        ),
        ("http://127.0.1.1:8776/store/AUTH_%(project_id)s", Location(LAB, "/store", "/AUTH_%(project_id)s")),
        ("https://Cloud.Example/v3", Location(Origin("https", "cloud.example", 443), "", "/v3")),
        ("http://[::1]:5000/v3", Location(Origin("http", "::1", 5000), "", "/v3")),
    ],
)
def test_a_catalog_url_is_cut_before_its_first_version(url, expected):
    assert location(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:5000/v3",
        "ftp://cloud/v3",
        "http://",
        "http://user:hunter2@cloud/v3",
        "http://cloud:99999/v3",
        "http://cloud:0/v3",
        "http://cloud:x/v3",
        "http://cloud/v3?x=1",
        "http://cloud/v3?",
        "http://cloud/v3#x",
        "http://cloud/a b",
        "http://cloud/%(user_id)s",
        "http://clo ud/v3",
        "http://[::1/v3",
        "http://cloud\r\nX: y/v3",
        "http://cloud/é",
    ],
)
def test_what_no_request_can_be_sent_to_is_refused_without_showing_secrets(url):
    with pytest.raises(ValueError) as caught:
        location(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8888", ("127.0.0.1", 8888)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("Proxy.example:65535", ("proxy.example", 65535)),
    ],
)
def test_host_and_port(text, expected):
    assert host_port(text) == expected


@pytest.mark.parametrize(
    "text", ["8888", ":8888", "::1:8888", "a:0", "a:65536", "a:http", "a b:1", "*:80", ""]
)
def test_neither_host_nor_port(text):
    with pytest.raises(ValueError, match="expected"):
        host_port(text)


@pytest.mark.parametrize(
    ("text", "host"), [("[::1]", "::1"), ("::1", "::1"), ("10.0.0.1", "10.0.0.1"), ("a", "a")]
)
def test_a_host_alone(text, host):
    assert plain_host(text) == host

"""The token in the body of an authentication, found and replaced."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import BadRequest
from oidproxy.routing.auth_body import read

OLD = "gAAAA~abc"


def body(text):
    return (
        b'{"auth": {"identity": {"methods": ["token"], "token": {"id": "%b"}}, "scope": "unscoped"}}' % text
    )


def test_only_the_tokens_bytes_change():
    raw = b'{ "auth":\n{"identity":{"token":{"id" :"gAAAA~abc","x":1.0e2}},"\\u0061":"\xc3\xa9"} }'
    assert read(raw).with_token("new") == raw.replace(b"gAAAA~abc", b"new")


def test_the_same_token_changes_nothing():
    raw = b'{"auth":{"identity":{"token":{"id":"gAAAA~abc"}}}}'
    assert read(raw).with_token(OLD) is raw


@pytest.mark.parametrize(
    "raw",
    [
        body(b"gAAAA\\u007eabc"),
        body(b"\\u0067AAAA~abc").replace(b'"unscoped"', b'"gAAAA~abc"'),
        body(b"gAAAA~abc").replace(b'"unscoped"', b'"gAAAA~abc"'),
        body(b"gAAAA~abc").decode().encode("utf-16"),
        body(b"gAAAA~abc").replace(b'"id"', b'"id": "other", "id"'),
        b'{"auth": 1, "auth": ' + body(b"gAAAA~abc")[9:],
    ],
)
def test_however_it_is_spelled_the_token_and_nothing_else_is_another(raw):
    found = read(raw)
    assert found.token == OLD
    for made in (found.with_token("new"), found.as_read("new")):
        wanted = json.loads(raw)
        wanted["auth"]["identity"]["token"]["id"] = "new"
        assert json.loads(made) == wanted


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"auth": []}',
        b'{"auth": {"identity": {"token": "x"}}}',
        body(b"x").replace(b'"x"', b"7"),
    ],
)
def test_what_holds_no_token_has_none(raw):
    assert read(raw).token is None


@pytest.mark.parametrize("raw", [b"[" * 5000, b'{"a":' * 5000, b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"])
def test_depth_is_bounded(raw):
    with pytest.raises(BadRequest):
        read(raw)


def test_a_broad_body_is_no_deep_one():
    raw = json.dumps({"auth": {"x": [[1]] * 1000}}).encode()
    assert read(raw).token is None


def test_nothing_of_it_shows_in_a_repr():
    assert "gAAAA" not in repr(read(body(b"gAAAA~abc")))

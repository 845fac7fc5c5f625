"""Answers of our own: complete, in OpenStack's shape, saying nothing that they must not."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import BadRequest, MethodNotAllowed, Overloaded, TokenRefused
from oidproxy.http.answer import error_answer, own_answer, reason
from oidproxy.http.head import Length, NoBody
from oidproxy.http.parse import response_head
from tests.http.heads import LIMITS


def split(data: bytes, method: str = "GET"):
    head, _, body = data.partition(b"\r\n\r\n")
    return response_head(head + b"\r\n\r\n", method=method, limits=LIMITS), body


def test_an_answer_is_complete():
    head, body = split(own_answer(200, b"{}", [(b"Content-Type", b"application/json")]))
    assert (head.status, head.reason, body, head.framing) == (200, b"OK", b"{}", Length(2))
    assert head.keep_alive


def test_c10_no_server_and_no_invented_content_type():
    head, _ = split(own_answer(200, b"x"))
    assert [name for name, _ in head.fields] == [b"Content-Length"]


def test_a7_an_answer_to_head_keeps_its_length_and_has_no_body():
    head, body = split(own_answer(200, b"12345", head_only=True), method="HEAD")
    assert head.get(b"content-length") == b"5"
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_a7_no_content_has_neither_body_nor_length(status):
    head, body = split(own_answer(status, b"ignored"))
    assert (head.framing, body, head.get(b"content-length")) == (NoBody(), b"", None)


def test_close_and_date_where_they_are_asked_for():
    head, _ = split(own_answer(200, b"", close=True, date=b"Sun, 06 Nov 1994 08:49:37 GMT"))
    assert not head.keep_alive
    assert head.get(b"date") == b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_an_error_has_openstacks_shape_and_is_marked_as_ours():
    head, body = split(error_answer(BadRequest("Say «please»."), request_id="req-1"))
    assert json.loads(body) == {"error": {"code": 400, "title": "Bad Request", "message": "Say «please»."}}
    assert head.get(b"content-type") == b"application/json"
    assert head.get(b"x-oidproxy-error") == b"bad-request"
    assert head.get(b"x-openstack-request-id") == b"req-1"


def test_an_error_brings_its_own_fields():
    head, _ = split(error_answer(Overloaded("full", fields={"Retry-After": "1"}), request_id="r", close=True))
    assert (head.status, head.get(b"retry-after"), head.keep_alive) == (503, b"1", False)
    head, _ = split(error_answer(MethodNotAllowed("no", fields={"Allow": "GET"}), request_id="r"))
    assert (head.status, head.get(b"allow")) == (405, b"GET")


def test_an_error_takes_fields_of_the_asker():
    error = TokenRefused("no")
    head, _ = split(error_answer(error, request_id="r", fields=[(b"WWW-Authenticate", b'Keystone uri="x"')]))
    assert head.get(b"www-authenticate") == b'Keystone uri="x"'


def test_an_error_for_head_has_no_body():
    head, body = split(error_answer(BadRequest("no"), request_id="r", head_only=True), method="HEAD")
    assert body == b""
    assert int(head.get(b"content-length") or 0) > 0


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(200, b"OK"), (413, b"Content Too Large"), (414, b"URI Too Long"), (508, b"Loop Detected"), (599, b"")],
)
def test_reasons_are_those_of_rfc_9110(status, phrase):
    assert reason(status) == phrase

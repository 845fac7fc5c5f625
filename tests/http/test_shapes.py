"""What is remembered of heads: which of them, nothing secret, and not too much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadAnswer
from oidproxy.http import parse
from oidproxy.http.head import Length
from oidproxy.http.parse import request_head, response_head
from oidproxy.http.shapes import KEY_AT_MOST, OF_ANSWERS, OF_REQUESTS, SHAPES_KEPT, Shapes
from tests.http.heads import head_bytes

LIMITS = Limits()


@pytest.fixture(autouse=True)
def requests(monkeypatch):
    """Empty memories in the place of the process's."""
    made = Shapes(OF_REQUESTS)
    monkeypatch.setattr(parse, "_requests", made)
    monkeypatch.setattr(parse, "_answers", Shapes(OF_ANSWERS))
    return made


def ask(*lines, line="GET /v2/images HTTP/1.1"):
    return request_head(head_bytes(*lines, line=line), LIMITS)


def answer(*lines, method="GET"):
    data = b"\r\n".join([b"HTTP/1.1 200 OK", *lines]) + b"\r\n\r\n"
    return response_head(data, method=method, limits=LIMITS)


def test_target_token_and_request_id_make_no_other_shape(requests):
    ask("X-Auth-Token: c")
    ask("X-Auth-Token: a", "X-Openstack-Request-Id: req-0")
    first = ask("X-Auth-Token: a", "X-Openstack-Request-Id: req-1", line="GET /a HTTP/1.1")
    second = ask("X-Auth-Token: b", "X-Openstack-Request-Id: req-2", line="PUT /b HTTP/1.1")
    assert len(requests) == 2
    assert first.memo is second.memo
    assert (second.method, second.target) == ("PUT", b"/b")
    assert second.get(b"x-auth-token") == b"b"
    assert second.fields[1:] == ((b"X-Auth-Token", b"b"), (b"X-Openstack-Request-Id", b"req-2"))


def test_what_was_found_out_about_a_head_is_not_held_true_of_a_changed_one():
    ask("Accept: a")
    head = ask("Accept: a")
    head.memo["found"] = "out"
    assert not replace(head, fields=()).memo
    assert ask("Accept: a").memo == {"found": "out"}


def test_any_other_value_does(requests):
    ask("Accept: a")
    assert ask("Accept: b").get(b"accept") == b"b"
    assert len(requests) == 2


def test_an_answer_has_its_own_length():
    lengths = [answer(b"Date: d%d" % size, b"Content-Length: %d" % size).framing for size in (5, 7)]
    assert lengths == [Length(5), Length(7)]


@pytest.mark.parametrize(
    "name", ["x-auth-token", "X-Subject-Token", "Authorization", "Cookie", "X-Storage-Token"]
)
def test_a_head_with_a_secret_that_is_not_cut_out_is_not_remembered(requests, name):
    for _ in range(2):
        assert ask(f"{name}: gAAAAsecret").get(name.lower().encode()) == b"gAAAAsecret"
    assert len(requests) == 0


def test_nothing_secret_is_kept_of_one_that_is_remembered(requests):
    ask("X-Auth-Token: gAAAAsecret", line="GET /v1/a?temp_url_sig=secret HTTP/1.1")
    key, _ = requests.cut(head_bytes("X-Auth-Token: gAAAAsecret", line=""))
    shape = requests.get(key)
    assert b"secret" not in b"".join(key)
    assert b"secret" not in b"".join(value for _, value in shape.head.fields)
    assert b"secret" not in b"".join([shape.head.target, *shape.head.index.values()])


def test_an_empty_value_is_none_that_was_cut_out():
    answer(b"Content-Length: 5", b"Date: ", method="HEAD")
    assert answer(b"Content-Length: 7", b"Date: d").framing == Length(7)
    with pytest.raises(BadAnswer):
        answer(b"Content-Length: ", b"Date: d")


def test_what_stands_behind_a_head_is_none_of_its_fields():
    for _ in range(2):
        head = answer(b"Date: d", b"", b"", b"Content-Length: 5")
        assert head.fields == ((b"Date", b"d"),)


def test_long_heads_are_not_remembered(requests):
    ask("Accept: " + "a" * KEY_AT_MOST)
    assert len(requests) == 0


def test_whoever_sends_ever_new_heads_fills_a_bounded_memory(requests):
    for number in range(SHAPES_KEPT + 10):
        ask(f"Accept: {number}")
    assert 0 < len(requests) <= SHAPES_KEPT

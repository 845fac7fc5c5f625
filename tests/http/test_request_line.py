"""Part B of the gateway checklist: the request line, the target and Host."""

from __future__ import annotations

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import (
    BadRequest,
    MethodNotAllowed,
    NotSupported,
    OidproxyError,
    TargetTooLong,
    VersionNotSupported,
)
from oidproxy.http.parse import request_head
from tests.http.heads import LIMITS, head_bytes, read


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3", "HTTP/10.1"])
def test_b1_other_versions_are_505(version):
    with pytest.raises(VersionNotSupported) as caught:
        read(line=f"GET / {version}")
    assert caught.value.status == 505


def test_b1_the_http_2_preface_is_505():
    with pytest.raises(VersionNotSupported):
        request_head(b"PRI * HTTP/2.0\r\n\r\n", LIMITS)


@pytest.mark.parametrize(
    "line",
    [
        "GET /",
        "GET / ",
        "GET",
        "",
        "GET / HTTP",
        "GET / HTTP/",
        "GET / http/1.1",
        "GET / HTTP/1.",
        "GET / HTTPS/1.1",
    ],
)
def test_b1_no_version_is_400(line):
    with pytest.raises(BadRequest) as caught:
        read(line=line)
    assert caught.value.status == 400


def test_b1_both_versions_are_read():
    assert read().minor == 1
    assert read(line="GET / HTTP/1.0", host=False).minor == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "COPY"])
def test_b2_the_methods_of_openstack_are_taken(method):
    assert read(line=f"{method} /v2 HTTP/1.1").method == method


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
@pytest.mark.parametrize("target", ["/", "127.0.0.1:80"])
def test_b2_trace_and_connect_are_405_with_allow(method, target):
    with pytest.raises(MethodNotAllowed) as caught:
        read(line=f"{method} {target} HTTP/1.1")
    assert caught.value.status == 405
    assert caught.value.fields["Allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, COPY"


@pytest.mark.parametrize(
    "method", ["FOO", "get", "PROPFIND", "LINK", "DESCRIBE", "SOURCE", "M-SEARCH", "G3T"]
)
def test_b2_unknown_methods_are_501(method):
    with pytest.raises(NotSupported) as caught:
        read(line=f"{method} / HTTP/1.1")
    assert caught.value.status == 501


@pytest.mark.parametrize(
    "line", ["G(T / HTTP/1.1", "GE\x00T / HTTP/1.1", " GET / HTTP/1.1", "G\xe9T / HTTP/1.1"]
)
def test_b2_what_is_no_method_name_is_400(line):
    with pytest.raises(BadRequest):
        read(line=line)


def test_b3_absolute_form_loses_its_authority_which_goes_before_host():
    head = read(line="GET http://proxy.example:8888/image/v2?a=b HTTP/1.1")
    assert (head.host, head.target) == (b"proxy.example:8888", b"/image/v2?a=b")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://p", b"/"),
        ("HTTPS://p?x=1", b"/?x=1"),
        ("http://[::1]:8888/x", b"/x"),
        ("http://p//x", b"//x"),
    ],
)
def test_b3_absolute_form_without_a_path_has_the_root(target, expected):
    assert read(line=f"GET {target} HTTP/1.1").target == expected


@pytest.mark.parametrize(
    "target", ["ftp://p/x", "p/x", "p", "http:/x", "http://", "http://u:p@h/x", "http://h:x/", "*"]
)
def test_b3_other_forms_are_400(target):
    with pytest.raises(BadRequest):
        read(line=f"GET {target} HTTP/1.1")


@pytest.mark.parametrize("target", ["*", "http://proxy.example"])
def test_b4_options_for_the_server_itself(target):
    assert read(line=f"OPTIONS {target} HTTP/1.1").target == b"*"


@pytest.mark.parametrize("host", ["a", "a.example:8888", "127.0.0.1", "[::1]:80", "a:", "a_b-c.d~e:1"])
def test_b5_one_valid_host(host):
    assert read(f"Host: {host}", host=False).host == host.encode()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "u@a",
        "u:p@a",
        "a/b",
        "a b",
        "a,b",
        "a:b",
        "a:1:2",
        "a:65536",
        "[::1",
        "::1",
        "a\\b",
        "a?b",
        "\xe9",
    ],
)
def test_b5_an_invalid_host_is_400(host):
    with pytest.raises(BadRequest):
        read(f"Host: {host}", host=False)


@pytest.mark.parametrize("lines", [["Host: a", "Host: b"], ["Host: a", "host: a"], []])
def test_b5_two_hosts_or_none_is_400(lines):
    with pytest.raises(BadRequest):
        read(*lines, host=False)


def test_b5_an_invalid_host_beside_an_absolute_target_is_400_too():
    with pytest.raises(BadRequest):
        read("Host: u@a", line="GET http://a/ HTTP/1.1", host=False)


def test_b5_http_1_0_may_have_no_host():
    assert read(line="GET / HTTP/1.0", host=False).host == b""


@pytest.mark.parametrize("size", [8 * 1024, 8 * 1024 + 1])
def test_b6_targets_over_8_kib_are_414(size):
    line = f"GET /{'x' * (size - 1)} HTTP/1.1"
    if size == 8 * 1024:
        assert len(read(line=line).target) == size
        return
    with pytest.raises(TargetTooLong) as caught:
        read(line=line)
    assert caught.value.status == 414


def test_b6_an_overlong_target_is_414_whatever_is_in_it():
    with pytest.raises(TargetTooLong):
        read(line=f"GET /{'#' * 9000} HTTP/1.1")


@pytest.mark.parametrize(
    "target",
    [
        "/a#b",
        "/a\x01b",
        "/a\x7fb",
        "/a\xe9b",
        "/a\tb",
        "/a%00b",
        "/a%0d%0ab",
        "/a%0Db",
        "/a%0Ab",
        "/a?b=%0d%0aX",
        "/?%00",
        "/a\\b",
        "/./a",
        "/../a",
        "/a/..",
        "/a/.",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/a/%2E",
        "/a%2f..%2Fb",
        "/a/..%2fb",
        "/a/..?x",
    ],
)
def test_b6_targets_that_two_readers_could_read_differently_are_400(target):
    with pytest.raises(BadRequest) as caught:
        read(line=f"GET {target} HTTP/1.1")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//a//",
        "/a%2Fb",
        "/.well-known/openstack/api",
        "/a/...",
        "/a/..b",
        "/a.b/c",
        "/a?x=../..",
        "/a?x=a\\b",
        "/%zz",
        "/s/keystone:cloud-1;glance:(a&b)/identity",
        "/a'\"<>^`{|}",
        "/%2e%2e%2e",
        # An encoded backslash is a character of a name, as that of an object may hold one.
        "/v1/AUTH_a/c/o%5Co",
        "/v1/AUTH_a/c/o%5co",
        "/a/..%5C..%5cb",
        "/v2/%25%32%65",
        "/a?b#".rstrip("#"),
    ],
)
def test_b6_every_other_target_goes_on_byte_for_byte(target):
    assert read(line=f"GET {target} HTTP/1.1").target == target.encode()


def test_b7_one_leading_crlf_is_skipped():
    assert request_head(b"\r\n" + head_bytes(), LIMITS).target == b"/v2/images"


@pytest.mark.parametrize("before", [b"\r\n\r\n", b"\n", b"\r", b" ", b"\r\n \r\n"])
def test_b7_anything_else_before_the_line_is_400(before):
    with pytest.raises(BadRequest):
        request_head(before + head_bytes(), LIMITS)


@pytest.mark.parametrize(
    "line",
    [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET\x0b/\x0bHTTP/1.1",
        "GET / HTTP/1.1 ",
    ],
)
def test_b7_other_separators_are_400(line):
    with pytest.raises(BadRequest):
        read(line=line)


def test_the_limit_of_the_target_is_the_configured_one():
    with pytest.raises(TargetTooLong):
        request_head(head_bytes(), Limits(target=5))


@pytest.mark.parametrize("secret", ["hunter2-hunter2"])
@pytest.mark.parametrize(
    "line",
    [
        "GET /{} HTTP/9.9",
        "{} / HTTP/1.1",
        "GET {} HTTP/1.1",
        "GET /{}#x HTTP/1.1",
        "GET http://{}@h/ HTTP/1.1",
        "{}",
    ],
)
def test_no_refusal_repeats_the_request(secret, line):
    with pytest.raises(OidproxyError) as caught:
        read(line=line.format(secret))
    assert secret not in str(caught.value)
    assert caught.value.__context__ is None

"""Request heads as clouds get them: what is stripped, what is written, what passes as it came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.clouds.registry import Origin
from oidproxy.errors import InternalError, LoopDetected, TokenRefused
from oidproxy.http.fields import HOP_BY_HOP, KEYSTONE_FIELDS
from oidproxy.http.head import Chunked, Length, NoBody, UntilClose
from oidproxy.rewrite.request import client_request_id, request_head
from tests.rewrite.world import asked, beside_facade, endpoint, route

OURS = "req-00000000-0000-0000-0000-000000000001"
THEIRS = b"req-12345678-9abc-def0-1234-56789abcdef0"
SERVERS = route("compute", b"/v2.1/servers")


def sent(head, to=SERVERS, framing=None, **more):
    """Request line, and the fields as a list of (lower-case name, value)."""
    given = {
        "token": None,
        "service_token": None,
        "peer": "10.0.0.9",
        "peer_trusted": False,
        "pseudonym": "oid-1",
        "request_id": OURS,
        "identity_encoding": False,
    }
    written = request_head(head, to, framing or head.framing, **{**given, **more})
    assert written.endswith(b"\r\n\r\n")
    line, *lines = written[:-4].split(b"\r\n")
    pairs = [tuple(one.split(b": ", 1)) for one in lines]
    return line, [(name.lower(), value) for name, value in pairs]


def values(head, name, **more):
    return [value for one, value in sent(head, **more)[1] if one == name]


def test_the_target_goes_out_as_routing_made_it_and_the_host_is_the_endpoints():
    to = replace(SERVERS, target=b"/v2.1/servers?name=a%2Fb&x=%zz")
    line, fields = sent(asked(), to)
    assert line == b"GET /v2.1/servers?name=a%2Fb&x=%zz HTTP/1.1"
    assert [value for name, value in fields if name == b"host"] == [b"127.0.1.1:8774"]


def test_a_default_port_is_left_out_of_host():
    to = route(
        "compute",
        b"/v2.1",
        to=endpoint("cloud-1", "compute", "x", origin=Origin("https", "nova.example", 443)),
    )
    assert values(asked(), b"host", to=to) == [b"nova.example"]


def test_a_clients_own_fields_pass_in_their_order_as_they_were_written():
    head = asked(
        b"User-Agent: x/1", b"X-Foo: a", b"Accept: application/json", b"x-foo: \xe9b", b"X-Trace-Info: t"
    )
    own = [pair for pair in sent(head)[1] if pair[0] in {b"user-agent", b"x-foo", b"accept", b"x-trace-info"}]
    assert own == [
        (b"user-agent", b"x/1"),
        (b"x-foo", b"a"),
        (b"accept", b"application/json"),
        (b"x-foo", b"\xe9b"),
        (b"x-trace-info", b"t"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        *sorted(KEYSTONE_FIELDS),
        *sorted(HOP_BY_HOP - {b"transfer-encoding", b"connection", b"upgrade"}),
        *(b"X-Scope", b"X-Scope-Tokens", b"X-Scope-Anything", b"x-oidproxy-error", b"X-Forwarded-Host"),
        *(
            b"X-Forwarded-Prefix",
            b"X-Forwarded-Proto",
            b"Forwarded",
            b"Proxy",
            b"X-Storage-Token",
            b"X-Subject-Token",
        ),
        *(b"X-Auth-Token", b"X-Service-Token"),
        *(b"X-HTTP-Method", b"X-HTTP-Method-Override", b"X-Method-Override"),
    ],
)
@pytest.mark.parametrize("case", [bytes.lower, bytes.upper, bytes.title])
def test_what_no_cloud_may_see_is_stripped_however_it_is_written(name, case):
    assert values(asked(case(name) + b": stripped"), name.lower()) == []


def test_c1_what_connection_names_is_stripped():
    head = asked(b"Connection: close, X-Mine", b"X-Mine: 1", b"X-Yours: 2")
    assert values(head, b"x-mine") == []
    assert values(head, b"connection") == []
    assert values(head, b"x-yours") == [b"2"]


def test_c1_a_second_connection_field_is_heeded_too():
    head = asked(b"Connection: keep-alive", b"Connection: X-Mine", b"X-Mine: 1")
    assert values(head, b"x-mine") == []


def test_tokens_are_replaced_never_joined():
    head = asked(b"X-Auth-Token: client~sealed", b"X-Service-Token: svc", b"X-Subject-Token: subject~sealed")
    given = {"token": "bare", "service_token": "oid1~box", "subject": "subject"}
    assert values(head, b"x-auth-token", **given) == [b"bare"]
    assert values(head, b"x-service-token", **given) == [b"oid1~box"]
    assert values(head, b"x-subject-token", **given) == [b"subject"]


def test_a_token_that_no_field_can_hold_is_refused():
    with pytest.raises(TokenRefused):
        sent(asked(), token="tok€n")


@pytest.mark.parametrize("token", ["a\r\nX-Roles: admin", "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("name", ["token", "service_token", "subject", "pseudonym", "request_id", "peer"])
def test_no_value_can_bring_a_line_of_its_own(name, token):
    with pytest.raises(InternalError):
        sent(asked(), **{name: token})


@pytest.mark.parametrize("target", [b"/a HTTP/1.1\r\nX: y", b"/a b", b"/a\nb", b""])
def test_nor_can_a_target(target):
    with pytest.raises(InternalError):
        sent(asked(), replace(SERVERS, target=target))


class TestFraming:
    def test_a_get_without_body_gains_nothing(self):
        names = [name for name, _ in sent(asked())[1]]
        assert b"content-length" not in names
        assert b"transfer-encoding" not in names

    def test_an_empty_delete_gains_no_content_type(self):
        """Nova answers 415 to one that has any."""
        names = [name for name, _ in sent(asked(line=b"DELETE /compute/v2.1/servers/1 HTTP/1.1"))[1]]
        assert b"content-type" not in names
        assert b"content-length" not in names

    @pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
    def test_an_empty_body_that_was_declared_stays_declared(self, method):
        head = asked(b"Content-Length: 0", line=method + b" /compute/v2.1/servers HTTP/1.1")
        assert values(head, b"content-length") == [b"0"]

    def test_the_length_is_that_of_the_framing_not_the_clients(self):
        head = asked(b"Content-Length: 9", line=b"POST /identity/v3/auth/tokens HTTP/1.1")
        assert values(head, b"content-length", framing=Length(7)) == [b"7"]
        assert values(head, b"content-length", framing=NoBody()) == []

    def test_chunks_stay_chunks(self):
        head = asked(b"Transfer-Encoding: chunked", line=b"PUT /image/v2/images/1/file HTTP/1.1")
        assert values(head, b"transfer-encoding") == [b"chunked"]
        assert values(head, b"transfer-encoding", framing=Chunked()) == [b"chunked"]
        assert values(head, b"content-length") == []

    def test_no_request_lasts_until_the_connection_ends(self):
        with pytest.raises(InternalError):
            sent(asked(), framing=UntilClose())

    def test_expect_is_the_proxys_to_answer(self):
        head = asked(
            b"Content-Length: 3", b"Expect: 100-continue", line=b"PUT /image/v2/images/1/file HTTP/1.1"
        )
        assert values(head, b"expect") == []


class TestVia:
    def test_c7_our_pseudonym_is_appended_with_the_version_that_the_client_spoke(self):
        assert values(asked(), b"via") == [b"1.1 oid-1"]
        assert values(asked(line=b"GET /compute/v2.1 HTTP/1.0"), b"via") == [b"1.0 oid-1"]
        assert values(asked(b"Via: 1.0 fred", b"Via: 1.1 p.example (a, b)"), b"via") == [
            b"1.0 fred, 1.1 p.example (a, b), 1.1 oid-1"
        ]

    @pytest.mark.parametrize(
        "via",
        [b"1.1 oid-1", b"1.0 fred, 1.1 oid-1 (apache)", b"HTTP/1.1  oid-1", b"1.1 a (x(y),z), 1.1 oid-1"],
    )
    def test_c7_a_request_that_was_here_before_is_a_loop(self, via):
        with pytest.raises(LoopDetected) as caught:
            sent(asked(b"Via: " + via))
        assert caught.value.status == 508

    @pytest.mark.parametrize("via", [b"1.1 oid-11", b"1.1 other (oid-1)", b"1.1 other (1.1 oid-1, x)"])
    def test_c7_what_only_looks_like_us_is_none(self, via):
        assert len(values(asked(b"Via: " + via), b"via")) == 1

    def test_c7_at_most_eight_proxies_are_passed(self):
        seven = b"Via: " + b", ".join(b"1.1 p%d" % number for number in range(7))
        assert values(asked(seven), b"via")[0].endswith(b"p6, 1.1 oid-1")
        with pytest.raises(LoopDetected):
            sent(asked(seven, b"Via: 1.1 p7"))
        with pytest.raises(LoopDetected):
            sent(asked(b"Via: 1.1 a, 1.1 b"), via_depth=2)


class TestForwardedFor:
    def test_c8_only_the_peer_is_told_to_the_cloud(self):
        head = asked(b"X-Forwarded-For: 6.6.6.6")
        assert values(head, b"x-forwarded-for") == [b"10.0.0.9"]

    def test_c8_a_trusted_peers_own_list_is_carried_on(self):
        head = asked(b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 10.0.0.1")
        assert values(head, b"x-forwarded-for", peer_trusted=True) == [b"1.2.3.4, 10.0.0.1, 10.0.0.9"]
        assert values(asked(), b"x-forwarded-for", peer_trusted=True) == [b"10.0.0.9"]

    def test_the_interface_of_a_link_local_address_is_nobodys_business(self):
        assert values(asked(), b"x-forwarded-for", peer="fe80::1%eth0") == [b"fe80::1"]


class TestRequestId:
    def test_g12_a_good_one_passes(self):
        head = asked(b"X-Openstack-Request-Id: " + THEIRS)
        assert values(head, b"x-openstack-request-id") == [THEIRS]
        assert client_request_id(head) == THEIRS.decode()

    @pytest.mark.parametrize(
        "bad", [b"req-1", THEIRS + b"0", THEIRS.upper(), b"x" + THEIRS, THEIRS[:-1] + b"g", b"a b"]
    )
    def test_g12_any_other_is_replaced_by_ours(self, bad):
        head = asked(b"X-Openstack-Request-Id: " + bad)
        assert values(head, b"x-openstack-request-id") == [OURS.encode()]
        assert client_request_id(head) is None


class TestEncodingAndRanges:
    def test_c8c_what_may_be_rewritten_is_asked_for_whole_and_plain(self):
        head = asked(b"Accept-Encoding: gzip, deflate", b"Range: bytes=0-9", b'If-Range: "x"')
        fields = dict(sent(head, identity_encoding=True)[1])
        assert fields[b"accept-encoding"] == b"identity"
        assert b"range" not in fields
        assert b"if-range" not in fields

    def test_anything_else_is_asked_for_as_the_client_did(self):
        head = asked(b"Accept-Encoding: gzip", b"Range: bytes=0-9")
        fields = dict(sent(head)[1])
        assert fields[b"accept-encoding"] == b"gzip"
        assert fields[b"range"] == b"bytes=0-9"


class TestCookies:
    HEAD = (b"Cookie: mod_auth_openidc_session=secret",)

    def test_behind_a_gateway_no_cloud_sees_a_cookie(self):
        """One host stands for all clouds there: the session of one would be shown to the others."""
        assert values(asked(*self.HEAD), b"cookie") == []

    def test_beside_a_cloud_its_own_cookies_pass(self):
        own = route("identity", b"/v3/auth", beside_facade(1))
        assert values(asked(*self.HEAD), b"cookie", to=own) == [b"mod_auth_openidc_session=secret"]

    def test_beside_a_cloud_no_other_cloud_sees_them(self):
        other = route("image", b"/v2", beside_facade(1), endpoint("cloud-2", "image", "127.0.1.2"))
        assert values(asked(*self.HEAD), b"cookie", to=other) == []


class TestMaxForwards:
    LINE = b"OPTIONS /compute/v2.1 HTTP/1.1"

    def test_it_goes_down_by_one(self):
        assert values(asked(b"Max-Forwards: 5", line=self.LINE), b"max-forwards") == [b"4"]

    def test_what_is_no_number_is_dropped(self):
        assert values(asked(b"Max-Forwards: x", line=self.LINE), b"max-forwards") == []

    def test_it_means_nothing_to_other_methods(self):
        assert values(asked(b"Max-Forwards: 5"), b"max-forwards") == [b"5"]


@pytest.mark.parametrize("value", [b"Bearer gAAAA-of-cloud-1", b"Basic ZGVtbzpzZWNyZXQ=", b"bearer x"])
def test_an_authorization_of_the_home_is_not_shown_abroad(value):
    head = asked(b"Authorization: " + value)
    assert values(head, b"authorization", to=SERVERS) == [value]
    assert values(head, b"authorization", to=replace(SERVERS, home="cloud-2")) == []

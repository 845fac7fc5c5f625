"""Answer heads as clients get them, and which bodies are rewritten on the way."""

from __future__ import annotations

import pytest

from oidproxy.errors import BadAnswer, InternalError
from oidproxy.http.fields import HOP_BY_HOP
from oidproxy.http.head import Chunked, Length, NoBody, UntilClose
from oidproxy.rewrite.answer import answer, informational_head
from oidproxy.rewrite.links import Links
from tests.rewrite.world import answered, beside_facade, endpoint, gateway, route, two_clouds

LINKS = Links.of(two_clouds(), "cloud-1", gateway("x41"))
SERVERS = route("compute", b"/v2.1/servers")
IMAGE = route("image", b"/v2/images/1/file")
JSON = b"Content-Type: application/json"
LENGTH = b"Content-Length: 100"


def passed(*lines, to=SERVERS, method="GET", status=b"200 OK", links=LINKS, **more):
    return answer(answered(*lines, status=status, method=method), to, method, links, **more)


def values(rewritten, name):
    return [value for one, value in rewritten.fields if one.lower() == name]


class TestFields:
    def test_what_the_cloud_says_passes_as_it_was_written(self):
        lines = (
            b"Server: Apache",
            b"Vary: X-Auth-Token",
            b"x-openstack-request-id: req-1",
            b"Set-X: \xe9",
            LENGTH,
        )
        assert passed(*lines, to=IMAGE).fields == (
            (b"Server", b"Apache"),
            (b"Vary", b"X-Auth-Token"),
            (b"x-openstack-request-id", b"req-1"),
            (b"Set-X", b"\xe9"),
        )

    def test_nothing_is_invented(self):
        assert passed(LENGTH, to=IMAGE).fields == ()

    @pytest.mark.parametrize(
        "name",
        [
            *sorted(HOP_BY_HOP - {b"transfer-encoding", b"connection"}),
            b"X-Scope-Clouds",
            b"X-OIDPROXY-ERROR",
            b"Alt-Svc",
        ],
    )
    def test_c1_c8b_what_is_not_for_clients_is_stripped(self, name):
        assert values(passed(name + b": x", LENGTH), name.lower()) == []

    def test_c1_what_connection_names_is_stripped(self):
        rewritten = passed(b"Connection: X-Mine, keep-alive", b"X-Mine: 1", LENGTH)
        assert rewritten.fields == ()

    def test_cookies_pass_between_a_cloud_and_the_clients_beside_it_only(self):
        cookie = b"Set-Cookie: session=1; Path=/"
        assert values(passed(cookie, LENGTH), b"set-cookie") == []
        own = route("identity", b"/v3/auth", beside_facade(1))
        assert values(passed(cookie, LENGTH, to=own), b"set-cookie") == [b"session=1; Path=/"]
        other = route("image", b"/v2", beside_facade(1), endpoint("cloud-2", "image", "127.0.1.2"))
        assert values(passed(cookie, LENGTH, to=other), b"set-cookie") == []


class TestUrls:
    def test_location_leads_back_through_the_proxy(self):
        rewritten = passed(b"Location: http://127.0.1.1:8774/v2.1/servers/1", LENGTH, status=b"202 Accepted")
        assert values(rewritten, b"location") == [b"http://127.0.0.1:8888/s/x41/compute/v2.1/servers/1"]

    def test_so_it_does_when_it_is_another_services(self):
        """Nova's createImage answers with Glance's URL."""
        rewritten = passed(b"Location: http://127.0.1.1:9292/images/1", LENGTH)
        assert values(rewritten, b"location") == [b"http://127.0.0.1:8888/s/x41/image/images/1"]

    def test_a_location_without_host_keeps_service_and_scope(self):
        to = route("placement", b"/resource_providers", to=endpoint("cloud-1", "placement", "127.0.1.1"))
        rewritten = passed(b"Location: /resource_providers/1", LENGTH, to=to)
        assert values(rewritten, b"location") == [
            b"http://127.0.0.1:8888/s/x41/placement/resource_providers/1"
        ]

    @pytest.mark.parametrize(
        "location", [b"https://idp.example/sso?x=http://127.0.1.1:8774/", b"//other/x", b"x/y", b""]
    )
    def test_a_location_elsewhere_passes(self, location):
        assert values(passed(b"Location: " + location, LENGTH), b"location") == [location]

    def test_content_location_link_and_x_storage_url_too(self):
        rewritten = passed(
            b"Content-Location: http://127.0.1.1:9292/v2/images/1",
            b'Link: <http://127.0.1.1:8774/a?x=1,2>; rel="next", <http://docs/>; rel=help, </v2/x>; rel=self',
            b"X-Storage-Url: http://127.0.1.1:5000/v3",
            LENGTH,
        )
        assert values(rewritten, b"content-location") == [b"http://127.0.0.1:8888/s/x41/image/v2/images/1"]
        assert values(rewritten, b"link") == [
            (
                b'<http://127.0.0.1:8888/s/x41/compute/a?x=1,2>; rel="next", '
                b"<http://docs/>; rel=help, </v2/x>; rel=self"
            )
        ]
        assert values(rewritten, b"x-storage-url") == [b"http://127.0.0.1:8888/s/x41/identity/v3"]

    def test_without_links_every_url_passes(self):
        assert values(passed(b"Location: http://127.0.1.1:8774/v2.1", LENGTH, links=None), b"location") == [
            b"http://127.0.1.1:8774/v2.1"
        ]


class TestBodies:
    def test_a_body_with_links_is_scanned_and_so_of_unknown_length(self):
        rewritten = passed(JSON, LENGTH, b"Content-MD5: x", b"Accept-Ranges: bytes", b"ETag: x")
        assert rewritten.framing == Chunked()
        assert rewritten.fields == ((b"Content-Type", b"application/json"), (b"ETag", b"x"))
        assert rewritten.scanner is not None
        text = b'{"server":{"links":[{"href":"http://127.0.1.1:8774/v2.1/servers/1"}]}}'
        assert rewritten.scanner.feed(text) == text.replace(
            b"http://127.0.1.1:8774", b"http://127.0.0.1:8888/s/x41/compute"
        )

    @pytest.mark.parametrize(
        ("lines", "to"),
        [
            ((b"Content-Type: application/octet-stream", LENGTH), SERVERS),
            ((b"Content-Type: text/html", LENGTH), SERVERS),
            ((LENGTH,), SERVERS),
            ((JSON, LENGTH), IMAGE),
            ((JSON, LENGTH), route("object-store", b"/v1/AUTH_1/c/o.json")),
            ((JSON, LENGTH), route("key-manager", b"/v1/secrets/1/payload")),
            ((JSON, LENGTH), route("identity", b"/v3/endpoints")),
            ((JSON, LENGTH), route("identity", b"/v3/services/1")),
        ],
    )
    def test_any_other_body_streams_untouched(self, lines, to):
        rewritten = passed(*lines, to=to)
        assert rewritten.scanner is None
        assert rewritten.framing == Length(100)

    def test_a_part_of_a_document_is_none_to_rewrite(self):
        assert passed(JSON, LENGTH, status=b"206 Partial Content").scanner is None

    def test_an_empty_body_stays_one(self):
        rewritten = passed(JSON, b"Content-Length: 0")
        assert (rewritten.framing, rewritten.scanner) == (Length(0), None)

    def test_chunks_stay_chunks_and_until_close_becomes_chunks(self):
        assert passed(b"Transfer-Encoding: chunked", to=IMAGE).framing == Chunked()
        assert passed(to=IMAGE).framing == Chunked()

    def test_c8c_an_encoded_body_that_had_to_be_rewritten_is_502(self):
        with pytest.raises(BadAnswer) as caught:
            passed(JSON, LENGTH, b"Content-Encoding: gzip")
        assert (caught.value.status, caught.value.cloud) == (502, "cloud-1")

    @pytest.mark.parametrize(
        "lines", [(b"Content-Encoding: gzip", LENGTH), (JSON, b"Content-Encoding: identity", LENGTH)]
    )
    def test_c8c_encoded_data_and_what_is_not_encoded_pass(self, lines):
        passed(*lines, to=SERVERS if JSON in lines else IMAGE)

    def test_a_version_document_is_answered_by_its_own_words(self):
        rewritten = passed(JSON, LENGTH, to=route("compute", b"/"), status=b"300 Multiple Choices")
        assert rewritten.scanner is not None
        text = b'{"versions":[{"links":[{"rel":"self","href":"http://public/nova/v2.1/"}]}]}'
        assert rewritten.scanner.feed(text) + rewritten.scanner.finish() == text.replace(
            b"http://public/nova", b"http://127.0.0.1:8888/s/x41/compute"
        )
        assert rewritten.scanner.learned == ("http://public/nova",)


class TestWithoutBody:
    def test_a7_head_keeps_a_true_length(self):
        rewritten = passed(b"Content-Length: 1073741824", to=IMAGE, method="HEAD")
        assert rewritten.framing == NoBody()
        assert values(rewritten, b"content-length") == [b"1073741824"]

    def test_head_of_what_would_be_rewritten_has_no_false_one(self):
        rewritten = passed(JSON, LENGTH, method="HEAD")
        assert (rewritten.fields, rewritten.framing, rewritten.scanner) == (
            ((b"Content-Type", b"application/json"),),
            NoBody(),
            None,
        )

    def test_head_of_something_encoded_is_no_error(self):
        passed(JSON, LENGTH, b"Content-Encoding: gzip", method="HEAD")

    def test_304_keeps_its_length_and_204_has_none(self):
        assert values(passed(LENGTH, to=IMAGE, status=b"304 Not Modified"), b"content-length") == [b"100"]
        empty = passed(to=IMAGE, status=b"204 No Content")
        assert (empty.framing, empty.fields) == (NoBody(), ())


class TestHeadBytes:
    def test_status_line_fields_framing(self):
        rewritten = passed(b"A: 1", LENGTH, to=IMAGE, status=b"404 Not  here")
        assert rewritten.head_bytes([(b"X-Scope-Why", b"y")], close=False) == (
            b"HTTP/1.1 404 Not  here\r\nA: 1\r\nX-Scope-Why: y\r\nContent-Length: 100\r\n\r\n"
        )

    def test_an_empty_reason_keeps_its_blank(self):
        """RFC 9112 section 4: the blank stands even before no reason."""
        head = passed(LENGTH, to=IMAGE, status=b"299 ").head_bytes(close=True)
        assert head == b"HTTP/1.1 299 \r\nContent-Length: 100\r\nConnection: close\r\n\r\n"

    def test_chunked(self):
        assert (
            passed(JSON, LENGTH).head_bytes(close=False).endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        )

    def test_http_1_0_knows_no_chunks_so_the_connection_ends_the_body(self):
        rewritten = passed(JSON, LENGTH, client_minor=0)
        assert rewritten.framing == UntilClose()
        assert rewritten.until_close
        assert rewritten.head_bytes(close=False).endswith(b"\r\nConnection: close\r\n\r\n")

    def test_http_1_0_has_to_be_told_that_the_connection_stays(self):
        kept = passed(LENGTH, to=IMAGE, client_minor=0).head_bytes(close=False)
        assert kept.endswith(b"\r\nConnection: keep-alive\r\n\r\n")

    def test_no_field_can_bring_a_line_of_its_own(self):
        with pytest.raises(InternalError):
            passed(LENGTH).head_bytes([(b"X-Scope-Why", b"a\r\nSet-Cookie: b")], close=False)


def test_c13_an_informational_head_is_passed_on_without_our_own_fields():
    head = answered(
        b"Link: </style.css>; rel=preload",
        b"X-Scope-X: 1",
        b"Connection: X-Y",
        b"X-Y: 1",
        status=b"103 Early Hints",
    )
    assert informational_head(head) == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"

"""One of several clouds is asked as a plain forward would, and whatever happens comes back as a value."""

from __future__ import annotations

import asyncio
import json
import socket
from types import MappingProxyType, SimpleNamespace

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.plan import One
from oidproxy.clouds.registry import Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.errors import IdentityUnavailable, NotAdmitted
from oidproxy.http.parse import request_head
from oidproxy.identity.service import Exchanged, Outgoing, Projects
from oidproxy.manyclouds.asker import Asker
from oidproxy.manyclouds.legs import Legs
from oidproxy.manyclouds.parts import Answered, Happened, Unanswered
from oidproxy.rewrite.links import Links
from oidproxy.routing.decision import Carrier, Facade, Forward, Leg, Route
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.presented import Form, Presented
from oidproxy.upstream.pools import Upstreams
from tests.upstream.service import answering, serving
from tests.wire.rig import eventually

GATEWAY = Listener("127.0.0.1", 8888)
FACADE = Facade("http", "127.0.0.1", 8888, GATEWAY)
TOKEN = Presented(Form.SEALED, "demo", "demo", "home")
LIMIT = 1 << 20


def answer(status: int, body: bytes, *fields: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 %d X" % status,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *fields,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def registry(port: int, limits: Limits) -> Registry:
    endpoint = Endpoint("far", "compute", Origin("http", "127.0.0.1", port), root="/compute")
    cloud = Cloud("far", "http://127.0.0.1:1/v3", 0, (endpoint,))
    return Registry(
        clouds=MappingProxyType({"far": cloud}),
        groups=MappingProxyType({}),
        local="far",
        listeners=(GATEWAY,),
        rtt=RoundTrips(),
        limits=limits,
        service_types=frozenset({"compute"}),
        index=MappingProxyType({("far", "compute"): (endpoint,)}),
    )


class Identity:
    """Sends the token as it is, or raises."""

    def __init__(self) -> None:
        self.refuses: Exception | None = None
        self.exchanged: Exchanged | None = None
        self.unaccepted_ones: list[str] = []

    def is_service(self, token):
        return False

    def outgoing_now(self, forward, method):
        return None

    async def outgoing(self, forward, method):
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        return Outgoing(forward.token.token, None, self.exchanged)

    def unaccepted(self, forward, sent):
        self.unaccepted_ones.append(forward.route.cloud)


class Rig:
    def __init__(self, port: int, limits: Limits) -> None:
        self.registry = registry(port, limits)
        self.identity = Identity()
        self.upstreams = Upstreams(self.registry)

    def leg(self, target: bytes = b"/v2.1/servers?limit=2") -> Leg:
        endpoint = self.registry.index["far", "compute"][0]
        whole, rest = b"/compute" + target, target.partition(b"?")[0]
        route = Route("compute", endpoint, whole, rest, "home", Carrier.HEADER, NO_SCOPE, NO_SCOPE, FACADE)
        return Leg(One("far"), Forward(route, TOKEN, None))

    def legs(self, text: bytes = b"GET /compute/v2.1/servers?limit=2 HTTP/1.1", *lines: bytes) -> Legs:
        head = request_head(b"\r\n".join([text, b"Host: x", *lines, b"", b""]), Limits())
        asker = Asker(head, "10.0.0.9", peer_trusted=False, request_id="req-1", via_depth=8)
        return Legs(
            asker,
            upstreams=self.upstreams,
            identity=self.identity,
            staging=SimpleNamespace(),
            links=lambda endpoint, facade: Links.of(self.registry, endpoint.cloud, facade),
            pseudonym="oidproxy-test",
        )


@pytest.fixture
async def rig(request):
    """`request.param` is the script of the cloud's service."""
    async with serving(request.param) as service:
        made = Rig(service.port, Limits())
        made.service = service
        yield made
        await made.upstreams.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


ROWS = answer(200, b'{"servers": []}')


async def silent(service, peer):
    service.heads.append(await peer.head())
    await peer.rest()


async def cut(service, peer):
    service.heads.append(await peer.head())
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def closing(service, peer):
    service.heads.append(await peer.head())


@pytest.mark.parametrize("rig", [answering(ROWS)], indirect=True)
async def test_the_head_is_that_of_a_plain_forward(rig):
    legs = rig.legs(
        b"GET /compute/v2.1/servers?limit=2 HTTP/1.1",
        b"X-Scope: compute:far",
        b"OpenStack-API-Version: compute 2.90",
        b"Accept-Encoding: gzip",
        b"If-None-Match: x",
        b"Connection: close, X-Hop",
        b"X-Hop: 1",
    )
    part = await legs.ask(rig.leg(), limit=LIMIT)
    assert isinstance(part, Answered)
    assert (part.cloud, part.status, part.body, part.happened) == (
        "far",
        200,
        b'{"servers": []}',
        Happened.YES,
    )
    [head] = rig.service.heads
    lines = head.split(b"\r\n")
    assert lines[0] == b"GET /compute/v2.1/servers?limit=2 HTTP/1.1"
    names = [line.partition(b":")[0].lower() for line in lines[1:-2]]
    assert names == [
        b"host",
        b"openstack-api-version",
        b"x-auth-token",
        b"accept-encoding",
        b"via",
        b"x-forwarded-for",
        b"x-openstack-request-id",
    ]
    assert b"Accept-Encoding: identity" in lines
    assert b"X-Auth-Token: demo" in lines


@pytest.mark.parametrize("rig", [answering(ROWS)], indirect=True)
async def test_another_question_keeps_the_clients_fields_but_for_those_given(rig):
    legs = rig.legs(
        b"DELETE /compute/v2.1/servers/s HTTP/1.1", b"X-Openstack-Nova-API-Version: 2.1", b"If-Match: x"
    )
    await legs.ask(
        rig.leg(),
        method="POST",
        target=b"/v2.1/servers?a=b",
        body=b"{}",
        fields=((b"Content-Type", b"application/json"), (b"x-openstack-nova-api-version", b"2.90")),
        limit=LIMIT,
    )
    [head] = rig.service.heads
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /compute/v2.1/servers?a=b HTTP/1.1"
    assert b"x-openstack-nova-api-version: 2.90" in lines
    assert b"X-Openstack-Nova-API-Version: 2.1" not in lines
    assert b"Content-Length: 2" in lines
    assert b"If-Match: x" not in lines


@pytest.mark.parametrize("rig", [answering(answer(401, b"{}"))], indirect=True)
async def test_a_token_that_is_not_accepted_is_asked_about_again(rig):
    part = await rig.legs().ask(rig.leg(), limit=LIMIT)
    assert isinstance(part, Answered)
    assert rig.identity.unaccepted_ones == ["far"]


@pytest.mark.parametrize(
    ("rig", "expected"),
    [
        (answering(answer(429, b"{}")), Happened.NO),
        (answering(answer(503, b"{}")), Happened.PERHAPS),
        (answering(answer(404, b"{}")), Happened.YES),
    ],
    indirect=["rig"],
)
async def test_an_answer_tells_by_its_status_what_happened(rig, expected):
    part = await rig.legs().ask(rig.leg(), limit=LIMIT)
    assert part.happened is expected


@pytest.mark.parametrize("refusal", [NotAdmitted("no"), IdentityUnavailable("home is down", sent=True)])
@pytest.mark.parametrize("rig", [answering(ROWS)], indirect=True)
async def test_a_refusal_of_identity_is_known_not_to_have_happened(rig, refusal):
    rig.identity.refuses = refusal
    part = await rig.legs().ask(rig.leg(), limit=LIMIT)
    assert part == Unanswered(rig.leg(), refusal, Happened.NO)
    assert rig.service.peers == []


async def test_no_connection_is_known_not_to_have_happened():
    rig = Rig(free_port(), Limits())
    part = await rig.legs(b"POST /compute/v2.1/servers HTTP/1.1").ask(rig.leg(), body=b"{}", limit=LIMIT)
    assert (part.error.code, part.error.cloud, part.happened) == ("connect-refused", "far", Happened.NO)
    await rig.upstreams.close()


@pytest.mark.parametrize(
    ("rig", "code"), [(cut, "connection-broken"), (closing, "connection-broken")], indirect=["rig"]
)
async def test_an_answer_that_breaks_off_may_have_happened(rig, code):
    part = await rig.legs(b"POST /compute/v2.1/servers HTTP/1.1").ask(rig.leg(), body=b"{}", limit=LIMIT)
    assert (part.error.code, part.happened) == (code, Happened.PERHAPS)


@pytest.mark.parametrize("rig", [silent], indirect=True)
async def test_a_deadline_after_the_request_was_sent_may_have_happened_and_closes_the_connection(rig):
    deadline = asyncio.get_running_loop().time() + 0.2
    part = await rig.legs(b"DELETE /compute/v2.1/servers/s HTTP/1.1").ask(
        rig.leg(), limit=LIMIT, deadline=deadline
    )
    assert (part.error.code, part.error.sent, part.happened) == ("answer-timeout", True, Happened.PERHAPS)
    await eventually(rig.service.peers[0].reader.at_eof)


@pytest.mark.parametrize("rig", [silent], indirect=True)
async def test_a_deadline_in_our_own_queue_is_known_not_to_have_happened(rig):
    rig.upstreams.swap(registry(rig.service.port, Limits(pool=2, pool_reserved=1)))
    legs = rig.legs(b"POST /compute/v2.1/servers HTTP/1.1")
    first = asyncio.create_task(legs.ask(rig.leg(), limit=LIMIT))
    await eventually(lambda: rig.service.heads)
    part = await legs.ask(rig.leg(), limit=LIMIT, deadline=asyncio.get_running_loop().time() + 0.1)
    assert part.happened is Happened.NO
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("rig", [silent], indirect=True)
async def test_who_leaves_cuts_the_call_off(rig):
    asking = asyncio.create_task(rig.legs().ask(rig.leg(), limit=LIMIT))
    await eventually(lambda: rig.service.heads)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await eventually(rig.service.peers[0].reader.at_eof, 0.5)


@pytest.mark.parametrize("rig", [answering(answer(200, b"x" * 2000))], indirect=True)
async def test_an_answer_beyond_the_limit_is_no_answer(rig):
    part = await rig.legs().ask(rig.leg(), limit=1000)
    assert (part.error.code, part.happened) == ("bad-answer", Happened.PERHAPS)


@pytest.mark.parametrize(
    "rig",
    [
        answering(
            answer(
                200,
                json.dumps(
                    {"servers": [{"id": "s", "links": [{"rel": "self", "href": "http://127.0.0.1:1/x"}]}]}
                ).encode(),
            )
        )
    ],
    indirect=True,
)
async def test_an_answer_is_shown_with_links_through_the_proxy(rig):
    legs = rig.legs()
    part = await legs.ask(rig.leg(), limit=LIMIT)
    shown = legs.shown(part)
    assert json.loads(shown.body)["servers"][0]["links"][0]["href"] == "http://127.0.0.1:8888/compute/x"
    assert b"127.0.0.1:1/" in part.body


@pytest.mark.parametrize(
    "rig", [answering(answer(200, b'{"servers": [{"id": "s", "tenant_id": "there"}]}'))], indirect=True
)
async def test_after_an_exchange_projects_are_those_of_the_cloud_and_shown_as_those_of_home(rig):
    rig.identity.exchanged = Exchanged("bare", Projects("here", "there"), "mapped", "u")
    legs = rig.legs()
    part = await legs.ask(rig.leg(b"/v2.1/here/servers?tenant_id=here"), limit=LIMIT)
    assert rig.service.heads[0].startswith(b"GET /compute/v2.1/there/servers?tenant_id=there HTTP/1.1\r\n")
    assert json.loads(legs.shown(part).body)["servers"][0]["tenant_id"] == "here"


class Client:
    """Takes what is handed over."""

    def __init__(self) -> None:
        self.got = b""
        self.ended = False
        self.error = None

    def ready(self):
        pass

    def data(self, data):
        self.got += data

    def end(self):
        self.ended = True

    def failure(self, error):
        self.error = error


async def in_two_pieces(service, peer):
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
    await asyncio.sleep(0.1)
    await peer.send(b"half")
    await peer.rest()


@pytest.mark.parametrize("rig", [in_two_pieces], indirect=True)
async def test_an_answer_is_handed_over_as_it_comes(rig):
    opened = await rig.legs().open(rig.leg())
    assert opened.status == 200
    client = Client()
    opened.answer.hand_over(client)
    await eventually(lambda: client.ended)
    assert client.got == b"halfhalf"


@pytest.mark.parametrize("rig", [cut], indirect=True)
async def test_an_opened_answer_that_breaks_off_fails_where_it_was_handed_over(rig):
    opened = await rig.legs().open(rig.leg())
    client = Client()
    opened.answer.hand_over(client)
    await eventually(lambda: client.error)
    assert (client.got, client.ended) == (b"half", False)


@pytest.mark.parametrize("rig", [silent], indirect=True)
async def test_nobody_waits_for_a_head_beyond_the_deadline(rig):
    opened = await rig.legs().open(rig.leg(), deadline=asyncio.get_running_loop().time() + 0.1)
    assert (opened.error.code, opened.happened) == ("answer-timeout", Happened.PERHAPS)
    await eventually(rig.service.peers[0].reader.at_eof)

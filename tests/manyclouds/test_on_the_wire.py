"""Requests that name images, byte by byte: what the cloud gets, what the client gets, and who may leave."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime

import pytest
from aiohttp import web

from tests.manyclouds.glance import Glance
from tests.manyclouds.world import HERE, THERE
from tests.tokens.bodies import body as token_body
from tests.wire import rig as wire
from tests.wire.rig import eventually, loopback

TOKEN, PROJECT = "demo-token", "p-1"
SIZE = 1024 * 1024
ACCEPTED = b'{"server": {"id": "s"}}'
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)


@pytest.fixture
async def keystone():
    """Both clouds': it knows one token."""

    async def show(request):
        if {request.headers["X-Auth-Token"], request.headers["X-Subject-Token"]} != {TOKEN}:
            raise web.HTTPUnauthorized
        ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return web.json_response({"token": token_body(expires_at=ends)})

    app = web.Application()
    app.router.add_get("/v3/auth/tokens", show)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v3"
    await runner.cleanup()


@pytest.fixture
async def here():
    made = Glance({TOKEN: PROJECT})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def there():
    made = Glance({TOKEN: PROJECT})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def image(there):
    return there.add(PROJECT, SIZE)["id"]


@pytest.fixture
async def proxy(tmp_path, monkeypatch, keystone, here, there):
    nova = loopback()
    settings = {
        "local": HERE,
        "clouds": {
            HERE: {
                "auth_url": keystone,
                "exchange": [],
                "endpoints": {
                    "identity": keystone,
                    "image": f"http://127.0.0.1:{here.port}",
                    "compute": f"http://{nova}:9292/v2.1",
                },
            },
            THERE: {
                "auth_url": keystone,
                "exchange": ["same"],
                "admits": {HERE: {"roles": ["member", "reader"]}},
                "endpoints": {"identity": keystone, "image": f"http://127.0.0.1:{there.port}"},
            },
        },
    }

    def configuration(address, port, *_, **__):
        return json.dumps({"listeners": [{"bind": f"{address}:{port}"}], **settings})

    monkeypatch.setattr(wire, "configuration", configuration)
    async with wire.rig(tmp_path, recording, upstream_host=nova) as made:
        yield made


def recording(upstream):
    """A Nova that takes every server, and keeps heads and bodies."""

    async def handle(peer):
        while True:
            head = await peer.head()
            found = LENGTH.search(head)
            upstream.heads.append(head + await peer.exactly(int(found[1]) if found else 0))
            await peer.send(
                b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(ACCEPTED), ACCEPTED)
            )

    return handle


def request(body: bytes, framing: bytes = b"") -> bytes:
    framing = framing or b"Content-Length: %d\r\n" % len(body)
    return (
        b"POST /compute/v2.1/servers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"X-Auth-Token: " + TOKEN.encode() + b"\r\nX-Scope: image:edge-2\r\n" + framing + b"\r\n" + body
    )


def named(image: str) -> bytes:
    return f'{{ "server":{{"imageRef" : "{image}","name":"é {image}","n":1.50}}  }}'.encode()


async def answer(peer):
    """Head and body of the next answer."""
    head = await peer.head()
    if found := LENGTH.search(head):
        return head, await peer.exactly(int(found[1]))
    # What may show ids is passed on in chunks.
    body = b""
    while size := int(await peer.until(b"\r\n"), 16):
        body += (await peer.exactly(size + 2))[:-2]
    await peer.exactly(2)
    return head, body


async def test_the_cloud_gets_its_own_id_and_every_other_byte(proxy, here, image):
    peer = await proxy.client()
    await peer.send(request(named(image)))
    head, body = await answer(peer)
    assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 202 Accepted", ACCEPTED)
    [copy] = here.images
    [sent] = proxy.upstream.heads
    assert sent.partition(b"\r\n\r\n")[2] == named(image).replace(
        b'"' + image.encode(), b'"' + copy.encode(), 1
    )
    assert b"X-Auth-Token: " + TOKEN.encode() + b"\r\n" in sent


async def test_a_body_in_chunks_arrives_whole(proxy, here, image):
    body = named(image)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:20], body[20:]))
    peer = await proxy.client()
    await peer.send(request(chunks + b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"))
    assert (await answer(peer))[1] == ACCEPTED
    [copy] = here.images
    assert copy.encode() in proxy.upstream.heads[0]


async def test_a_slow_copy_is_a_503_and_the_same_request_succeeds_later(proxy, here, there, image):
    proxy.serving.staging._wait = 0.2
    there.faults.gate = asyncio.Event()
    peer = await proxy.client()
    await peer.send(request(named(image)))
    head, body = await answer(peer)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nX-Oidproxy-Error: staging\r\n" in head
    assert re.search(rb"\r\nRetry-After: [1-9]\d*\r\n", head)
    assert f"The image {image} is on its way from {THERE} to {HERE}" in json.loads(body)["error"]["message"]
    assert proxy.upstream.heads == []
    there.faults.gate.set()
    await eventually(lambda: [one["status"] for one in here.images.values()] == ["active"])
    await peer.send(request(named(image)))
    assert (await answer(peer))[1] == ACCEPTED
    assert here.count("POST") == 1


async def test_a_client_that_leaves_does_not_end_the_copy_but_its_request(proxy, here, there, image):
    there.faults.gate = asyncio.Event()
    peer = await proxy.client()
    await peer.send(request(named(image)))
    await eventually(lambda: there.count(f"GET /v2/images/{image}/file"))
    peer.reset()
    await eventually(lambda: not proxy.serving.connections)
    there.faults.gate.set()
    await eventually(lambda: [one["status"] for one in here.images.values()] == ["active"])
    await asyncio.sleep(0.1)
    assert proxy.upstream.heads == []


async def test_a_refusal_of_the_cloud_is_told_and_nothing_sent_on(proxy, here, image):
    here.faults.refuses_data = (413, "Image storage quota exceeded.")
    peer = await proxy.client()
    await peer.send(request(named(image)))
    head, body = await answer(peer)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nX-Oidproxy-Error: staging-quota\r\n" in head
    assert "Image storage quota exceeded." in json.loads(body)["error"]["message"]
    assert (proxy.upstream.heads, here.images) == ([], {})


async def test_a_body_that_names_no_image_costs_no_call(proxy, here, there):
    peer = await proxy.client()
    body = b'{"server": {"name": "x", "imageRef": ""}}'
    await peer.send(request(body))
    assert (await answer(peer))[1] == ACCEPTED
    assert proxy.upstream.heads[0].endswith(body)
    assert here.asked == there.asked == []


async def test_a_body_too_large_to_be_read_is_refused(proxy, here):
    peer = await proxy.client()
    await peer.send(request(b"", b"Content-Length: 1048577\r\n"))
    assert (await answer(peer))[0].startswith(b"HTTP/1.1 413 ")

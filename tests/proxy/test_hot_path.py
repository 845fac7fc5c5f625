"""What an ordinary request costs, counted in executed instructions: the same on every machine.

A budget that is exceeded is no failure of the proxy's, but somebody has to say what the more is good for.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pytest

import oidproxy
from oidproxy.scope.parse import parse
from oidproxy.tokens.sealed import seal
from tests.wire.rig import answering, rig

PACKAGE = str(Path(oidproxy.__file__).parent)

BUDGETS = {"image": 1150, "compute": 1230}
"""Bytecode instructions of CPython 3.11 for one request. Compute's answers are searched for links."""

DOCUMENT = json.dumps({"server": {"id": "x" * 36, "name": "y" * 1400}}).encode()
ANSWER = (
    b"\r\n".join(
        [
            b"HTTP/1.1 200 OK",
            b"Date: Thu, 20 Nov 2025 12:00:00 GMT",
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(DOCUMENT),
            b"x-openstack-request-id: req-11111111-2222-4333-8444-555555555555",
            b"x-compute-request-id: req-11111111-2222-4333-8444-555555555555",
            b"Connection: Keep-Alive",
            *(b"X-Field-%d: value of a field" % number for number in range(14)),
        ]
    )
    + b"\r\n\r\n"
    + DOCUMENT
)


def request(service: str, number: int) -> bytes:
    """One of many alike: target, token and request id differ from each to the next."""
    token = seal(f"gAAAAAB{number:0150}", "cloud-1", parse("image:cloud-1"))
    lines = [
        f"GET /{service}/v2/things/{number:036}?limit={number} HTTP/1.1",
        "Host: proxy:8888",
        f"X-Auth-Token: {token}",
        "X-Scope: compute:cloud-1",
        f"X-Openstack-Request-Id: req-{number:08}-2222-4333-8444-555555555555",
        "User-Agent: openstacksdk/4.0.1 keystoneauth1/5.8.0 python-requests/2.32.3 CPython/3.11.2",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        *(f"X-Field-{number}: value of a field" for number in range(6)),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Instructions:
    """Counts what is executed of the package, whoever calls it, while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._calls)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)

    def _calls(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._executed

    def _executed(self, frame, event, argument):
        self.count += event == "opcode"
        return self._executed


async def ask(peer, data: bytes) -> None:
    await peer.send(data)
    head = await peer.head()
    assert head.startswith(b"HTTP/1.1 200 ")
    if b"chunked" in head:
        assert DOCUMENT in await peer.until(b"0\r\n\r\n")
    else:
        assert await peer.exactly(len(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("service", BUDGETS)
async def test_a_request_like_those_before_keeps_to_its_budget(service, tmp_path):
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        peer = await proxy.client()
        for number in range(5):
            await ask(peer, request(service, number))
        counts = []
        for number in range(5, 15):
            data = request(service, number)
            with Instructions() as executed:
                await ask(peer, data)
            counts.append(executed.count)
        # Sweeps over all connections come in between now and then.
        assert 500 < min(counts) <= BUDGETS[service], counts


async def test_a_request_leaves_nothing_behind(tmp_path):
    async with rig(tmp_path, answering(ANSWER)) as proxy:
        peer = await proxy.client()

        async def many() -> int:
            for number in range(200):
                await ask(peer, request("compute", number))
            proxy.serving.access.flush()
            proxy.upstream.heads.clear()
            gc.collect()
            return sys.getallocatedblocks()

        await many()
        before = await many()
        assert await many() - before < 200

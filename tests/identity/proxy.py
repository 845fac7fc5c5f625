"""Requests as a service or a client sends them, decided by routing and carried out by identity."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from oidproxy.clouds.limits import Limits
from oidproxy.errors import OidproxyError
from oidproxy.http.parse import request_head as parse_request
from oidproxy.routing.decide import decide, decide_body
from oidproxy.routing.decision import Arrival, Forward, Issue, ReadBody, Refuse, Revoke, Validate
from tests.identity.world import GATEWAY, PORTS, beside, writer


@dataclass
class Result:
    """What came of a request: an answer, or what is sent on to which cloud."""

    status: int
    body: bytes = b""
    fields: tuple = ()
    cloud: str = ""
    outgoing: object = None
    error: object = field(default=None)

    @property
    def token(self):
        return json.loads(self.body)["token"]


def bytes_of(method, target, fields, body, host):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {len(body)}"] if body or method in {"POST", "PUT"} else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def send(world, method, target, *, at=None, service=None, body=None, **tokens):
    """A request to the port of a service beside a cloud, or (`at` None) to the gateway."""
    raw = json.dumps(body).encode() if body is not None else b""
    names = {"auth": "X-Auth-Token", "subject": "X-Subject-Token", "service_token": "X-Service-Token"}
    names |= {"scope": "X-Scope", "rules": "OpenStack-Identity-Access-Rules"}
    fields = {names[name]: value for name, value in tokens.items() if value is not None}
    listener = beside(int(at[-1])) if at else GATEWAY
    port = PORTS[service] if service else 8888
    host = f"{listener.host}:{port}"
    try:
        head = parse_request(bytes_of(method, target, fields, raw, host), Limits())
        return await _carry_out(world, head, Arrival(listener, port, "127.0.1.9", service), raw)
    except OidproxyError as error:
        return Result(error.status, error=error)


async def _carry_out(world, head, arrival, body):
    snapshot, now = world.snapshot(), world.keystones.now
    decision = decide(head, arrival, snapshot, now)
    if isinstance(decision, ReadBody):
        decision = decide_body(head, body, arrival, snapshot, now)
    match decision:
        case Refuse(error=error):
            raise error
        case Forward():
            outgoing = await world.identity.outgoing(decision, head.method)
            return Result(0, cloud=decision.route.cloud, outgoing=outgoing)
        case Issue():
            reply = await world.identity.issue(decision, head, writer(head, decision.route))
        case Validate():
            reply = await world.identity.validate(decision, head, writer(head, decision.route))
        case Revoke():
            reply = await world.identity.revoke(decision, head, writer(head, decision.route))
        case _:
            raise AssertionError(decision)
    return Result(reply.status, reply.body, reply.fields)

"""Outcomes for tests: some clouds, some services, some failures, the same each time."""

from __future__ import annotations

import random

from oidproxy.trace.results.manifest import Manifest
from oidproxy.trace.results.outcome import Outcome

MILLISECOND = 1_000_000

KINDS = (
    ("GET", "image", "/v2/images"),
    ("POST", "compute", "/v2.1/servers"),
    ("GET", "compute", "/v2.1/servers/{server_id}"),
)


def outcomes(count=300, clouds=3, seed=1, slower=0.0) -> list[Outcome]:
    draw = random.Random(seed)
    names = [f"cloud-{n + 1}" for n in range(clouds)]
    return [_one(draw, n, names, slower) for n in range(count)]


def _one(draw, n, names, slower):
    method, service, template = KINDS[n % len(KINDS)]
    cloud, home = draw.choice(names), draw.choice(names)
    intended = n * 10 * MILLISECOND
    done = intended + int(draw.lognormvariate(16 + slower, 0.5))
    told = {"n": n, "intended_ns": intended, "method": method, "service": service, "template": template}
    if n % 50 == 49:
        return Outcome(
            **told, cloud=cloud, recorded_status=200, unmatched=f"servers {n}: request {n - 1} failed"
        )
    failed = n % 40 == 39
    return Outcome(
        **told,
        sent_ns=intended + 1000,
        first_byte_ns=done - 10,
        done_ns=done,
        cloud=cloud,
        clouds=(cloud,),
        home=home,
        status=503 if failed else 200,
        recorded_status=200,
        error="ejected" if failed else "",
        bytes_out=1000 + n,
        moved=((cloud, home, 1000 + n),) if cloud != home else (),
        made_up=("body",) if method == "POST" else (),
    )


def manifest(**more) -> Manifest:
    told = {
        "kind": "virtual",
        "command": ("oidproxy", "trace", "replay", "t"),
        "seed": 7,
        "trace": "t.jsonl",
        **more,
    }
    return Manifest(**told)

"""Runs a part of a replay against a fake cloud, in the test's own loop."""

from __future__ import annotations

import asyncio

from oidproxy.trace.replaying.part import Part
from oidproxy.trace.replaying.settings import Login, Logins, Settings
from oidproxy.trace.schedule import Schedule
from oidproxy.trace.survey import replayed, survey


def settings(cloud, **more) -> Settings:
    return Settings(
        trace=None, logins=Logins(Login(f"{cloud.url}/identity/v3", b'{"auth": "secret-1"}')), **more
    )


def part(cloud, lines, *, done=None, learned=None, begins=0, **more) -> Part:
    told = settings(cloud, **more)
    found = survey(lines)
    return Part(
        told,
        found,
        Schedule(told.speed, told.loops, found.begins, found.ends),
        lambda: replayed(lines, found.inferred),
        begins=begins,
        done=done or {},
        learned=learned or {},
    )


async def replay(cloud, lines, **more):
    """The outcomes in the trace's order, and the part."""
    one = part(cloud, lines, **more)
    outcomes = []
    start = asyncio.Event()
    await one.run(outcomes.append, start.set, start)
    return sorted(outcomes, key=lambda outcome: (outcome.loop, outcome.n)), one

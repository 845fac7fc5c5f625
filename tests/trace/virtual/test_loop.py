"""Time that passes only when nothing is left to be done."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import uuid

import pytest

from oidproxy.trace.virtual.chance import drawn_from
from oidproxy.trace.virtual.loop import BEGIN, Stuck, VirtualLoop
from tests.trace.virtual.rig import virtually


def test_a_day_of_sleeping_takes_no_time():
    async def work(world):
        await asyncio.sleep(86_400)
        return world.passed

    began = time.monotonic()
    assert virtually(work) == 86_400
    assert time.monotonic() - began < 60


def test_timers_come_by_time_and_those_of_one_time_as_they_were_asked_for():
    async def work(world):
        said = []
        for name, delay in (("c", 2), ("a", 1), ("d", 2), ("b", 1), ("e", 2)):
            world.loop.call_later(delay, said.append, name)
        await asyncio.sleep(3)
        return said

    assert virtually(work) == ["a", "b", "c", "d", "e"]


def test_a_cancelled_timer_does_nothing_and_timeouts_work():
    async def work(world):
        said = []
        world.loop.call_later(1, said.append, "never").cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.Event().wait()
        return said, world.passed

    assert virtually(work) == ([], 2)


def test_what_never_happens_is_an_error_and_no_hanging_test():
    loop = VirtualLoop()
    try:
        with pytest.raises(Stuck):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()


def test_there_are_no_threads_and_no_names():
    async def work(world):
        with pytest.raises(RuntimeError, match="no threads"):
            await asyncio.to_thread(print)
        with pytest.raises(OSError, match="no names"):
            await world.loop.getaddrinfo("example.org", 80)
        return world.loop.time() == BEGIN

    assert virtually(work)


def test_random_bytes_come_from_the_seed_in_this_thread_alone():
    other: list[bytes] = []

    def drawn(seed: int) -> tuple[str, bytes]:
        with drawn_from(seed):
            thread = threading.Thread(target=lambda: other.append(os.urandom(16)))
            thread.start()
            thread.join()
            return str(uuid.uuid4()), os.urandom(8)

    assert drawn(7) == drawn(7) != drawn(8)
    assert len(set(other)) == 3
    assert os.urandom(8) != os.urandom(8)

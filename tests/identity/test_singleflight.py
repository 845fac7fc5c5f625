"""One question at a time."""

import asyncio
import gc

import pytest

from oidproxy.identity.singleflight import SingleFlight


class Work:
    def __init__(self, result=1):
        self.count = 0
        self.result = result
        self.go = asyncio.Event()

    async def __call__(self):
        self.count += 1
        await self.go.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def ask(flights, work, times=3):
    tasks = [asyncio.ensure_future(flights.do("key", work)) for _ in range(times)]
    await asyncio.sleep(0)
    return tasks


async def test_all_askers_of_one_moment_share_one_answer():
    flights, work = SingleFlight(), Work()
    tasks = await ask(flights, work)
    work.go.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert work.count == 1
    assert len(flights) == 0


async def test_the_next_moment_asks_again():
    flights, work = SingleFlight(), Work()
    work.go.set()
    await flights.do("key", work)
    await flights.do("key", work)
    assert work.count == 2


async def test_keys_do_not_wait_for_one_another():
    flights, slow, quick = SingleFlight(), Work("slow"), Work("quick")
    task = (await ask(flights, slow, 1))[0]
    quick.go.set()
    assert await flights.do("other", quick) == "quick"
    slow.go.set()
    assert await task == "slow"


async def test_an_error_is_shared_and_not_kept():
    flights, work = SingleFlight(), Work(OSError("no"))
    tasks = await ask(flights, work)
    work.go.set()
    assert [type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)] == [OSError] * 3
    assert len(flights) == 0


async def test_an_asker_that_is_gone_takes_nobody_with_it():
    flights, work = SingleFlight(), Work()
    first, second, third = await ask(flights, work)
    first.cancel()
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(second, third) == [1, 1]
    with pytest.raises(asyncio.CancelledError):
        await first
    assert work.count == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_warning():
    flights, work = SingleFlight(), Work(OSError("no"))
    (task,) = await ask(flights, work, 1)
    task.cancel()
    await asyncio.sleep(0)
    work.go.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(flights) == 0
    gc.collect()  # pytest makes an error of "exception was never retrieved"

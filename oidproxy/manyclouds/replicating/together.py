"""Many things at once, but so many of them at one time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

One = TypeVar("One")
Result = TypeVar("Result")


async def together(
    work: Callable[[One], Awaitable[Result]], ones: Iterable[One], *, at_most: int
) -> list[Result]:
    """What the work makes of each of them, in their order. The first error ends the wait, as in `gather`."""
    turns = asyncio.Semaphore(at_most)

    async def in_turn(one: One) -> Result:
        async with turns:
            return await work(one)

    return list(await asyncio.gather(*map(in_turn, ones)))

"""Runs the procedures of a simulated cloud in real time: carries out their steps over HTTP and on disk."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from oidproxy.sim.steps import (
    Call,
    Discard,
    Fetch,
    Note,
    Once,
    Pause,
    Procedure,
    ReadBody,
    Spawn,
    Step,
    Store,
    Upload,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping
    from pathlib import Path

    from oidproxy.sim.blobs import Blobs
    from oidproxy.sim.connections import Connections
    from oidproxy.sim.messages import Content

T = TypeVar("T")
LOG = logging.getLogger(__name__)


class Incoming(Protocol):
    """The body of the request that a procedure answers."""

    async def read(self, limit: int) -> bytes:
        """Whole."""
        ...

    async def store(self, blob: str) -> Content:
        """Streamed to disk."""
        ...


class Driver:
    """One for all services of a cloud."""

    def __init__(self, connections: Connections, blobs: Blobs, directory: Path) -> None:
        self.blobs = blobs
        self.stirred: Callable[[], None] = lambda: None
        """Called before a procedure goes on after a step: it may change something then."""
        self._directory = directory
        self._tasks: set[asyncio.Task[None]] = set()
        self._once: dict[Hashable, asyncio.Future[Any]] = {}
        self._performers: Mapping[type, Callable[[Any], Awaitable[Any]]] = {
            Call: connections.call,
            Fetch: connections.fetch,
            Upload: connections.upload,
            Once: self._run_once,
            Pause: self._pause,
            Spawn: self._spawn,
            Discard: self._discard,
            Note: self._note,
        }

    async def run(self, procedure: Procedure[T], incoming: Incoming | None = None) -> T:
        """Run a procedure to its end; an exception of a step is raised inside it."""
        try:
            step = procedure.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        return await self.resume(procedure, step, incoming)

    async def resume(self, procedure: Procedure[T], step: Step, incoming: Incoming | None = None) -> T:
        """Run a procedure that has yielded its first step to its end."""
        while True:
            outcome: Any = None
            error: Exception | None = None
            try:
                outcome = await self._perform(step, incoming)
            except Exception as failure:  # noqa: BLE001 - whatever fails in a step is raised inside its procedure
                error = failure
            self.stirred()
            try:
                step = procedure.throw(error) if error else procedure.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result

    def _perform(self, step: Step, incoming: Incoming | None) -> Awaitable[Any]:
        if isinstance(step, ReadBody | Store):
            return self._receive(step, incoming)
        return self._performers[type(step)](step)

    @staticmethod
    async def _receive(step: ReadBody | Store, incoming: Incoming | None) -> bytes | Content:
        if incoming is None:
            raise ValueError("a procedure in the background has no request to read")
        return await (incoming.read(step.limit) if isinstance(step, ReadBody) else incoming.store(step.blob))

    async def _pause(self, step: Pause) -> None:
        await asyncio.sleep(step.seconds)

    async def _discard(self, step: Discard) -> None:
        self.blobs.remove(step.blob)

    async def _spawn(self, step: Spawn) -> None:
        self.spawn(step.procedure)

    async def _run_once(self, step: Once) -> object:
        pending = self._once.get(step.key)
        if pending is not None:
            return await asyncio.shield(pending)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._once[step.key] = future
        try:
            future.set_result(await self.run(step.start()))
        except BaseException as error:
            future.set_exception(error)
            # Whoever waits is told; nobody may be waiting.
            future.exception()
            raise
        finally:
            del self._once[step.key]
        return future.result()

    def spawn(self, procedure: Procedure[None]) -> None:
        """Run a procedure in the background; what it fails with is logged."""
        task = asyncio.get_running_loop().create_task(self.run(procedure))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            LOG.error("a background procedure failed", exc_info=error)

    async def _note(self, note: Note) -> None:
        path = self._directory / f"{note.journal}.jsonl"
        line = msgspec.json.encode(note.entry) + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    async def close(self) -> None:
        """Cancel what runs in the background."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

"""`oidproxy serve` as a process of its own, the way an operator runs it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.wire.rig import Peer

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Served:
    """The running command, what it said on stderr so far, and its access log."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def hears(self, text: str, seconds: float = 20.0) -> str:
        """The first line that holds this text, said already or still to come."""
        async with asyncio.timeout(seconds):
            while True:
                for line in self.said:
                    if text in line:
                        return line
                if self.process.returncode is not None:
                    raise AssertionError(f"ended with {self.process.returncode}: {self.said}")
                await asyncio.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 40.0) -> int:
        return await asyncio.wait_for(self.process.wait(), seconds)


@asynccontextmanager
async def connect(host: str, port: int, buffer: int = 1 << 20) -> AsyncIterator[Peer]:
    """A raw connection, until the block ends."""
    reader, writer = await asyncio.open_connection(host, port, limit=buffer)
    peer = Peer(reader, writer)
    try:
        yield peer
    finally:
        await peer.gone()


@asynccontextmanager
async def served(config: Path, *more: str) -> AsyncIterator[Served]:
    """Run the command until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "oidproxy",
        "serve",
        "--config",
        str(config),
        *more,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    running = Served(process)
    listening = asyncio.create_task(_listen(process, running.said))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await running.ended(20)
            except TimeoutError:
                process.kill()
                await process.wait()
        await listening


async def _listen(process: asyncio.subprocess.Process, said: list[str]) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        said += [line.decode().rstrip()]

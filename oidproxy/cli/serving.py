"""Puts the parts of `oidproxy serve` together: configuration, parent, admin listener."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.clouds.loading.load import load
from oidproxy.console import serve as console
from oidproxy.console.app import build
from oidproxy.errors import ConfigError, StoreUnavailable
from oidproxy.proxy.parent import Options, Parent
from oidproxy.store import preparing
from oidproxy.store.opening import check_remote, is_remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Admin

_log = logging.getLogger("oidproxy.cli")


async def serve(options: Options, announce: Callable[[str], None]) -> int:
    """Serve until told to stop. Returns the exit status.

    Raises:
        ConfigError: the configuration cannot be used.
        TraceInvalid: there is no room to record.
    """
    registry = load(options.config)
    async with AsyncExitStack() as stack:
        state = await _state(stack, registry.store, options.config)
        parent = Parent(options, registry, state, announce)
        parent.recordings.open()
        if registry.admin is not None:
            await _open_console(stack, registry.admin, parent)
        return await parent.run()


async def _state(stack: AsyncExitStack, store: str, config: Path) -> Path | str:
    """The file of the shared state, or a server; a file of this configuration's runs where it names none."""
    if not store:
        return stack.enter_context(preparing.private(config))
    if is_remote(store):
        return await _server(store)
    path = Path(store)
    preparing.prepare(path)
    return path


async def _server(url: str) -> str:
    """One that does not answer now may come back, and most of what is served does without."""
    try:
        await check_remote(url)
    except StoreUnavailable as error:
        _log.error("%s", error.message)
    return url


async def _open_console(stack: AsyncExitStack, admin: Admin, parent: Parent) -> None:
    """The admin listener answers from the start, so that `/readyz` can say that the workers are not."""
    try:
        listening = console.listen(admin)
    except OSError as error:
        raise ConfigError(f"cannot listen on {admin.host}:{admin.port} (admin): {error.strerror}") from None
    app = build(
        admin,
        ready=parent.ready,
        counters=parent.counted,
        reload=parent.reload,
        drain=parent.drain,
        recordings=parent.recordings,
    )
    runner = await console.start(app, listening)
    stack.push_async_callback(runner.cleanup)

"""Runs the admin application on a socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Admin


def listen(admin: Admin) -> socket.socket:
    """A socket that listens on the admin address. Raises OSError."""
    family = socket.AF_INET6 if ":" in admin.host else socket.AF_INET
    return socket.create_server((admin.host, admin.port), family=family)


async def start(app: web.Application, listening: socket.socket) -> web.AppRunner:
    """Serve until the runner's `cleanup()`. The socket becomes the runner's, which closes it."""
    # No access log, which probes would fill. No signal handlers: those are the parent process's own.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner

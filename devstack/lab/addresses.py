"""Whether the lab's addresses are free, before anything is started on them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from devstack.lab.failure import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable


def require_free(spots: Iterable[tuple[str, int]]) -> None:
    """Raises LabError that names every address that somebody else listens on."""
    taken = [f"{host}:{port}" for host, port in spots if not _free(host, port)]
    if taken:
        raise LabError(
            f"taken by somebody else: {', '.join(taken)}\n"
            "Stop whatever listens there, or give the lab other addresses: LAB_NETWORK=127.9"
        )


def unused_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True

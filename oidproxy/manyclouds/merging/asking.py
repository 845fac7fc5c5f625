"""What passes between a page in the making and the rooms that ask the clouds for it."""

from __future__ import annotations

from dataclasses import dataclass

from oidproxy.quickly import quickly


@quickly
@dataclass(frozen=True, slots=True)
class Ask:
    """A GET for one cloud: path and query below the service."""

    leg: str
    target: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a cloud's answer is of no use. `status` is the cloud's; the message is safe to show."""

    status: int
    message: str

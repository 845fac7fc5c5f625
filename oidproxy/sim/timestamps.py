"""Times as OpenStack's services print them, each in its own way."""

from __future__ import annotations

from datetime import UTC, datetime


def _at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def micro_zulu(now: float) -> str:
    """Keystone: `2025-06-01T12:00:00.000000Z`."""
    return _at(now).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def zulu(now: float) -> str:
    """Nova, Glance, Neutron: `2025-06-01T12:00:00Z`."""
    return _at(now).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(now: float) -> str:
    """Cinder, and Nova's launch times: `2025-06-01T12:00:00.000000`."""
    return _at(now).strftime("%Y-%m-%dT%H:%M:%S.%f")


def seconds(text: str) -> float:
    """Read any of these; ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

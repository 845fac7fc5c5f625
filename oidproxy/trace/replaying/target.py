"""Where a replay may send to: this machine, and the hosts that were named."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import location
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection


def base(url: str, allowed: Collection[str]) -> str:
    """A URL without its version and what is behind that, once it is known that it may be sent to.

    Raises:
        ConfigError: it is no URL, or leads to a host that nobody allowed.
    """
    try:
        found = location(url)
    except ValueError as error:
        raise ConfigError(f"{error}") from None
    host = found.origin.host
    if not is_loopback(host) and host not in allowed:
        raise ConfigError(
            f"a replay sends to other machines only where that is asked for: --allow-host {host}"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{found.origin.scheme}://{shown}:{found.origin.port}{found.root}"


def is_loopback(host: str) -> bool:
    """Whether it is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

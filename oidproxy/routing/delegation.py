"""Services that act later in their users' names: refused abroad, where they can get no trust to do so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import NotSupported

if TYPE_CHECKING:
    from oidproxy.tokens.presented import Presented

DELEGATE = frozenset({"container-infrastructure-management", "database", "orchestration"})
"""Magnum, Trove and Heat make trusts, which no foreign Keystone can give them (identity.md: Trust)."""


def check_acts_now(service_type: str, cloud: str, token: Presented | None) -> None:
    """Refuse a call to a service that would go on without its user.

    Raises:
        NotSupported: it is such a service's, in a cloud other than the token's home.
    """
    if token is not None and token.home != cloud and service_type in DELEGATE:
        raise NotSupported(
            f"{service_type} acts later in its user's name, by a trust, and {cloud} can get none from "
            f"{token.home}. Use the {service_type} of {token.home}, or log in at {cloud}."
        )

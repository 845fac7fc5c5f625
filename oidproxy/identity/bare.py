"""What a Keystone gets: the tokens that it issued, bare; no form of ours, and no other Keystone's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import TokenRefused
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from oidproxy.routing.decision import Route
    from oidproxy.tokens.presented import Presented


def for_keystone(token: Presented | None, route: Route) -> str | None:
    """This token for the Keystone of the route; TokenRefused if it is closed, or of another cloud."""
    if token is None:
        return None
    if token.form is Form.CLOSED or token.home != route.cloud:
        raise TokenRefused(f"The identity service of {route.cloud} takes its own tokens only.")
    return token.token

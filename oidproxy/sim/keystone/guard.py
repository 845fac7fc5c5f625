"""Who asks Keystone, and whether its default policies let them (keystone.server.flask.request_processing)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import access_rules
from oidproxy.sim.caller import ANONYMOUS, Caller, from_token
from oidproxy.sim.faults import ApiError
from oidproxy.sim.keystone.authentication import unauthorized
from oidproxy.sim.keystone.views import token_document

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Token, Tokens
    from oidproxy.sim.messages import Request, Response
    from oidproxy.sim.routes import Exchange
    from oidproxy.sim.steps import Procedure


class KeystoneGuard:
    """Keystone validates tokens itself; a bad one is as good as none, and the policy then says 401."""

    def __init__(self, keystone: Keystone, tokens: Tokens, auth_url: str) -> None:
        self._keystone = keystone
        self._tokens = tokens
        self._auth_url = auth_url

    @property
    def challenge(self) -> tuple[str, str]:
        """What a 401 says of where to authenticate."""
        return "WWW-Authenticate", f'Keystone uri="{self._auth_url}"'

    def process(self, request: Request) -> Procedure[Caller | Response]:
        """The caller, or nobody."""
        yield from ()
        text = request.field("x-auth-token").strip()
        if not text:
            return ANONYMOUS
        try:
            token = self._tokens.validate(text, access_rules=True)
        except ApiError:
            return ANONYMOUS
        document = token_document(self._keystone, token, catalog=bool(token.credential_id))
        if not access_rules.allows(document, "identity", request.method, request.path):
            return ANONYMOUS
        return from_token(document, text)


def require_user(exchange: Exchange) -> Caller:
    """Any valid token; 401 without."""
    if not exchange.caller.user_id:
        raise unauthorized()
    return exchange.caller


def require(exchange: Exchange, action: str, *, own: bool = False, read: bool = False) -> Caller:
    """`rule:admin_required`, or the owner, or for reading a reader of the system; 401 or 403."""
    caller = require_user(exchange)
    if own or caller.is_admin or (read and caller.system and "reader" in caller.roles):
        return caller
    raise forbidden(action)


def forbidden(action: str) -> ApiError:
    """A policy's refusal."""
    return ApiError(403, f"You are not authorized to perform the requested action: identity:{action}.")


def require_validation(exchange: Exchange, subject: Token) -> None:
    """Who may ask about a token: its own user, administrators, readers of the system, and (but for HEAD)
    services."""
    caller = require_user(exchange)
    head = exchange.request.method == "HEAD"
    if caller.user_id == subject.user_id or caller.is_admin:
        return
    if (caller.system and "reader" in caller.roles) or ("service" in caller.roles and not head):
        return
    raise forbidden("check_token" if head else "validate_token")

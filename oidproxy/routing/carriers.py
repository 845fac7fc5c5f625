"""What carries a scope to a service, and which carrier wins (scope-language: Where a scope travels)."""

from __future__ import annotations

from dataclasses import dataclass

from oidproxy.quickly import quickly
from oidproxy.routing.decision import Carrier
from oidproxy.scope.tree import NO_SCOPE, CloudName, Expr, Scope

IDENTITY = "identity"


@quickly
@dataclass(frozen=True, slots=True)
class Bound:
    """What a service is bound to. Without an expression `Carriers.home` serves (carrier HOME or LOCAL)."""

    expr: Expr | None
    carrier: Carrier


@quickly
@dataclass(frozen=True, slots=True)
class Carriers:
    """Everything that may bind a service, for one request."""

    home: str
    """The token's home; without a token the listener's cloud, else the local one."""
    has_token: bool = False
    header: Scope = NO_SCOPE
    url: Scope = NO_SCOPE
    token: Scope = NO_SCOPE
    listener: Scope = NO_SCOPE
    config: Scope = NO_SCOPE

    def binding(self, service_type: str) -> Bound | None:
        """The highest carrier that binds this service, with what it binds it to."""
        return self._explicit(service_type) or self._token(service_type) or self._default(service_type)

    def _explicit(self, service_type: str) -> Bound | None:
        expr = self.header.binding(service_type)
        if expr is not None:
            return Bound(expr, Carrier.HEADER)
        expr = self.url.binding(service_type)
        return None if expr is None else Bound(expr, Carrier.URL)

    def _token(self, service_type: str) -> Bound | None:
        if self.has_token and service_type == IDENTITY:
            # A token means something to its home's Keystone only, whatever scope it was issued under.
            return Bound(CloudName(self.home), Carrier.TOKEN)
        expr = self.token.binding(service_type)
        return None if expr is None else Bound(expr, Carrier.TOKEN)

    def _default(self, service_type: str) -> Bound | None:
        expr = self.listener.binding(service_type)
        if expr is not None:
            return Bound(expr, Carrier.LISTENER)
        expr = self.config.binding(service_type)
        return None if expr is None else Bound(expr, Carrier.CONFIG)

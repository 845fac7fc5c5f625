"""What a client's requests carry: a scope by header, below it by its auth URL, and tokens of other clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osc_lib.exceptions import CommandError

from oidproxy.errors import OidproxyError, ScopeError
from oidproxy.osc import address, sources
from oidproxy.osc.carry import carried
from oidproxy.scope.parse import parse
from oidproxy.scope.report import render
from oidproxy.scope.tree import NO_SCOPE, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTH_URL = "auth URL"


@dataclass(frozen=True, slots=True)
class InForce:
    """What the requests are bound by, before the proxy adds the token's scope and its own defaults."""

    scope: Scope
    sources: tuple[str, ...]
    """Highest first; where two bind, the first wins for each service that it binds."""


def in_force(config: Mapping[str, Any], environ: Mapping[str, str]) -> InForce:
    """The scope that a configuration sends: by header, below it by its auth URL. Raises CommandError."""
    try:
        header = _header(config, environ)
        # `scope show` is of use before there is any cloud to call.
        url = address.bound_scope(address.configured(config))
    except ScopeError as error:
        raise CommandError(render(error)) from None
    except OidproxyError as error:
        raise CommandError(str(error)) from None
    carriers = [carrier for carrier in (header, (url, AUTH_URL) if url else None) if carrier]
    merged = (header[0] if header else NO_SCOPE).over(url or NO_SCOPE)
    return InForce(merged, tuple(source for _, source in carriers))


def carried_names(config: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """The clouds that tokens are carried to. Raises CommandError."""
    try:
        return [one.cloud for one in carried(config, environ)]
    except OidproxyError as error:
        raise CommandError(str(error)) from None


def _header(config: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Scope, str] | None:
    given = sources.given(config, environ)
    if given is None:
        return None
    if not sources.is_ours(config.get("vendor_hook")):
        raise CommandError(
            f"the scope of {given.source} is NOT in force: this cloud of {sources.CLOUDS_YAML}"
            f" has no `vendor_hook: {sources.HOOK}`"
        )
    return parse(given.text), given.source

"""OpenStackoid's form of a token that carries a scope: `TOKEN!SCOPE!{json}`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from oidproxy.scope.parse import parse

if TYPE_CHECKING:
    from oidproxy.scope.tree import Scope

_MARK = "!SCOPE!"


def split(token: str) -> tuple[str, Scope] | None:
    """The bare token and its scope; None for another form. Raises ScopeError, which shows the scope only."""
    bare, mark, scope = token.partition(_MARK)
    if not mark:
        return None
    # OpenStackoid decoded percent escapes of its headers before it read them, so clients may send some.
    escaped = scope[:3].upper() == "%7B"
    return bare, parse(unquote_to_bytes(scope.encode(errors="surrogatepass")) if escaped else scope)

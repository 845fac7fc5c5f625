"""From a text, in any of its forms, to its tree; texts read before are looked up by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import ScopeError
from oidproxy.scope.bindings import Written, gather
from oidproxy.scope.canonical import bounded_canonical
from oidproxy.scope.limits import decoded
from oidproxy.scope.memory import Memory

if TYPE_CHECKING:
    from oidproxy.scope.tree import Scope

# The memo of a pure function, bounded by what its keys weigh: the worst choice of texts makes trees of 10 MiB
# in all, while there is room for four thousand of the usual ones (60 bytes).
_READ: Memory[Scope] = Memory(256 * 1024)


def parse(text: str | bytes) -> Scope:
    """The tree of a text: `<…>`, `{…}`, bare, or JSON; bytes are UTF-8. Raises ScopeError, nothing else."""
    # A lone surrogate has no UTF-8: passed through here, it is refused as not UTF-8 like any other such
    # bytes.
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    scope = _READ.get(raw)
    if scope is None:
        scope = _read(decoded(raw))
        _READ.put(raw, scope)
    return scope


def _read(text: str) -> Scope:
    scope = gather(text, _written(text))
    try:
        bounded_canonical(scope)
    except ScopeError as error:
        error.text = text
        raise
    return scope


def _written(text: str) -> list[Written]:
    # Imported with the first scope: they bring lark, and the openstackclient plugin is loaded on every call.
    from oidproxy.scope import json_form, syntax

    if json_form.is_json(text):
        return json_form.read_bindings(text)
    return syntax.read_bindings(text)

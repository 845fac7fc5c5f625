"""A scope as one segment of a URL: the tag, `x` and hexadecimal digits, or the readable text.

Tags stand in catalogs and links, so they hold nothing that a client gives a meaning to: no `%`, which the SDK
formats (`endpoint_override % …`), and no `v`, at which gophercloud and cinderclient look for a version.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import bounded_canonical
from oidproxy.scope.memory import Memory
from oidproxy.scope.parse import parse
from oidproxy.scope.position import refusal

if TYPE_CHECKING:
    from oidproxy.scope.tree import Scope

_TAG = re.compile(r"x(?:[0-9a-f]{2})+")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

# The memo of a pure function: the URL of every request of a scoped client begins with the same segment.
_READ: Memory[Scope] = Memory(256 * 1024)


def tag(scope: Scope) -> str:
    """The tag of a scope. Raises ScopeError where its canonical text is too long, or empty."""
    text = bounded_canonical(scope)
    if not text:
        raise ScopeError("a scope that binds nothing has no tag")
    return f"x{text.encode().hex()}"


def untag(text: str) -> Scope:
    """The scope of a tag. Raises ScopeError for what is no tag, or holds no scope."""
    if not is_tag(text):
        raise ScopeError("a tag is an x and pairs of the digits 0-9 and a-f")
    return parse(bytes.fromhex(text[1:]))


def is_tag(text: str) -> bool:
    """Whether a text looks like a tag; one that does is taken for one."""
    return _TAG.fullmatch(text) is not None


def from_segment(segment: bytes) -> Scope:
    """The scope of the segment after `/s/` as it stands in a request's target: decodes `%2F` and such, once.

    Raises ScopeError.
    """
    scope = _READ.get(segment)
    if scope is None:
        scope = _from_decoded(_decoded(segment))
        _READ.put(segment, scope)
    return scope


def _decoded(segment: bytes) -> bytes:
    bad = _BAD_ESCAPE.search(segment)
    if bad is None:
        return unquote_to_bytes(segment)
    offset = len(segment[: bad.start()].decode(errors="replace"))
    raise refusal(segment.decode(errors="replace"), offset, 'a "%" of the scope is written %25 in a URL')


def _from_decoded(raw: bytes) -> Scope:
    text = raw.decode("latin-1")
    if not is_tag(text):
        return parse(raw)
    try:
        return untag(text)
    except ScopeError as error:
        # The error shows what the tag holds, which nobody wrote who meant a cloud of this name.
        error.message += f" (in a URL, {text[:40]} is a tag; a cloud of this name is written ({text[:40]}))"
        raise

"""What a request target may look like, and which authority an absolute one names (RFC 9112 section 3.2)."""

from __future__ import annotations

import re

from oidproxy.errors import BadRequest

# A reg-name of letters, digits and `-._~`, or an IPv6 literal, and a port (RFC 3986 section 3.2). Sub-delims
# and percent-encoding are legal there, but no address of ours needs them.
_AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)", re.DOTALL)
# Servers differ in whether a NUL or a line end that is percent-encoded cuts the text or begins a new line.
_ENCODED_CONTROL = re.compile(rb"%0[0adAD]")
# `%2F` counts as a slash here: WSGI servers decode the path before routing it, and `..%2F` would climb there.
_DOT_SEGMENT = re.compile(rb"(?:/|%2[fF])(?:\.|%2[eE]){1,2}(?:/|%2[fF]|\Z)")

_PERCENT, _BACKSLASH = b"%\\"


def check_authority(authority: bytes) -> None:
    """Refuse what is not `host` or `host:port`: userinfo, paths, blanks, ports over 65535."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None or int(match[1] or 0) > 65535:
        raise BadRequest("The host of the request is not a valid host and port.")


def split_target(method: str, target: bytes) -> tuple[bytes | None, bytes]:
    """The authority (None unless in absolute form) and the target in origin form, or `*`.

    Bytes that are never allowed in a target were refused before. Raises BadRequest.
    """
    if target.startswith(b"/"):
        _check_path(target)
        return None, target
    if target == b"*":
        if method != "OPTIONS":
            raise BadRequest("The request target * goes with OPTIONS only.")
        return None, target
    return _split_absolute(method, target)


def _split_absolute(method: str, target: bytes) -> tuple[bytes, bytes]:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadRequest("The request target is neither a path nor an http or https URL.")
    authority, rest = match[1], match[2]
    check_authority(authority)
    if not rest and method == "OPTIONS":
        return authority, b"*"  # RFC 9112 section 3.2.4: such a URL stands for the server itself
    if not rest.startswith(b"/"):
        rest = b"/" + rest
    _check_path(rest)
    return authority, rest


def _check_path(target: bytes) -> None:
    if _PERCENT not in target and _BACKSLASH not in target and target.find(b"/.") < 0:
        return
    if _ENCODED_CONTROL.search(target):
        raise BadRequest("The request target holds an encoded NUL or line end.")
    path = target.partition(b"?")[0]
    # A raw backslash is no character of a URL (RFC 3986 section 3.3), and some readers make a slash of it.
    # `%5C` is an ordinary character of a name, as objects may have it: no service of OpenStack splits there.
    if _BACKSLASH in path:
        raise BadRequest("The path holds a backslash.")
    if _DOT_SEGMENT.search(path):
        raise BadRequest("The path holds a segment . or .. (encoded ones count).")

"""Takes secrets out of whatever is shown or written down; what stands in their place is a digest.

A digest lets a reader see that two secrets are the same. Everything is told by name (of a field, a query's
key, a key of JSON) or by shape: a Fernet or JWS token and this proxy's own forms are known wherever they
stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from urllib.parse import unquote_plus

from oidproxy.http.fields import SECRET_FIELDS

_DONE = re.compile(r"\{SHA256\}[0-9a-f]{16}\Z")

# Keystone's Fernet tokens, JWS tokens, this proxy's closed tokens; each with an envelope behind it, if it has
# one.
_TOKEN = re.compile(
    r"(?:gAAAA[A-Za-z0-9_-]{16}|oid1~[A-Za-z0-9_-]{8}|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.)"
    r"[A-Za-z0-9_.~=!-]*"
)
_USER_INFO = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")

# In a URL a token may be of any make: so long a run of its characters is one, or might be.
_OPAQUE = re.compile(r"[A-Za-z0-9_~.=+-]{100,}\Z")
_SUSPECT = re.compile(r"%|[Tt][Oo][Kk][Ee][Nn]|gAAAA|oid1~|eyJ|[A-Za-z0-9_.~=+-]{100}")
"""Nothing of a URL that this does not match has to be looked at closer: nearly every request's."""
_LONG = 100
_TAG = re.compile(r"x(?:[0-9a-f]{2})+\Z")
_BEHIND = frozenset({"tokens", "token", "access_tokens", "request_tokens"})
"""The segment behind one of these is a token (Identity API v2: `/tokens/<id>`)."""

_SECRET_QUERY = re.compile(
    r"token|secret|passw|passcode|signature|credential|assertion|samlresponse|temp_url_sig|\Asig\Z|\Acode\Z|\Aticket\Z"
    r"|\Aawsaccesskeyid\Z",
    re.IGNORECASE,
)
_SUSPECT_QUERY = re.compile(r"sig|secret|pass|code|credential|assertion|saml|ticket|accesskey", re.IGNORECASE)
_NESTED = re.compile(r"(?:token|secret|passw\w*|sig|signature)=", re.IGNORECASE)

_SECRET_KEY = re.compile(
    r"passw|passphrase|passcode|secret|assertion|adminpass|userdata|privatekey|token|signature|credentialblob|\Ablob\Z"
    r"|\Apayload\Z|\Apin\Z|kubeconfig|tempurlkey|receipt"
)
_SHOWN_OF_A_TOKEN = frozenset({"expires_at", "issued_at"})
"""Texts that a token's own object may show; whatever else is a text there may be the token."""

_SECRET_FIELD = re.compile(r"(?:token|tokens|secret|password|receipt|temp-url-key(?:-2)?|auth-key)\Z")
_URL_FIELDS = frozenset({"location", "content-location", "referer", "x-storage-url", "x-copy-from"})

_LINE = re.compile(
    r"((?<![\w-])(?:proxy-)?authorization|(?<![\w-])(?:set-)?cookie)([\"']?\s*[:=]\s*)([^\r\n]+)",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"""((?<![\w-])(?:[\w-]*(?:token|tokens|secret|password|passwd|passcode|passphrase|signature|_sig)"""
    r"""|adminPass|admin_pass|user_data|private_key|assertion)[\"']?\s*[:=]\s*)"""
    r"""("(?>(?:[^"\\]++|\\.)*)"?|'(?>(?:[^'\\]++|\\.)*)'?|[^\s"'&;,}\])]+)""",
    re.IGNORECASE | re.DOTALL,
)
"""What is said to be a secret in free text: `password=…`, `"adminPass": "…"`."""


def digest(secret: str | bytes) -> str:
    """`{SHA256}` and 16 hex digits, as keystoneauth shows tokens. A digest comes back as it is."""
    text = secret.decode("utf-8", "surrogateescape") if isinstance(secret, bytes) else secret
    if _DONE.match(text):
        return text
    return "{SHA256}" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def target(text: str) -> str:
    """A request target or a URL. A scope in it stays: it is no secret."""
    path, mark, query = text.partition("?")
    path = _USER_INFO.sub(lambda found: digest(found[0]), path) if "@" in path else path
    return _path(path) + mark + _query(query) if mark else _path(path)


def is_plain_path(path: bytes) -> bool:
    """Whether `target` surely shows this path as it is. It has no `%` and no `~`, as every closed token has.

    It may say no to a path that is shown as it is. Tokens of other forms have capitals, or are long.
    """
    return len(path) < _LONG and path.islower() and _TOKEN_WORD not in path and _AT not in path


_TOKEN_WORD, _AT = b"token", b"@"


def text(message: str) -> str:
    """Words for people, with tokens and `password=…` in them."""
    if not (":" in message or "=" in message or "gAAAA" in message or "oid1~" in message or "eyJ" in message):
        return message  # as nearly every User-Agent
    message = _LINE.sub(lambda found: found[1] + found[2] + digest(found[3]), message)
    message = _SAID.sub(lambda found: found[1] + digest(found[2].strip("\"'")), message)
    message = _USER_INFO.sub(lambda found: digest(found[0]), message)
    return _TOKEN.sub(lambda found: digest(found[0]), message)


def fields(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Header fields, names as they came."""
    return [_field(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def json_value(value: object) -> object:
    """A value of JSON, secrets at any depth."""
    return _value(value, "", 0)


def _path(path: str) -> str:
    if not _is_suspect(path):
        return path
    segments = path.split("/")
    # /s/<scope>/…: a tag is long, and no token.
    scoped = 2 if path.startswith("/s/") else -1
    return "/".join(_segment(segments, place, scope=place == scoped) for place in range(len(segments)))


def _is_suspect(path: str) -> bool:
    """What `_SUSPECT` says, for nearly every path without walking it."""
    return (
        "%" in path
        or "gAAAA" in path
        or "oid1~" in path
        or "eyJ" in path
        or "token" in path.lower()
        or (len(path) >= _LONG and _SUSPECT.search(path) is not None)
    )


def _segment(segments: list[str], place: int, *, scope: bool) -> str:
    segment = segments[place]
    plain = unquote_plus(segment)
    if segment and place and unquote_plus(segments[place - 1]).lower() in _BEHIND:
        return digest(segment)
    if scope and _TAG.match(segment):
        return segment
    return digest(segment) if _TOKEN.search(plain) or _OPAQUE.match(plain) else segment


def _query(query: str) -> str:
    if "=" in query and not any(hint.search(query) for hint in (_SUSPECT, _SUSPECT_QUERY, _USER_INFO)):
        return query
    return re.sub(r"[^&;]+", lambda found: _parameter(found[0]), query)


def _parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    named, plain = unquote_plus(name), unquote_plus(value)
    if _TOKEN.search(named) or _OPAQUE.match(named) or _USER_INFO.search(named):
        return digest(parameter)
    secret = (
        _SECRET_QUERY.search(named)
        or _NESTED.search(plain)
        or _TOKEN.search(plain)
        or _OPAQUE.match(plain)
        or _USER_INFO.search(plain)
    )
    return name + equals + digest(value) if value and secret else parameter


def _field(name: str, value: str) -> tuple[str, str]:
    lower = name.lower()
    if lower.encode("latin-1") in SECRET_FIELDS or _SECRET_FIELD.search(lower):
        return name, digest(value)
    return name, target(value) if lower in _URL_FIELDS else text(value)


def _value(value: object, parent: str, depth: int) -> object:
    if depth > 64:
        return "<too deep>"
    if isinstance(value, Mapping):
        return {text(str(key)): _member(str(key), one, parent, depth) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_value(one, parent, depth + 1) for one in value]
    return text(value) if isinstance(value, str) else value


def _member(key: str, value: object, parent: str, depth: int) -> object:
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if parent == "token" and isinstance(value, str) and key not in _SHOWN_OF_A_TOKEN:
        return _hidden(value)
    if parent == "password" and key != "user":
        return _hidden(value)
    # Identity API v3: `password` and `token` name methods, too, whose objects hold more than the secret.
    if _SECRET_KEY.search(plain) and not (plain in {"password", "token"} and isinstance(value, Mapping)):
        return _hidden(value)
    return _value(value, plain, depth + 1)


def _hidden(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    return digest(value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str))

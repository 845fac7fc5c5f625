"""Bodies as a trace may have them: what is secret, or may be, is a digest or a word in its place.

The log's redactor knows secrets by name and shape. A body holds more than a log: files and scripts for a
server, payloads, keys. What is one of these is not shown at all, since nobody can tell what is in it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from oidproxy.telemetry import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_AT_MOST = 64 * 1024
"""Bytes of a body that are taken down; a longer one is left out whole."""

HIDDEN = "<hidden>"

_SHOWN = ("", "True", "False", "true", "false")
"""Texts that hide nothing, under whatever key (`config_drive`)."""

_FREE = re.compile(
    r"personality|\Aoutput\Z|contents?\Z|configdrive|keydata|keyfile|privkey|rsakey|sshkey(?!name)|psk\Z|presharedkey"
    r"|authkey|cryptokey|certificate(?!s?ref)|pkcs|pem\Z|csr\Z|consoleoutput|execoutput|cloudinit|ignition"
    r"|bootscript|customscript|scriptcontents?|otp|oauth(?:verifier|signature)|s3key|chap|credentials?\Z|cookie"
    r"|authorization|samlresponse|session(?:id|key)\Z|hmac|accesskey\Z|authpass|cacert\Z"
)
"""Keys (letters and digits alone, in lower case) whose values are hidden whole, whatever they are."""

_SCRIPT = re.compile(r"\A\s*(?:#!|#cloud-config|-----BEGIN )")
"""Texts that are scripts or key material wherever they stand."""

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)-----")
_NESTED = re.compile(r"(?:token|secret|passw\w*|sig|signature)%3D", re.IGNORECASE)
"""A secret in a URL within a URL: a console's."""
_BLOB = re.compile(r"[A-Za-z0-9+/_=\s-]{200,}\Z")
"""So long a run of base64 is data: a key, a script, a token of some make."""


_LOOKS = (_SCRIPT.match, _PEM.search, _BLOB.match, _NESTED.search)


def hidden(document: object) -> object:
    """A body's JSON with its secrets hidden, at any depth."""
    return redact.json_value(_without_free(document, 0))


def read(data: bytes) -> object | None:
    """A body that is JSON, of a size that is taken down; None for any other."""
    if not data or len(data) > READ_AT_MOST:
        return None
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document


def is_json(content_type: bytes | str) -> bool:
    """Whether a field says that a body is JSON."""
    text = content_type if isinstance(content_type, str) else content_type.decode("latin-1")
    kind = text.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith(("+json", "-json-patch"))


def _without_free(value: object, depth: int) -> object:
    if depth > 64:
        return HIDDEN
    if isinstance(value, dict):
        return dict(_members(value, depth))
    if isinstance(value, list):
        return [_without_free(one, depth + 1) for one in value]
    if isinstance(value, str) and any(looked(value) for looked in _LOOKS):
        return redact.digest(value)
    return value


def _members(document: dict[str, object], depth: int) -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        plain = re.sub(r"[^a-z0-9]", "", str(key).lower())
        if _FREE.search(plain) and not (value is None or isinstance(value, bool) or value in _SHOWN):
            yield key, HIDDEN
        else:
            yield key, _without_free(value, depth + 1)

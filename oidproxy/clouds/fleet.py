"""The fleet's keys: text or raw bytes to the 64 bytes that AES-SIV takes."""

from __future__ import annotations

import base64
import binascii

KEY_BYTES = 64
"""Two keys of 256 bits: one authenticates, one encrypts (RFC 5297 section 2.2)."""

HOW_TO_MAKE_ONE = "make one with: openssl rand -hex 64 > /etc/oidproxy/fleet.key"


def key(text: str) -> bytes:
    """A key from hex digits, base64 (both alphabets), or a file's raw bytes (decoded with surrogateescape).

    Raises ValueError, with a message that shows nothing of the key.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) == KEY_BYTES and not raw.isascii():
        return raw
    decoded = _hex(text) or _base64(text)
    if decoded is None or len(decoded) != KEY_BYTES:
        found = f"{len(decoded)} bytes" if decoded else "neither hex nor base64"
        raise ValueError(
            f"a fleet key is {KEY_BYTES} bytes as hex, base64 or raw; this is {found}; {HOW_TO_MAKE_ONE}"
        )
    return decoded


def _hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex("".join(text.split()))
    except ValueError:
        return None


def _base64(text: str) -> bytes | None:
    packed = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True) or None
    except (ValueError, binascii.Error):
        return None

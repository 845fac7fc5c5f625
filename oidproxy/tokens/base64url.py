"""Strict base64url (RFC 4648 section 5, without padding): one spelling for every text, nothing else is read.

A lenient decoder would take junk behind a token, or the same bytes spelt twice; then two texts name one
token, and what is compared or remembered by its text could be slipped past.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(data: bytes) -> str:
    """The one text that stands for these bytes."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that this text stands for; ValueError if it is not exactly what `encode` would write."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The decoder skips what is not of its alphabet, and the last character may hold bits that no byte needs
    # (RFC 4648 sections 3.3 and 3.5). Written again, whatever was read leniently comes out otherwise.
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data

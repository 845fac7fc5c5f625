"""How a token is named without being shown: as a key of memory and in our logs."""

from __future__ import annotations

from hashlib import sha256


def digest(token: str) -> bytes:
    """32 bytes that stand for this token. Tokens are long random texts, so no key and no salt is needed."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def shown(token: str) -> str:
    """The token as a log may show it: `{SHA256}` and the first 16 hex digits, as keystoneauth does."""
    return "{SHA256}" + digest(token).hex()[:16]

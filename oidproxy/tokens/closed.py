"""The closed form: an AES-SIV box (RFC 5297) under the fleet's key, for a token that leaves its home.

Deterministic, so that the same token for the same audience is the same text and the foreign service's own
token cache still hits. Whoever lacks the key can hand a box back and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from oidproxy.errors import ConfigError, InternalError, NotAdmitted, TokenRefused
from oidproxy.tokens import base64url
from oidproxy.tokens.presented import Box, Use

PREFIX = "oid1~"
"""What every closed token begins with. No bare token has a `~`, and Keystone issues no token `oid1`."""

KEY_LENGTHS = (32, 48, 64)
"""Bytes of an AES-SIV key: twice an AES key (RFC 5297 section 2.2)."""

_LIMIT = 8 * 1024
_CONTEXT = [b"oidproxy closed token, version 1"]
"""Associated data: a box of another purpose under the same key does not open here."""
_SEPARATOR = b"\0"
_EXPIRY_BYTES = 5
_VALIDATE = 0b01
_PACKED = 0b10


@dataclass(frozen=True, slots=True)
class Keyring:
    """The fleet's keys: the first closes, all of them open (so a key can be replaced without a gap)."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    _ciphers: tuple[AESSIV, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if any(len(key) not in KEY_LENGTHS for key in self.keys):
            raise ConfigError("a fleet key must have 32, 48 or 64 bytes")
        object.__setattr__(self, "_ciphers", tuple(AESSIV(key) for key in self.keys))

    @property
    def closes(self) -> bool:
        """Whether there is a key to close with."""
        return bool(self._ciphers)

    def close(self, box: Box) -> str:
        """This box as text; NotAdmitted where there is no key, since then no token may leave its home."""
        if not self._ciphers:
            raise NotAdmitted(
                "This proxy has no fleet key, so no token may be sent to a cloud other than its home: "
                "ask its operator to set fleet_keys."
            )
        return PREFIX + base64url.encode(self._ciphers[0].encrypt(_plain(box), _CONTEXT))

    def open(self, text: str) -> Box:
        """The box that this text is, or TokenRefused; which of the checks failed is nobody's business."""
        for cipher in self._ciphers:
            plain = _decrypted(cipher, text)
            if plain is not None:
                return _box(plain)
        raise _refusal()


def is_closed(text: str) -> bool:
    """Whether this text claims to be a closed token."""
    return text.startswith(PREFIX)


def _refusal() -> TokenRefused:
    return TokenRefused("The token is malformed.")


def _decrypted(cipher: AESSIV, text: str) -> bytes | None:
    if not is_closed(text) or len(text) > _LIMIT:
        return None
    try:
        return cipher.decrypt(base64url.decode(text[len(PREFIX) :]), _CONTEXT)
    except (ValueError, InvalidTag):
        return None


def _plain(box: Box) -> bytes:
    """One byte of flags, the expiry, four names and the token, which alone may hold the separator."""
    packed = _packed(box.token)
    flags = (_VALIDATE if box.use is Use.VALIDATE else 0) | (0 if packed is None else _PACKED)
    names = [name.encode() for name in (box.home, box.cloud, box.service, box.scope)]
    if any(_SEPARATOR in name for name in names):
        raise InternalError("A name with a NUL cannot be closed.")
    token = box.token.encode() if packed is None else packed
    head = bytes([flags]) + max(box.expires, 0).to_bytes(_EXPIRY_BYTES, "big")
    return head + _SEPARATOR.join([*names, token])


def _packed(token: str) -> bytes | None:
    """The bytes behind a token that is base64url itself, as Fernet tokens are: a quarter shorter."""
    try:
        return base64url.decode(token)
    except ValueError:
        return None


def _box(plain: bytes) -> Box:
    try:
        flags = plain[0]
        expires = int.from_bytes(plain[1 : 1 + _EXPIRY_BYTES], "big")
        *names, token = plain[1 + _EXPIRY_BYTES :].split(_SEPARATOR, 4)
        home, cloud, service, scope = (name.decode() for name in names)
        bare = base64url.encode(token) if flags & _PACKED else token.decode()
    except (ValueError, IndexError):
        raise _refusal() from None
    use = Use.VALIDATE if flags & _VALIDATE else Use.CALL
    return Box(token=bare, home=home, scope=scope, cloud=cloud, service=service, use=use, expires=expires)

"""Reads which clouds tokens are carried to, and the entries of clouds.yaml that fetch them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.osc import sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Names as the scope language writes them (grammar/scope.lark, NAME and STRING).
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\["\\])+"'

_WORD = rf'{_STRING}|[^\s",=](?:[^",=]*[^\s",=])?'
_ITEM = re.compile(rf"\s*(?:(?P<cloud>{_WORD})\s*(?:=\s*(?P<entry>{_WORD})\s*)?)?(?=,|\Z)")

SHAPE = "CLOUD or CLOUD=ENTRY, or several of them with commas between"


@dataclass(frozen=True, slots=True)
class Carried:
    """A cloud of the proxy that a token is carried to, and the entry of clouds.yaml that fetches it."""

    cloud: str
    entry: str


def carried(config: Mapping[str, object], environ: Mapping[str, str]) -> tuple[Carried, ...]:
    """What a configuration carries, in its order. Raises ConfigError."""
    given = sources.given_carry(config, environ)
    if given is None:
        return ()
    try:
        return read(given.text)
    except ConfigError as error:
        raise ConfigError(f"{given.source}: {error}") from None


def read(text: str) -> tuple[Carried, ...]:
    """The clouds that a text names; an empty text names none. Raises ConfigError."""
    found: dict[str, Carried] = {}
    for one in _items(text):
        if found.setdefault(one.cloud, one) != one:
            raise ConfigError(
                f"one cloud has one token: {one.cloud!r} is given both {found[one.cloud].entry!r}"
                f" and {one.entry!r}"
            )
    return tuple(found.values())


def _items(text: str) -> Iterator[Carried]:
    position = 0
    while position <= len(text):
        item = _ITEM.match(text, position)
        if item is None:
            raise ConfigError(f"{text!r} is not {SHAPE}")
        if item["cloud"]:
            cloud = _cloud(item["cloud"])
            yield Carried(cloud, _plain(item["entry"]) if item["entry"] else cloud)
        position = item.end() + 1


def _cloud(written: str) -> str:
    if not written.startswith('"') and not _NAME.fullmatch(written):
        raise ConfigError(
            f"{written!r} is no cloud's name; one with other characters than letters, digits, `_`, `.` and"
            " `-` is written in double quotes"
        )
    return _plain(written)


def _plain(written: str) -> str:
    """A word without its quotes. Raises ConfigError for what no name may hold."""
    name = re.sub(r"\\(.)", r"\1", written[1:-1]) if written.startswith('"') else written
    if not name.isprintable():
        raise ConfigError(f"{name!r} holds a character that cannot be printed")
    return name

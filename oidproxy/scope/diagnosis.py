"""From where the parser stopped to an error that a user can act on: what is wrong, and what was meant.

Each rule knows one mistake that people make, and says its piece or passes; the first that speaks is heard.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.scope.canonical import written_name
from oidproxy.scope.nearest import nearest
from oidproxy.scope.position import shown
from oidproxy.scope.services import known, nearest_service
from oidproxy.scope.trouble import Trouble, trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    from oidproxy.errors import ScopeError

FUNCTIONS = ("around", "nearest", "any", "not")

_FLAW = re.compile(r'\\(?!["\\])|[\t\r\n]|\\?\Z')
"""What no quoted name holds: another escape, a tab, the end of the line or of the text."""

_OPERATORS = {"and": "&", "or": "|"}
_MARKS = {("=", "COLON"): ":", (";", "COMMA"): ",", (",", "AMPERSAND"): "&", ("'", "STRING"): '"'}
"""A mark, where another one could stand: the other one is meant."""


def diagnosed(text: str, failure: UnexpectedCharacters | UnexpectedToken) -> ScopeError:
    """The error for a text that the grammar does not take."""
    found = trouble(text, failure)
    return next(error for rule in _RULES if (error := rule(found)) is not None)


def _empty(found: Trouble) -> ScopeError | None:
    if found.before.text + found.here.text not in {"", "<>", "{}"}:
        return None
    return found.refuse("the scope is empty" if found.may_bind else "the expression is empty")


def _ended(found: Trouble) -> ScopeError | None:
    return None if found.here.text else found.refuse(f"the scope ends after {shown(found.before.text)}")


def _quoted(found: Trouble) -> ScopeError | None:
    if not (found.here.is_quoted and found.takes("STRING")):
        return None
    if found.here.text == '""':
        return found.refuse("a name cannot be empty")
    flaw = _FLAW.search(found.text, found.here.start + 1, found.here.end)
    if flaw is None or flaw.end() == found.here.end:
        return found.refuse("the quote that opens here is never closed", expected=())
    if flaw[0] == "\\":
        return found.refuse('the only escapes are \\" and \\\\', at=flaw.start(), expected=())
    return found.refuse("a quoted name holds no tab and stays on one line", at=flaw.start(), expected=())


def _number(found: Trouble) -> ScopeError | None:
    if not (found.takes("INT") and found.here.is_word):
        return None
    return found.refuse(f"{shown(found.here.text)} is not a number from 1 up")


def _duration(found: Trouble) -> ScopeError | None:
    if not (found.takes("DURATION") and found.here.is_word):
        return None
    digits = found.here.text.isascii() and found.here.text.isdecimal()
    suggestion = f"{found.here.text}ms" if digits and len(found.here.text) < 8 else None
    return found.refuse(f"{shown(found.here.text)} is not a duration", suggestion=suggestion)


def _star(found: Trouble) -> ScopeError | None:
    here, before = found.here.text, found.before.text
    if (here, before) not in {("+", "*"), ("*", "+")}:
        return None
    star = found.before if before == "*" else found.here
    return found.refuse(
        '"*" stands alone: it is every service that this text does not name', at=star.start, expected=()
    )


def _glob(found: Trouble) -> ScopeError | None:
    """Services, groups, regions and places are named in full."""
    glob = found.before if found.here.text in {":", "+"} else found.here
    if not (glob.is_word and "*" in glob.text) or found.takes("GLOB"):
        return None
    noun = "a service" if glob is found.before else found.noun
    return found.refuse(f'{noun} is named in full, without "*"', at=glob.start, expected=())


def _foreign(found: Trouble) -> ScopeError | None:
    if not found.here.is_word or found.here.text.isascii():
        return None
    return found.refuse("letters other than A to Z stand only in quotes", suggestion=_in_quotes(found))


def _edge(found: Trouble) -> ScopeError | None:
    inside = found.offset > found.here.start
    if not found.here.is_word or not (inside or found.takes("NAME")):
        return None
    message = "a name begins and ends with a letter or a digit"
    return found.refuse(message, expected=(), suggestion=_in_quotes(found))


def _function(found: Trouble) -> ScopeError | None:
    word = found.before
    if found.here.text != "(" or not word.is_word or word.text in FUNCTIONS or not found.takes("AMPERSAND"):
        return None
    expected = tuple(f'"{function}("' for function in FUNCTIONS)
    suggestion = nearest(word.text, FUNCTIONS)
    return found.refuse(
        f"{shown(word.text)} is not a function", at=word.start, expected=expected, suggestion=suggestion
    )


def _colon(found: Trouble) -> ScopeError | None:
    """A service and its cloud, with nothing between."""
    if not found.takes("COLON") or not (found.here.is_word or found.here.is_quoted):
        return None
    service = _service(found.before.text)
    if service is None and found.takes("AMPERSAND"):
        return None
    call = "(…)" if found.here.text in FUNCTIONS else ""
    suggestion = f"{service}:{found.here.text}{call}" if service else None
    return found.refuse(f'":" is missing after {shown(found.before.text)}', suggestion=suggestion)


def _words(found: Trouble) -> ScopeError | None:
    """Two names side by side: an operator in words, or a name that needs quotes."""
    before, here = found.before, found.here
    if not (before.is_word and here.is_word and found.takes("AMPERSAND")):
        return None
    meant = _OPERATORS.get(here.text.lower()) or nearest(here.text, ("else",))
    return found.refuse(
        f"{shown(here.text)} cannot follow {shown(before.text)}",
        suggestion=meant or f'"{before.text} {here.text}"',
    )


def _mark(found: Trouble) -> ScopeError:
    marks = (
        meant for (mark, other), meant in _MARKS.items() if mark == found.here.text and found.takes(other)
    )
    doubled = "&" if found.here.text == found.before.text == "&" else None
    return found.refuse(f"unexpected {shown(found.here.text)}", suggestion=next(marks, doubled))


_RULES: tuple[Callable[[Trouble], ScopeError | None], ...] = (
    _empty,
    _ended,
    _quoted,
    _number,
    _duration,
    _star,
    _glob,
    _foreign,
    _edge,
    _function,
    _colon,
    _words,
    _mark,
)


def _service(word: str) -> str | None:
    if known(word):
        return word
    return nearest_service(word) if len(word) > 4 else None


def _in_quotes(found: Trouble) -> str | None:
    return None if found.before.text == "@" else written_name(found.here.text)

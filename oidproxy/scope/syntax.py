"""Reads text with the grammar: what a text binds, or one expression.

The parser is compiled with the first text: that takes some 20 ms, and the openstackclient plugin loads on
every call.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from oidproxy.errors import ScopeError
from oidproxy.scope.build import Builder, plain
from oidproxy.scope.diagnosis import diagnosed
from oidproxy.scope.grammar import grammar
from oidproxy.scope.limits import check_nesting

if TYPE_CHECKING:
    from oidproxy.scope.bindings import Written
    from oidproxy.scope.tree import Expr


def read_bindings(text: str) -> list[Written]:
    """What a whole text binds, in its order. Raises ScopeError."""
    return cast("list[Written]", _read(text, "scope"))


def read_expression(text: str) -> Expr:
    """One expression, as the values of the JSON form hold. Raises ScopeError."""
    return plain(_read(text, "expression"))


def _read(text: str, start: str) -> object:
    check_nesting(text)
    try:
        return _parser().parse(text, start=start)
    except ScopeError as error:
        error.text = text
        raise
    except (UnexpectedCharacters, UnexpectedToken) as failure:
        raise diagnosed(text, failure) from None


@cache
def _parser() -> Lark:
    return Lark(
        grammar(),
        parser="lalr",
        lexer="contextual",
        start=["scope", "expression"],
        transformer=Builder(),
        maybe_placeholders=False,
    )

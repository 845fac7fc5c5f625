"""What each rule of the grammar becomes. The parser calls this as it reads: no syntax tree is ever built."""

from __future__ import annotations

import re

from lark import Token, Transformer

from oidproxy.errors import ScopeError
from oidproxy.scope.bindings import Written
from oidproxy.scope.limits import MOST_CLOUDS, MOST_MICROSECONDS
from oidproxy.scope.tree import (
    EVERY_SERVICE,
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    CloudGlob,
    CloudName,
    Cross,
    Expr,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
)

_ESCAPE = re.compile(r"\\(.)")
_DIGITS = {"s": 6, "ms": 3, "us": 0}
"""How many digits of a number in this unit stand for microseconds."""


class _Negation:
    """A `not(…)` that still knows where it stands, until its surroundings have taken it or refused it."""

    __slots__ = ("of", "word")

    def __init__(self, word: Token, of: Expr) -> None:
        self.word = word
        self.of = of


_Operand = Expr | _Negation


class Builder(Transformer[Token, object]):
    """One method per rule. They raise ScopeError with line and column, and leave its text to their caller."""

    def scope(self, children: list[list[Written]]) -> list[Written]:
        """What a whole text binds."""
        return children[0]

    def everywhere(self, children: list[_Operand]) -> list[Written]:
        """An expression alone binds every service."""
        return [Written(EVERY_SERVICE, plain(children[0]))]

    def bindings(self, children: list[list[Written]]) -> list[Written]:
        """All bindings, in their order."""
        return [written for binding in children for written in binding]

    def binding(self, children: tuple[list[Token], _Operand]) -> list[Written]:
        """`nova+placement:paris` binds each of the two."""
        services, operand = children
        expr = plain(operand)
        return [Written(_text(it), expr, it.start_pos or 0, it.type == "STRING") for it in services]

    def services(self, children: list[Token]) -> list[Token]:
        """The services of one binding."""
        return children

    rest = services

    def first_of(self, children: list[_Operand]) -> Expr:
        """`a | b`, `a || b`, `a else b`."""
        operands: list[Expr] = []
        for expr in _without_negations(children, "|"):
            operands.extend(expr.operands if isinstance(expr, FirstOf) else (expr,))
        return FirstOf(tuple(operands))

    def all_of(self, children: list[_Operand]) -> Expr:
        """`a & b`. What a nested `not` subtracts from is its own parentheses' business, so these stay."""
        operands: list[Expr] = []
        for expr in map(plain, children):
            operands.extend(expr.operands if isinstance(expr, AllOf) and not _subtracts(expr) else (expr,))
        return AllOf(tuple(operands))

    def cross(self, children: list[_Operand]) -> Expr:
        """`a % b`."""
        operands: list[Expr] = []
        for expr in _without_negations(children, "%"):
            operands.extend(expr.operands if isinstance(expr, Cross) else (expr,))
        return Cross(tuple(operands))

    def cloud(self, children: list[Token]) -> Expr:
        """A cloud, or a region of it."""
        return CloudName(*map(_text, children))

    def glob(self, children: list[Token]) -> Expr:
        """`edge-*`."""
        return CloudGlob(children[0].value)

    def all_clouds(self, _children: list[Token]) -> Expr:
        """`*`."""
        return AllClouds()

    def group(self, children: list[Token]) -> Expr:
        """`@fr`."""
        return Group(children[0].value)

    def place(self, children: list[Token]) -> Place:
        """Where a distance is measured from."""
        return Place(*map(_text, children))

    def around(self, children: tuple[Place, Token]) -> Expr:
        """`around(paris,20ms)`."""
        place, duration = children
        return Around(place, _microseconds(duration))

    def nearest(self, children: tuple[_Operand] | tuple[_Operand, Token]) -> Expr:
        """`nearest(@fr,3)`; without a number it is 1."""
        if len(children) == 1:
            return Nearest(plain(children[0]))
        expr, count = children
        return Nearest(plain(expr), _number(count))

    def any_of(self, children: tuple[Token, _Operand]) -> Expr:
        """`any(2,@fr)`."""
        count, expr = children
        return AnyOf(_number(count), plain(expr))

    def negation(self, children: tuple[Token, _Operand]) -> _Negation:
        """`not(@fr)`."""
        word, expr = children
        return _Negation(word, plain(expr))


def plain(operand: object) -> Expr:
    """The expression that an operand is, wherever it stood."""
    if isinstance(operand, _Negation):
        return Not(operand.of)
    return operand  # type: ignore[return-value]  # the grammar puts nothing but expressions here


def _without_negations(operands: list[_Operand], operator: str) -> list[Expr]:
    for operand in operands:
        if isinstance(operand, _Negation):
            message = (
                f'not(…) cannot stand under "{operator}": it takes clouds away from the others of an "&"'
            )
            raise _refusal(operand.word, message)
    return operands  # type: ignore[return-value]  # since none is a negation


def _subtracts(expr: AllOf) -> bool:
    return any(isinstance(operand, Not) for operand in expr.operands)


def _text(name: Token) -> str:
    return _ESCAPE.sub(r"\1", name.value[1:-1]) if name.type == "STRING" else name.value


def _number(token: Token) -> int:
    if len(token) > len(str(MOST_CLOUDS)):
        raise _refusal(token, f"the number is too large, at most {MOST_CLOUDS} is allowed")
    return int(token)


def _microseconds(duration: Token) -> int:
    digits = duration.rstrip("mus")
    unit = duration[len(digits) :]
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _DIGITS[unit]:
        raise _refusal(duration, "a duration is a whole number of microseconds (us)")
    number = (whole + fraction.ljust(_DIGITS[unit], "0")).lstrip("0") or "0"
    # The length first: int() is slow on a text of thousands of digits, and refuses it in the end.
    if len(number) > len(str(MOST_MICROSECONDS)) or int(number) > MOST_MICROSECONDS:
        raise _refusal(
            duration, f"the duration is too long, at most {MOST_MICROSECONDS // 1_000_000}s is allowed"
        )
    return int(number)


def _refusal(token: Token, message: str) -> ScopeError:
    return ScopeError(message, line=token.line or 1, column=token.column or 1)

"""The one text of a tree: what logs, headers, traces and tags show, and what parses back to the same tree."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.errors import ScopeError
from oidproxy.scope.limits import MOST_CANONICAL
from oidproxy.scope.tree import (
    EVERY_SERVICE,
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    Binding,
    CloudGlob,
    CloudName,
    Cross,
    Expr,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
    Scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")


def canonical(scope: Scope) -> str:
    """The canonical text of a scope: sorted, brace-free, blanks only in quotes; empty if it binds nothing."""
    text = scope._canonical  # the memo of this very function
    if text is None:
        text = ";".join(map(_binding, scope.bindings))
        object.__setattr__(scope, "_canonical", text)
    return text


def canonical_expr(expr: Expr) -> str:
    """The canonical text of one expression."""
    return _WRITERS[type(expr)](expr)


def offsets_of(scope: Scope, service: str) -> tuple[int, int]:
    """Where the binding of a service begins in the canonical text of a scope, and where its clouds do.

    Raises:
        KeyError: the scope does not name this service.
    """
    start = 0
    for binding in scope.bindings:
        if binding.service == service:
            return start, start + len(_service(service)) + 1
        start += len(_binding(binding)) + 1
    raise KeyError(service)


def bounded_canonical(scope: Scope) -> str:
    """The canonical text. Raises ScopeError where it is longer than what tags and tokens carry."""
    text = canonical(scope)
    length = len(text) if text.isascii() else len(text.encode())
    if length > MOST_CANONICAL:
        excess = f"the scope takes {length} bytes in its canonical form, at most {MOST_CANONICAL} are allowed"
        raise ScopeError(f"{excess}; a group makes it shorter")
    return text


def written_name(name: str) -> str:
    """A name as a scope writes it: in quotes only if it needs them."""
    if _NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def written_duration(microseconds: int) -> str:
    """A duration in the largest unit that leaves an integer."""
    if microseconds % 1_000_000 == 0:
        return f"{microseconds // 1_000_000}s"
    if microseconds % 1000 == 0:
        return f"{microseconds // 1000}ms"
    return f"{microseconds}us"


def _binding(binding: Binding) -> str:
    return f"{_service(binding.service)}:{canonical_expr(binding.expr)}"


def _service(service: str) -> str:
    return service if service == EVERY_SERVICE else written_name(service)


def _place(place: CloudName | Place) -> str:
    name = written_name(place.name)
    return name if place.region is None else f"{name}/{written_name(place.region)}"


def _nearest(expr: Nearest) -> str:
    count = "" if expr.count == 1 else f",{expr.count}"
    return f"nearest({canonical_expr(expr.of)}{count})"


def _joined(operator: str, *parenthesized: type[Expr]) -> Callable[[Any], str]:
    def write(expr: AllOf | FirstOf | Cross) -> str:
        return operator.join(map(operand, expr.operands))

    def operand(expr: Expr) -> str:
        text = canonical_expr(expr)
        return f"({text})" if isinstance(expr, parenthesized) else text

    return write


_WRITERS: Mapping[type[Expr], Callable[[Any], str]] = MappingProxyType(
    {
        CloudName: _place,
        CloudGlob: lambda expr: expr.pattern,
        AllClouds: lambda _: "*",
        Group: lambda expr: f"@{expr.name}",
        Around: lambda expr: f"around({_place(expr.place)},{written_duration(expr.within_us)})",
        Nearest: _nearest,
        AnyOf: lambda expr: f"any({expr.count},{canonical_expr(expr.of)})",
        Not: lambda expr: f"not({canonical_expr(expr.of)})",
        FirstOf: _joined("|", FirstOf),
        AllOf: _joined("&", FirstOf, AllOf),
        Cross: _joined("%", FirstOf, AllOf, Cross),
    }
)

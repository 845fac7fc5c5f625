"""A tree as plain dictionaries and lists, ready for JSON."""

from __future__ import annotations

from oidproxy.scope.canonical import canonical
from oidproxy.scope.tree import (
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
    Scope,
)

Outline = dict[str, object]


def outline(scope: Scope) -> Outline:
    """The canonical text, and per service the tree of its expression."""
    bindings = [{"service": each.service, "clouds": outline_expr(each.expr)} for each in scope.bindings]
    return {"scope": canonical(scope), "bindings": bindings}


def outline_expr(expr: Expr) -> Outline:  # noqa: PLR0911 - one line per kind of expression
    """One expression: a dictionary whose first key says what it is."""
    match expr:
        case CloudName():
            return {"cloud": expr.name, **_region(expr)}
        case CloudGlob():
            return {"glob": expr.pattern}
        case AllClouds():
            return {"glob": "*"}
        case Group():
            return {"group": expr.name}
        case Around():
            return {"around": {"place": expr.place.name, **_region(expr.place), "within_us": expr.within_us}}
        case Nearest():
            return {"nearest": {"count": expr.count, "of": outline_expr(expr.of)}}
        case AnyOf():
            return {"any": {"count": expr.count, "of": outline_expr(expr.of)}}
        case Not():
            return {"not": outline_expr(expr.of)}
        case AllOf():
            return {"all_of": [outline_expr(operand) for operand in expr.operands]}
        case FirstOf():
            return {"first_of": [outline_expr(operand) for operand in expr.operands]}
        case Cross():
            return {"cross": [outline_expr(operand) for operand in expr.operands]}


def _region(place: CloudName | Place) -> Outline:
    return {} if place.region is None else {"region": place.region}

"""Random trees of the scope language, and random ways to write one down."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from oidproxy.scope.canonical import canonical, written_duration, written_name
from oidproxy.scope.services import official
from oidproxy.scope.tree import (
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    Binding,
    CloudGlob,
    CloudName,
    Cross,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
    Scope,
)

WORDS = ("any", "not", "around", "nearest", "else", "x61", "10ms", "2", "cloud-1", "v2", "a.b")
BARE = st.sampled_from(WORDS) | st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,6}[A-Za-z0-9])?", fullmatch=True)
QUOTED = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.isprintable)
NAMES = BARE | QUOTED
GLOBS = st.from_regex(r"([A-Za-z0-9_.-]{1,4}\*|\*[A-Za-z0-9_.*-])[A-Za-z0-9_.*-]{0,4}", fullmatch=True)
REGIONS = st.none() | NAMES
SERVICES = (
    (st.sampled_from(("nova", "Glance", "volumev3", "identity", "*")) | NAMES)
    .map(official)
    .filter(lambda service: service.isprintable())
)

CLOUDS = st.builds(CloudName, NAMES, REGIONS)
LEAVES = st.one_of(
    CLOUDS,
    st.builds(CloudGlob, GLOBS),
    st.just(AllClouds()),
    st.builds(Group, BARE),
    st.builds(Around, st.builds(Place, NAMES, REGIONS), st.integers(0, 86_400_000_000)),
)


def _flat(kind, operands, keep=lambda operand: False):
    flat = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) and not keep(operand) else (operand,))
    return kind(tuple(flat))


def _positive(operands):
    return [operand.of if isinstance(operand, Not) else operand for operand in operands]


def _bare_of_negation(operand):
    while isinstance(operand, Not):
        operand = operand.of
    return operand


def first_of(operands):
    """`|` in its normal form."""
    return _flat(FirstOf, [_bare_of_negation(operand) for operand in operands])


def cross(operands):
    """`%` in its normal form."""
    return _flat(Cross, [_bare_of_negation(operand) for operand in operands])


def all_of(operands):
    """`&` in its normal form: only one that subtracts stays in one that contains it."""
    return _flat(
        AllOf, operands, keep=lambda operand: any(isinstance(each, Not) for each in operand.operands)
    )


def _larger(inner):
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(first_of),
        several.map(all_of),
        several.map(cross),
        st.builds(Nearest, inner, st.integers(1, 999_999)),
        st.builds(AnyOf, st.integers(1, 999_999), inner),
        st.builds(Not, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, _larger, max_leaves=8)


def _scope(bound):
    order = sorted(bound, key=lambda service: (service != "*", service))
    return Scope(tuple(Binding(service, bound[service]) for service in order))


SCOPES = (
    st.dictionaries(SERVICES, EXPRESSIONS, min_size=1, max_size=4)
    .map(_scope)
    .filter(lambda scope: len(canonical(scope).encode()) <= 1024)
)


@st.composite
def written(draw, scope):
    """The text of a scope, with blanks, parentheses, spellings, braces and order as chance has them."""
    return draw(st.sampled_from((_in_text, _in_json)))(draw, scope)


def _in_text(draw, scope):
    bindings = draw(st.permutations(scope.bindings))
    pieces = [f"{_service(draw, each.service)}{_gap(draw)}:{_expr(draw, each.expr, 3)}" for each in bindings]
    text = pieces[0]
    for piece in pieces[1:]:
        text += draw(st.sampled_from(";,")) + _gap(draw) + piece
    # A brace, a string and a colon would be JSON.
    braces = (("", ""), ("<", ">")) if text.startswith('"') else (("", ""), ("<", ">"), ("{ ", "}"))
    before, after = draw(st.sampled_from(braces))
    ending = draw(st.sampled_from(("", ";", " ,")))
    return f"{_gap(draw)}{before}{text}{ending}{_gap(draw)}{after}{_gap(draw)}"


def _in_json(draw, scope):
    bindings = draw(st.permutations(scope.bindings))
    return json.dumps(
        {each.service: _expr(draw, each.expr, 3) for each in bindings},
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from((None, 1))),
    )


def _gap(draw):
    return draw(st.sampled_from(("", "", "", " ", "\t", "\r\n")))


def _service(draw, service):
    name = service if service == "*" else written_name(service)
    return name.upper() if name.isascii() and draw(st.booleans()) else name


def _expr(draw, expr, depth):
    text = _bare_expr(draw, expr, depth)
    loose = draw(st.integers(0, 5)) == 0 and depth > 0
    return f"{_gap(draw)}({text}){_gap(draw)}" if loose else f"{_gap(draw)}{text}{_gap(draw)}"


def _bare_expr(draw, expr, depth):
    match expr:
        case CloudName() | Place():
            region = f"{_gap(draw)}/{_gap(draw)}{_name(draw, expr.region)}" if expr.region else ""
            return _name(draw, expr.name) + region
        case CloudGlob():
            return expr.pattern
        case AllClouds():
            return "*"
        case Group():
            return f"@{_gap(draw)}{expr.name}"
        case Around():
            duration = _duration(draw, expr.within_us)
            return f"around{_gap(draw)}({_bare_expr(draw, expr.place, 0)},{_gap(draw)}{duration})"
        case Nearest():
            return f"nearest({_expr(draw, expr.of, depth - 1)},{_gap(draw)}{expr.count})"
        case AnyOf():
            return f"any{_gap(draw)}({expr.count}{_gap(draw)},{_expr(draw, expr.of, depth - 1)})"
        case Not():
            return f"not{_gap(draw)}({_expr(draw, expr.of, depth - 1)})"
        case _:
            return _joined(draw, expr, depth)


def _joined(draw, expr, depth):
    marks = {FirstOf: ("|", "||", " else "), AllOf: ("&",), Cross: ("%",)}[type(expr)]
    tight = {FirstOf: (), AllOf: (FirstOf, AllOf), Cross: (FirstOf, AllOf)}[type(expr)]
    text = ""
    for operand in expr.operands:
        piece = _expr(draw, operand, depth - 1)
        text += (draw(st.sampled_from(marks)) if text else "") + (
            f"({piece})" if isinstance(operand, tight) else piece
        )
    return text


def _name(draw, name):
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if draw(st.booleans()) else written_name(name)


def _duration(draw, microseconds):
    exact = f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06}s"
    return draw(
        st.sampled_from((written_duration(microseconds), exact, f"{microseconds}us", f"0{microseconds}.00us"))
    )

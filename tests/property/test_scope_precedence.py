"""OpenStackoid's expressions were Python's: the same text means the same tree here as there."""

from __future__ import annotations

import ast
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.scope.parse import parse
from oidproxy.scope.tree import CloudName
from tests.property.scopes import all_of, first_of

NAMES = st.from_regex(r"[A-Z][a-z]{0,3}[0-9]{0,2}", fullmatch=True).filter(
    lambda name: name not in {"None", "True"}
)


@st.composite
def _expressions(draw, depth=4):
    """Text with &, | and parentheses that Python can read."""
    operands = draw(st.integers(1, 4))
    text = ""
    for _ in range(operands):
        nested = depth > 0 and draw(st.integers(0, 3)) == 0
        operand = f"({draw(_expressions(depth - 1))})" if nested else draw(NAMES)
        text += (draw(st.sampled_from((" & ", " | ", "&", "|"))) if text else "") + operand
    return text


def _python(node):
    if isinstance(node, ast.Name):
        return CloudName(node.id)
    assert isinstance(node, ast.BinOp)
    join = {ast.BitAnd: all_of, ast.BitOr: first_of}[type(node.op)]
    return join([_python(node.left), _python(node.right)])


@settings(max_examples=200, deadline=None)
@given(_expressions())
def test_precedence_is_pythons(text):
    expected = _python(ast.parse(text, mode="eval").body)
    if len(text) < 1000:
        assert parse(text).binding("compute") == expected
        assert parse(json.dumps({"compute": text})).binding("compute") == expected

"""The grammar file: free of conflicts and collisions, found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from oidproxy.scope.grammar import grammar


def _compiled(text: str) -> lark.Lark:
    return lark.Lark(text, parser="lalr", lexer="contextual", start=["scope", "expression"], strict=True)


def test_larks_strict_mode_finds_neither_conflicts_nor_collisions():
    assert _compiled(grammar())


def test_strict_mode_would_find_a_collision():
    colliding = grammar().replace("GLOB.2: /(", "GLOB: /[a-z]+|(")
    with pytest.raises(
        lark.exceptions.LexError, match=r"Collision between Terminals (GLOB and NAME|NAME and GLOB)"
    ):
        _compiled(colliding)


def test_a_checkout_reads_its_own_folder():
    checkout = Path(__file__).resolve().parents[2] / "grammar" / "scope.lark"
    assert grammar() == checkout.read_text(encoding="utf-8")


def test_the_shipped_grammar_wins(tmp_path, monkeypatch):
    (tmp_path / "_grammar").mkdir()
    (tmp_path / "_grammar" / "scope.lark").write_text("shipped", encoding="utf-8")
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    assert grammar() == "shipped"

"""Rules for every file of the project that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = sorted((REPOSITORY / "oidproxy").rglob("*.py"))
FILES = [*MODULES, *sorted((REPOSITORY / "tests").rglob("*.py"))]
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]
VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|managers?|backends?|misc)($|_)")

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
CHANGING = {"append", "extend", "add", "update", "pop", "clear", "setdefault", "insert", "remove", "discard"}


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_the_first_line_says_what_the_file_is_for(path):
    text = path.read_text()
    assert text.startswith('"""'), "a docstring is the first line"
    assert len((ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]) > 15


@pytest.mark.parametrize("path", PACKAGES, ids=name)
def test_a_package_holds_its_docstring_only(path):
    """So that a module never imports its neighbours: the plugin is loaded on every `openstack` call."""
    assert len(ast.parse(path.read_text()).body) == 1


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in MODULES}
    assert {name(folder) for folder in folders if not (folder / "__init__.py").exists()} == set()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_named_for_what_it_does(path):
    assert not VAGUE.search(path.stem)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_has_a_state(path):
    tree = ast.parse(path.read_text())
    assert not bound_to_mutable(tree) & changed(tree)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]


def test_the_rule_above_can_fail():
    tree = ast.parse("A = {}\nB: list = []\nC = ()\ndef f():\n    A[1] = 2\n    B.append(C)")
    assert bound_to_mutable(tree) & changed(tree) == {"A", "B"}


def bound_to_mutable(tree: ast.Module) -> set[str]:
    """Names at the top of a module that hold a list, a dict or a set."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [
        target
        for node in assigned
        if isinstance(node.value, MUTABLE)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def changed(tree: ast.Module) -> set[str]:
    """Names that something is added to, taken from or set in."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    methods = [func for func in calls if isinstance(func, ast.Attribute) and func.attr in CHANGING]
    items = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
    ]
    return {node.value.id for node in [*methods, *items] if isinstance(node.value, ast.Name)}

"""What is loaded when: the openstackclient plugin pays for the language only when a scope is given."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("lark", "os_service_types", "importlib.resources")


def _loaded(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "modules",
    [
        "oidproxy.errors",
        "oidproxy.scope.tree",
        "oidproxy.scope.parse, oidproxy.scope.report, oidproxy.scope.url",
    ],
)
def test_an_import_loads_neither_lark_nor_the_service_types(modules):
    assert _loaded(f"import {modules}") == set()


def test_the_first_scope_loads_them():
    assert _loaded("from oidproxy.scope.parse import parse\nparse('nova:a')") == set(HEAVY)

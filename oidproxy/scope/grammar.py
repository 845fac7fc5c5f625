"""Finds the grammar.

Wheels hold the checkout's `grammar` folder as `oidproxy/_grammar`. An editable install copies nothing, so
there it is the folder itself.
"""

from __future__ import annotations

from pathlib import Path


def grammar() -> str:
    """The text of `scope.lark`."""
    # Costs as much as all else that `openstack` loads of us, so only where a grammar is wanted.
    from importlib.resources import files

    shipped = files("oidproxy").joinpath("_grammar", "scope.lark")
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[2]
    return (checkout / "grammar" / "scope.lark").read_text(encoding="utf-8")

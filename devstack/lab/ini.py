"""Configuration files in oslo.config's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Sections = dict[str, dict[str, str]]
"""Section -> key -> value."""


def merged(*parts: Mapping[str, Mapping[str, str]]) -> Sections:
    """The sections of all parts; what a later part says wins."""
    whole: Sections = {}
    for part in parts:
        for section, lines in part.items():
            whole.setdefault(section, {}).update(lines)
    return whole


def rendered(sections: Mapping[str, Mapping[str, str]]) -> str:
    """The text of the file. `$` and `%` stand as they are: nothing is escaped."""
    blocks = ("".join((f"[{name}]\n", *_lines(lines))) for name, lines in sections.items())
    return "\n".join(blocks)


def _lines(lines: Mapping[str, str]) -> list[str]:
    return [f"{key} = {value}\n" for key, value in lines.items()]

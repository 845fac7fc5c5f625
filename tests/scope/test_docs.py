"""The page on the language: its examples parse, and its commands print what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from oidproxy.cli.main import main
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scope-language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = [line for language, block in BLOCKS if language == "scope" for line in block.splitlines()]
ROWS = [row.replace("\\|", "|") for row in re.findall(r"^\| `(.*?)` \|", PAGE, re.MULTILINE)]
COMMANDS = [
    (command, output)
    for language, block in BLOCKS
    if language == "console"
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


def test_the_page_has_examples_of_every_kind():
    assert {language for language, _ in BLOCKS} == {"scope", "console"}
    assert (len(EXAMPLES) > 15, len(ROWS) > 12, len(COMMANDS) > 8) == (True, True, True)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_parses_to_what_the_arrow_points_at(example):
    text, arrow, expected = example.partition("→")
    assert canonical(parse(text)) == expected.strip() or not arrow


@pytest.mark.parametrize("text", ROWS)
def test_what_the_table_says_one_writes_parses(text):
    assert parse(text)


@pytest.mark.parametrize(("command", "output"), COMMANDS, ids=lambda value: value.splitlines()[0][:60])
def test_a_command_prints_what_the_page_says(command, output, capsys):
    program, *arguments = shlex.split(command)
    assert program == "oidproxy"
    status = main(arguments)
    said = capsys.readouterr()
    assert said.out + said.err == output
    assert status == (2 if said.err else 0)

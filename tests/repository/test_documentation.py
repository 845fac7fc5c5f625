"""Every command and every way to give a scope can be found in the documentation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from oidproxy.cli.main import COMMANDS
from oidproxy.osc.sources import HOOK

REPOSITORY = Path(__file__).parents[2]
PLUGIN_PAGE = REPOSITORY / "docs" / "plugin.md"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PLUGIN_COMMANDS = [name.replace("_", " ") for name in PROJECT["entry-points"]["openstack.oidproxy.v1"]]
WAYS = ["--scope", "--os-scope", "OIDPROXY_SCOPE", "OS_SCOPE", f"vendor_hook: {HOOK}"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_subcommand_is_documented(command):
    text = "\n".join(page.read_text() for page in PAGES)
    assert re.search(rf"\boidproxy {command}\b", text)


@pytest.mark.parametrize("command", PLUGIN_COMMANDS)
def test_every_command_of_the_plugin_is_documented(command):
    assert f"openstack {command}" in PLUGIN_PAGE.read_text()


@pytest.mark.parametrize("word", WAYS)
def test_every_way_to_give_a_scope_is_documented(word):
    assert word in PLUGIN_PAGE.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target

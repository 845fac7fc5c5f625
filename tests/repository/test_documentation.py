"""Commands, error codes and ways to give a scope are in the documentation, and its links lead somewhere."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from oidproxy import errors
from oidproxy.cli.main import COMMANDS
from oidproxy.clouds.limits import Limits
from oidproxy.osc.sources import HOOK

REPOSITORY = Path(__file__).parents[2]
PLUGIN_PAGE = REPOSITORY / "docs" / "plugin.md"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PLUGIN_COMMANDS = [name.replace("_", " ") for name in PROJECT["entry-points"]["openstack.oidproxy.v1"]]
INDEX = REPOSITORY / "docs" / "index.md"
DESIGN = (REPOSITORY / "docs" / "design.md").read_text()
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
[LAYERS] = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
HOUSE = [layer.removeprefix("oidproxy.") for layer in LAYERS if not layer.startswith("(")]
ERRORS = [getattr(errors, name) for name in errors.__all__]
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
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        if "://" not in target:
            found = page.parent / target if target else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their words."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_operators_find_every_error_with_its_status_and_no_other():
    text = (REPOSITORY / "docs" / "operators.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*?) \| \S.* \|$", text, re.MULTILINE)
    documented = [(code, int(status)) for status, codes in rows for code in re.findall(r"`([^`]+)`", codes)]
    # A configuration that cannot be used ends a command, and answers no request.
    answers = {(error.code, error.status) for error in ERRORS if error is not errors.ConfigError}
    assert len(documented) == len(set(documented))
    assert set(documented) == answers


def test_every_error_is_public():
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for name in defined if issubclass(getattr(errors, name), Exception)} == set(errors.__all__)


def test_the_index_lists_every_page_once():
    listed = re.findall(r"^- \[[^]]+\]\(([a-z-]+\.md)\)", INDEX.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES[1:] if page != INDEX)


def test_the_design_lists_the_packages_in_their_order():
    rows = re.findall(r"^\| `([a-z]+)` \| \S", DESIGN, re.MULTILINE)
    assert rows == HOUSE


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(rf"`((?:{'|'.join(HOUSE)})\.[a-zA-Z_.]+)`", DESIGN))), ids=str
)
def test_what_the_design_names_is_there(name):
    module, _, rest = name.partition(".")
    found = importlib.import_module(f"oidproxy.{module}")
    for part in rest.split("."):
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)


@pytest.mark.parametrize("limit", sorted(set(re.findall(r"`limits\.([a-z_]+)`", DESIGN))))
def test_limits_that_the_design_names_are_there(limit):
    assert hasattr(Limits(), limit)

"""README, docs and deploy/ speak of the same files and addresses."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.deploy.files import DEPLOY, REPOSITORY

OPERATORS = REPOSITORY / "docs" / "operators.md"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_deploy_that_a_page_names_exist(page):
    named = re.findall(r"deploy/[\w./-]*\w", page.read_text())
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_operators_are_told_of_every_file(file):
    # What is used by another file alone is named there.
    text = OPERATORS.read_text() + (DEPLOY / "container" / "Containerfile").read_text()
    assert str(file.relative_to(REPOSITORY)) in text or file.suffix == ".dockerignore"


def test_haproxy_stands_in_front_of_what_beside_listens_on():
    [gateway] = [
        one["bind"]
        for one in yaml.safe_load((DEPLOY / "beside.yaml").read_text())["listeners"]
        if "ports" not in one
    ]
    servers = re.findall(r"server \S+ (\S+)", (DEPLOY / "haproxy" / "oidproxy.cfg").read_text())
    assert servers
    assert set(servers) == {gateway}


def test_readme_shows_what_the_file_says():
    [shown] = re.findall(
        r"```yaml\n# oidproxy.yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL
    )
    assert yaml.safe_load(shown) == yaml.safe_load((DEPLOY / "beside.yaml").read_text())


def test_readme_simulates_the_clouds_of_the_file():
    text = (REPOSITORY / "README.md").read_text().replace("\\\n", " ")
    started = [dict(re.findall(r"--(\S+) +(\S+)", line)) for line in re.findall(r"oidproxy sim (.*) &", text)]
    simulated = {
        (one["name"], one["address"], one["proxy"], one.get("region", "RegionOne")) for one in started
    }
    document = yaml.safe_load((DEPLOY / "beside.yaml").read_text())
    beside = {one["cloud"]: one["bind"] for one in document["listeners"] if "cloud" in one}
    declared = {
        (name, cloud["upstream"], beside[name], cloud["region"]) for name, cloud in document["clouds"].items()
    }
    assert simulated == declared

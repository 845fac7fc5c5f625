"""The wheel that users install: it is built, looked into and imported."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The built wheel. Built from the checkout with the hatchling at hand, so nothing is fetched."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    command = [*build, "--outdir", str(folder), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> Path:
    """The wheel's files as an installer lays them out."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def metadata(unpacked: Path):
    [folder] = unpacked.glob("*.dist-info")
    return Parser().parsestr((folder / "METADATA").read_text())


def entry_points(unpacked: Path) -> dict[str, dict[str, str]]:
    [folder] = unpacked.glob("*.dist-info")
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str
    parser.read(folder / "entry_points.txt")
    return {section: dict(parser[section]) for section in parser.sections()}


def test_the_grammar_in_the_wheel_is_the_checkouts(unpacked):
    expected = files_below(REPOSITORY / "grammar")
    assert "scope.lark" in expected
    assert files_below(unpacked / "oidproxy" / "_grammar") == expected


def test_every_module_is_in_the_wheel(unpacked):
    shipped = files_below(unpacked / "oidproxy")
    shipped = {name: text for name, text in shipped.items() if not name.startswith("_grammar/")}
    assert shipped == files_below(REPOSITORY / "oidproxy")


def test_the_wheel_reads_its_own_grammar(unpacked, tmp_path):
    """Away from the checkout, with only the wheel's files on the path before everything else."""
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import oidproxy
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
print(oidproxy.__file__)
print(canonical(parse("{keystone:cloud-1;glance:cloud-999}")))
"""
    command = [sys.executable, "-c", code, str(unpacked)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    where, text = done.stdout.splitlines()
    assert Path(where).is_relative_to(unpacked)
    assert text == "identity:cloud-1;image:cloud-999"


def test_a_users_install_brings_no_server(unpacked):
    requirements = [Requirement(text) for text in metadata(unpacked).get_all("Requires-Dist")]
    base = {canonicalize_name(requirement.name) for requirement in requirements if requirement.marker is None}
    assert base == {"lark", "os-service-types", "pyyaml"}
    by_extra = {
        extra: {
            requirement.name
            for requirement in requirements
            if requirement.marker and requirement.marker.evaluate({"extra": extra})
        }
        for extra in metadata(unpacked).get_all("Provides-Extra")
    }
    assert by_extra["server"] >= {"aiohttp", "uvloop", "httptools", "msgspec"}
    assert by_extra["osc"] == {"python-openstackclient"}


def test_the_licence_is_in_the_wheel(unpacked):
    assert metadata(unpacked)["License-Expression"] == "Apache-2.0"
    [licence] = unpacked.glob("*.dist-info/licenses/LICENSE")
    assert licence.read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_every_entry_point_names_something_that_is_there(unpacked):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from importlib.metadata import EntryPoint;"
        "[EntryPoint('x', value, 'x').load() for value in sys.argv[2:]]"
    )
    found = entry_points(unpacked)
    assert set(found) == {"console_scripts", "openstack.cli.extension", "openstack.oidproxy.v1"}
    values = [value for group in found.values() for value in group.values()]
    subprocess.run([sys.executable, "-c", code, str(unpacked), *values], timeout=60, check=True)

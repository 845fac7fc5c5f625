"""The services are the published packages, byte for byte: what works here works without a patch."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess

import pytest

PROJECTS = ("keystone", "glance", "nova", "neutron", "openstack_placement", "cinder", "keystonemiddleware")


@pytest.fixture(scope="session")
def packages(lab):
    (folder,) = (lab.venv / "lib").glob("python3*/site-packages")
    return folder


def test_nothing_contradicts_what_a_package_needs(lab):
    done = subprocess.run(
        [lab.program("pip"), "check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_has_the_hash_that_its_package_was_published_with(packages):
    checked = 0
    for record in packages.glob("*.dist-info/RECORD"):
        for path, hashed, _ in csv.reader(record.read_text().splitlines()):
            # Some packages ship compiled files, which installing makes anew.
            if hashed and not path.endswith(".pyc"):
                algorithm, _, expected = hashed.partition("=")
                digest = hashlib.new(algorithm, (packages / path).read_bytes()).digest()
                assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == expected, path
                checked += 1
    assert checked > 10_000


@pytest.mark.parametrize("project", PROJECTS)
def test_no_file_was_added_to_a_service(packages, project):
    (record,) = packages.glob(f"{project}-*.dist-info/RECORD")
    listed = {row[0] for row in csv.reader(record.read_text().splitlines())}
    tops = {path.partition("/")[0] for path in listed if path.endswith("/__init__.py")}
    found = {
        str(path.relative_to(packages))
        for top in tops
        for path in (packages / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert found <= listed

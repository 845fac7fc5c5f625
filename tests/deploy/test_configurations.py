"""The two configurations of deploy/ are accepted as they stand, and mean what their comments say."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import yaml

from oidproxy.clouds.loading.load import load
from tests.deploy.files import DEPLOY, Folder, installed

CONFIGURATIONS = ("beside.yaml", "gateway.yaml")
SAMPLE = DEPLOY / "clouds.yaml.sample"


@pytest.fixture
def beside(tmp_path) -> Folder:
    return installed(tmp_path, "beside.yaml")


@pytest.fixture
def gateway(tmp_path) -> Folder:
    folder = installed(tmp_path, "gateway.yaml")
    shutil.copy(SAMPLE, tmp_path / "clouds.yaml")
    [entry] = yaml.safe_load(SAMPLE.read_text())["clouds"]
    (tmp_path / "secure.yaml").write_text(f"clouds: {{{entry}: {{auth: {{password: secret}}}}}}\n")
    return folder


@pytest.fixture
def folder(request) -> Folder:
    return request.getfixturevalue(request.param)


def places(table: str) -> set[tuple[str, ...]]:
    """Service, cloud and URL of each line that `config check` prints."""
    rows = [line.split() for line in table.splitlines()[1:] if "://" in line]
    return {(service, cloud, url) for service, cloud, _region, url, _from in rows}


def test_beside_is_accepted_without_a_word(beside):
    checked = beside.oidproxy("config", "check", "oidproxy.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith(
        "2 clouds, 12 endpoints, 3 listeners; the local cloud is cloud-1\n"
        "the services of cloud-1, cloud-999 ask this proxy, by a listener of their own\n"
    )
    assert ("image", "cloud-999", "http://127.0.1.2:9292") in places(checked.stdout)


def test_gateway_is_accepted(gateway):
    checked = gateway.oidproxy("config", "check", "oidproxy.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    found = places(checked.stdout)
    assert {cloud for service, cloud, _ in found if service == "image"} == {"edge-1", "edge-2", "edge-3"}
    assert {cloud for service, cloud, _ in found if service == "compute"} == {"edge-1"}
    # A second region shares its Keystone, and has its own Glance.
    assert ("identity", "edge-3", "http://127.0.1.101:5000/v3") in found
    assert ("image", "edge-3", "http://127.0.1.103:9292") in found


@pytest.mark.parametrize(
    ("folder", "scope", "url"),
    [
        ("beside", "<keystone:cloud-1;glance:cloud-999>", "http://127.0.1.2:9292"),
        ("gateway", "<keystone:edge-1;glance:edge-2>", "http://127.0.1.102:9292"),
        ("gateway", "<keystone:edge-1;glance:edge-3>", "http://127.0.1.103:9292"),
    ],
    indirect=["folder"],
)
def test_a_scope_leads_to_the_other_cloud(folder, scope, url):
    explained = folder.oidproxy("scope", "explain", scope, "--config", "oidproxy.yaml")
    assert explained.returncode == 0, explained.stderr
    assert url in explained.stdout


def test_the_services_beside_each_cloud_get_their_lines(beside):
    for cloud, address in (("cloud-1", "127.0.2.1"), ("cloud-999", "127.0.2.2")):
        told = beside.oidproxy("cloud", "config", cloud, "--config", "oidproxy.yaml")
        assert told.returncode == 0, told.stderr
        assert f"auth_url = http://{address}:5000/v3" in told.stdout


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("beside", {"cloud-1": "cloud-999", "cloud-999": "cloud-1"}),
        ("gateway", {"edge-1": None, "edge-2": "edge-1", "edge-3": "edge-1"}),
    ],
    indirect=["folder"],
)
def test_members_and_readers_of_one_other_cloud_are_admitted_or_nobody(folder, expected):
    clouds = load(folder.config).clouds
    admitted = {
        name: {home: granted.roles for home, granted in cloud.admits.items()}
        for name, cloud in clouds.items()
    }
    roles = frozenset({"member", "reader"})
    assert admitted == {name: {home: roles} if home else {} for name, home in expected.items()}


def test_every_cloud_behind_the_gateway_says_how_it_exchanges_tokens():
    clouds = document("gateway.yaml")["clouds"]
    ways = {name: cloud["exchange"] for name, cloud in clouds.items()}
    assert ways == {"edge-1": [], "edge-2": ["mapped", "carried"], "edge-3": ["same"]}


def document(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_secret_is_written_down(name):
    found = document(name)
    assert found["admin"]["token"] == "${file:admin.token}"
    assert found.get("fleet_keys", ["${file:fleet.key}"]) == ["${file:fleet.key}"]


def test_the_sample_of_clouds_yaml_has_the_account_that_is_named_and_no_password():
    entries = yaml.safe_load(SAMPLE.read_text())["clouds"]
    named = {
        entry
        for to in document("gateway.yaml")["clouds"]["edge-2"]["mapped"].values()
        for entry in to.values()
    }
    assert set(entries) == named
    assert not any(
        "password" in key or "secret" in key for entry in entries.values() for key in entry["auth"]
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_nothing_listens_where_strangers_reach_it_before_the_operator_says_so(name):
    listeners = document(name)["listeners"]
    assert all(listener["bind"].startswith("127.") for listener in listeners)

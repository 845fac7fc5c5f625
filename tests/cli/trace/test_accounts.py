"""The accounts of a replay: clouds.yaml, the OS_ variables, and which is for whom."""

from __future__ import annotations

import argparse
import json

import pytest

from oidproxy.cli.trace.accounts import logins
from oidproxy.errors import ConfigError

CLOUDS = """
clouds:
  paris: {auth: {auth_url: "http://127.0.1.1:5000/v3", username: demo, password: pw-1, project_name: demo,
                 user_domain_id: default, project_domain_id: default}}
  rennes: {auth_type: v3applicationcredential, auth: {auth_url: "http://127.0.1.2:5000/v3",
           application_credential_id: abc, application_credential_secret: pw-2}}
"""


def options(**more):
    told = {"users": None, "os_cloud": None, "auth_url": None, **more}
    return argparse.Namespace(**told)


@pytest.fixture
def clouds(tmp_path, monkeypatch):
    for name in ("OS_CLOUD", "OS_USERNAME", "OS_AUTH_URL", "OS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    return tmp_path


def test_users_and_homes_are_entries_of_clouds_yaml(clouds):
    users = clouds / "users.yaml"
    users.write_text("default: paris\nhomes: {cloud-9: rennes}\nusers: {6f1b: rennes}\n")
    found = logins(options(users=users))
    assert found.of("x", "y").auth_url == "http://127.0.1.1:5000/v3"
    assert found.of("6f1b", "y") == found.of("x", "cloud-9")
    assert json.loads(found.of("6f1b", "").body)["auth"]["identity"]["methods"] == ["application_credential"]
    assert "pw-" not in repr(found)


def test_an_auth_url_that_is_given_is_everybodys(clouds):
    found = logins(options(os_cloud="paris", auth_url="http://127.0.2.254:8888/identity/v3"))
    assert found.default.auth_url == "http://127.0.2.254:8888/identity/v3"


def test_the_variables_of_openstack_clients_are_enough(clouds, monkeypatch):
    for name, value in {
        "AUTH_URL": "http://127.0.1.1:5000/v3",
        "USERNAME": "demo",
        "PASSWORD": "pw-3",
        "PROJECT_NAME": "demo",
        "USER_DOMAIN_NAME": "Default",
        "PROJECT_DOMAIN_NAME": "Default",
    }.items():
        monkeypatch.setenv(f"OS_{name}", value)
    found = logins(options())
    user = json.loads(found.default.body)["auth"]["identity"]["password"]["user"]
    assert user == {"name": "demo", "domain": {"name": "Default"}, "password": "pw-3"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- x", "expected a mapping with default:, users: and homes:"),
        ("who: x", "expected a mapping with default:, users: and homes:"),
        ("users: [a]", "users: expected names of entries"),
        ("default: {a", "this is no YAML"),
    ],
)
def test_a_file_of_users_that_is_none_is_told(clouds, text, said):
    (clouds / "users.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        logins(options(users=clouds / "users.yaml"))


def test_no_account_and_an_account_that_is_not_there_are_told(clouds):
    with pytest.raises(ConfigError, match="give --os-cloud NAME"):
        logins(options())
    with pytest.raises(ConfigError, match="'lyon'"):
        logins(options(os_cloud="lyon"))

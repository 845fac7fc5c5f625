"""Entries of clouds.yaml as requests that sign in."""

from __future__ import annotations

import json

import pytest

from oidproxy.clouds.credentials import credential
from oidproxy.clouds.loading import asked

USER = {"username": "u", "user_domain_name": "Users", "password": "hunter2"}
PROJECT = {"project_name": "p", "project_domain_id": "d"}


def told(auth_type, auth):
    return json.loads(credential("e", auth_type, auth).body)["auth"]


@pytest.mark.parametrize("auth_type", ["password", "v3password"])
def test_a_user_signs_in_to_a_project(auth_type):
    assert told(auth_type, {**USER, **PROJECT}) == {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "u", "domain": {"name": "Users"}, "password": "hunter2"}},
        },
        "scope": {"project": {"name": "p", "domain": {"id": "d"}}},
    }


def test_ids_need_no_domain_and_a_default_domain_is_for_both():
    by_id = told("password", {"user_id": "1", "password": "x", "project_id": "2"})
    assert by_id["identity"]["password"]["user"] == {"id": "1", "password": "x"}
    assert by_id["scope"] == {"project": {"id": "2"}}
    names = {"username": "u", "password": "x", "project_name": "p", "default_domain_name": "D"}
    assert told("password", names)["scope"] == {"project": {"name": "p", "domain": {"name": "D"}}}


def test_an_application_credential_has_its_own_scope():
    by_id = {"application_credential_id": "a", "application_credential_secret": "s"}
    assert told("v3applicationcredential", by_id) == {
        "identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": "a", "secret": "s"},
        }
    }
    by_name = {"application_credential_name": "n", "application_credential_secret": "s", "user_id": "u"}
    assert told("v3applicationcredential", by_name)["identity"]["application_credential"] == {
        "name": "n",
        "secret": "s",
        "user": {"id": "u"},
    }


@pytest.mark.parametrize(
    ("auth_type", "auth", "message"),
    [
        ("password", {**PROJECT, "username": "u", "user_domain_id": "d"}, "it has no password"),
        ("password", {**USER}, "it has no project_name (and no project_id)"),
        ("password", {**USER, "project_name": "p"}, "it names its project without a domain"),
        ("v3applicationcredential", {"application_credential_id": "a"}, "no application_credential_secret"),
        ("v3oidcpassword", {}, "its auth_type is v3oidcpassword"),
    ],
)
def test_what_is_missing_is_said_without_a_secret(auth_type, auth, message):
    with pytest.raises(ValueError) as refused:
        credential("e", auth_type, auth)
    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_credential_hides_its_body():
    assert "hunter2" not in repr(credential("e", "password", {**USER, **PROJECT}))


def test_entries_are_read_as_openstacksdk_does(tmp_path):
    (tmp_path / "clouds.yaml").write_text(
        "clouds:\n  app:\n    auth_type: v3applicationcredential\n"
        "    auth: {auth_url: http://127.0.9.9/v3, application_credential_id: a}\n"
        "  plain:\n    auth: {username: u, project_name: p, user_domain_id: d, project_domain_id: d}\n"
    )
    (tmp_path / "secure.yaml").write_text(
        "clouds:\n  app: {auth: {application_credential_secret: s}}\n  plain: {auth: {password: hunter2}}\n"
    )
    found = asked.read_entries(str(tmp_path / "clouds.yaml"), ["app", "plain", "nobody"])
    assert found["app"].auth_type == "v3applicationcredential"
    assert found["app"].auth["application_credential_secret"] == "s"
    assert found["plain"].auth["password"] == "hunter2"
    assert "openstacksdk cannot read it" in found["nobody"].error
    assert "hunter2" not in repr(found)

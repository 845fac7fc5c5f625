"""What a service may ask of Keystone with a box: the same project's token, in exactly one form."""

import pytest

from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.tokens.reauthentication import check, is_project

BOX = "oid1~box"
PROJECT = {"id": "p-1", "name": "demo", "domain": {"id": "default", "name": "Default"}}


def asked(scope, **changes):
    identity = {"methods": ["token"], "token": {"id": BOX}, **changes}
    auth = {"identity": identity}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


BY_ID = {"project": {"id": "p-1"}}
BY_NAME = {"project": {"name": "demo", "domain": {"id": "default"}}}
BY_NAMES = {"project": {"name": "demo", "domain": {"name": "Default"}}}


@pytest.mark.parametrize("scope", [BY_ID, BY_NAME, BY_NAMES])
def test_the_same_project_may_be_asked_for(scope):
    assert is_project(check(asked(scope), BOX, BOX), PROJECT)


@pytest.mark.parametrize("scope", [BY_ID, BY_NAME, BY_NAMES])
@pytest.mark.parametrize(
    "other",
    [
        {"id": "p-2", "name": "demo2", "domain": {"id": "default", "name": "Default"}},
        {"id": "demo", "name": "p-1", "domain": {"id": "d", "name": "D"}},
        {"id": "p-2", "name": "demo", "domain": {"id": "Default", "name": "default"}},
        {},
    ],
)
def test_another_project_is_not_the_one_asked_for(scope, other):
    assert not is_project(check(asked(scope), BOX, BOX), other)


def test_a_projects_name_is_never_taken_for_an_id():
    trick = {"id": "x", "name": '{"a":1}', "domain": {"id": "default", "name": "Default"}}
    assert not is_project("p-1", {**trick, "name": "p-1"})
    with pytest.raises(NotAdmitted):
        check(asked({"project": {"id": '{"domain": {"id": "default"}, "name": "demo"}'}}), BOX, BOX)


def test_an_id_and_a_name_of_a_domain_are_told_apart():
    by_id = check(asked({"project": {"name": "demo", "domain": {"id": "Default"}}}), BOX, BOX)
    assert not is_project(by_id, PROJECT)


@pytest.mark.parametrize("header", [None, "", "oid1~other", BOX + "A", BOX.upper()])
def test_the_same_box_must_be_in_the_header(header):
    with pytest.raises(TokenRefused):
        check(asked(BY_ID), BOX, header)


def test_the_box_in_the_body_must_be_the_one_that_was_opened():
    with pytest.raises(NotAdmitted):
        check(asked(BY_ID, token={"id": "oid1~other"}), BOX, BOX)


SCOPES = {
    "none": None,
    "null": "null",
    "unscoped": "unscoped",
    "unscoped as an object": {"unscoped": {}},
    "system": {"system": {"all": True}},
    "domain": {"domain": {"id": "default"}},
    "trust": {"OS-TRUST:trust": {"id": "t"}},
    "project and trust": {"project": {"id": "p-1"}, "OS-TRUST:trust": {"id": "t"}},
    "project and system": {"project": {"id": "p-1"}, "system": {"all": True}},
    "empty": {},
    "project without anything": {"project": {}},
    "project by name alone": {"project": {"name": "demo"}},
    "project by name and an empty domain": {"project": {"name": "demo", "domain": {}}},
    "project by id and name": {"project": {"id": "p-1", "name": "demo", "domain": {"id": "default"}}},
    "domain by id and name": {"project": {"name": "demo", "domain": {"id": "default", "name": "Default"}}},
    "an id that is a number": {"project": {"id": 1}},
    "an empty id": {"project": {"id": ""}},
    "a list": ["project"],
    "a project that is a text": {"project": "p-1"},
}


@pytest.mark.parametrize("name", SCOPES)
def test_every_other_scope_is_refused(name):
    with pytest.raises(NotAdmitted):
        check(asked(SCOPES[name]), BOX, BOX)


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": ["password"]},
        {"methods": ["token", "password"]},
        {"methods": ["token", "token"]},
        {"methods": []},
        {"methods": "token"},
        {"methods": ["Token"]},
        {"token": {"id": BOX, "x": 1}},
        {"token": BOX},
        {"token": {}},
        {"password": {"user": {"id": "u"}}},
        {"totp": {}},
    ],
)
def test_every_other_method_is_refused(changes):
    with pytest.raises(NotAdmitted):
        check(asked(BY_ID, **changes), BOX, BOX)


@pytest.mark.parametrize(
    "body",
    [{}, {"auth": {}}, {"auth": []}, {"auth": {"identity": {}}}, {**asked(BY_ID), "extra": 1}, {"Auth": {}}],
)
def test_every_other_body_is_refused(body):
    with pytest.raises(NotAdmitted):
        check(body, BOX, BOX)


def test_no_refusal_shows_the_box():
    with pytest.raises(NotAdmitted) as refused:
        check(asked(None), BOX, BOX)
    with pytest.raises(TokenRefused) as differing:
        check(asked(BY_ID), BOX, "oid1~other")
    assert BOX not in refused.value.message + differing.value.message

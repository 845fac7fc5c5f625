"""Re-authentication with a closed token: one exact form of it works, and every other one is refused."""

from __future__ import annotations

import json

import pytest

from oidproxy.tokens.closed import PREFIX
from tests.integration.attacking import (
    ABROAD,
    DEFAULT,
    HOME,
    SYSTEM,
    UNSCOPED,
    World,
    bare,
    by_password,
    by_token,
    project,
    send,
)

TOKENS = "/v3/auth/tokens"


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(scope="module")
def box(world, token):
    return world.box("compute", token)


@pytest.fixture(scope="module")
def other_box(world):
    """Of another user of cloud-1 (admin has a role in the project demo, too)."""
    return world.box("compute", world.token("admin"))


@pytest.fixture(scope="module")
def own(world):
    """A token of the service's own, of its own cloud."""
    return world.token("nova", ABROAD)


@pytest.fixture
def nothing_issued(world):
    """Whatever is tried, no Keystone issues a token for it."""
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    yield
    assert not [row for watch in watches for row in watch.seen("identity", "POST")]


def ids(world, cloud, token, name):
    """The id of a project, as the cloud's administrator reads it."""
    answer = send(
        world.beside(cloud), "GET", "identity", f"/v3/projects?name={name}", {"X-Auth-Token": token}
    )
    return answer.json["projects"][0]["id"]


@pytest.fixture(scope="module")
def projects(world):
    token = world.token("admin")
    return {name: ids(world, HOME, token, name) for name in ("demo", "admin", "service")}


# The one form.


@pytest.mark.parametrize("domain", [DEFAULT, {"name": "Default"}])
def test_the_same_project_by_name_is_renewed_and_leaves_closed(world, box, domain):
    answer = world.renew(box, {"project": {"name": "demo", "domain": domain}})
    assert answer.status == 201
    assert answer.get("x-subject-token").startswith(PREFIX)
    assert answer.get("x-subject-token") != box


def test_the_same_project_by_id_is_renewed_and_keystone_sees_bare_tokens(world, token, box, projects):
    home = world.watch(HOME)
    answer = world.renew(box, {"project": {"id": projects["demo"]}})
    assert answer.status == 201
    [row] = home.seen("identity", "POST")
    assert row.get("x-auth-token") == bare(token)
    assert json.loads(row.body)["auth"]["identity"]["token"]["id"] == bare(token)


def test_the_renewed_token_shows_nothing_of_home(world, box, lab):
    text = world.renew(box, project("demo")).text
    assert lab.place(HOME).address not in text
    assert lab.place(HOME).beside not in text
    assert {one["region"] for entry in json.loads(text.partition("\n\n")[2])["token"]["catalog"]
            for one in entry["endpoints"]} == {lab.place(ABROAD).region}  # fmt: skip


# Other scopes.


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "unscoped",
        UNSCOPED,
        SYSTEM,
        {"domain": DEFAULT},
        {"OS-TRUST:trust": {"id": "0" * 32}},
        {},
        {"project": {}},
        {"project": {"id": ""}},
        {"project": {"name": "demo"}},
        {"project": {"name": "demo", "domain": {}}},
        {"project": {"name": "demo", "domain": {"id": "default", "name": "Default"}}},
        {**project("demo"), **SYSTEM},
        {**project("demo"), "OS-TRUST:trust": {"id": "0" * 32}},
        [project("demo")],
    ],
)
def test_any_other_kind_of_scope_is_403(world, nothing_issued, box, scope):
    answer = world.renew(box, scope)
    assert (answer.status, answer.own) == (403, "not-admitted")


@pytest.mark.parametrize("name", ["admin", "service", "Demo", "demo ", "nothing"])
def test_another_project_by_name_is_403(world, nothing_issued, box, name):
    assert world.renew(box, project(name)).status == 403


def test_another_project_by_id_is_403(world, nothing_issued, other_box, projects):
    """Even where the user has a role in it: admin of cloud-1 has one in demo, and its box is of admin."""
    assert world.renew(other_box, {"project": {"id": projects["demo"]}}).status == 403
    assert world.renew(other_box, {"project": {"id": projects["service"]}}).status == 403
    for spelled in (projects["admin"].upper(), projects["admin"] + " ", projects["admin"][:-1]):
        assert world.renew(other_box, {"project": {"id": spelled}}).status == 403


def test_its_own_project_by_id_is_not_another(world, other_box, projects):
    assert world.renew(other_box, {"project": {"id": projects["admin"]}}).status == 201


# Other forms.


@pytest.mark.parametrize("methods", [[], ["password"], ["token", "password"], ["token", "token"], ["Token"]])
def test_any_other_list_of_methods_is_403(world, nothing_issued, box, methods):
    assert world.renew(box, project("demo"), methods=methods).status == 403


def test_with_a_password_beside_it_is_403(world, nothing_issued, box, lab):
    body = by_token(box, project("demo"))
    body["auth"]["identity"] |= by_password("demo", lab.password, None)["auth"]["identity"]
    for methods in (["token"], ["password"], ["password", "token"]):
        body["auth"]["identity"]["methods"] = methods
        answer = send(world.beside(ABROAD), "POST", "identity", TOKENS, {"X-Auth-Token": box}, body)
        assert answer.status == 403


def test_header_and_body_have_to_be_the_same_box(world, nothing_issued, token, box, other_box, own):
    for header in ("", own, token, other_box, box[:-1], bare(token)):
        assert world.renew(box, project("demo"), header=header).status in (401, 403)


@pytest.mark.parametrize("in_header", ["X-Auth-Token", "X-Storage-Token"])
def test_a_box_in_the_header_of_an_honest_login_is_refused(world, nothing_issued, lab, box, own, in_header):
    """A Keystone would be shown it, or the answer could be mistaken for one of its owner's."""
    for body in (by_password("demo", lab.password, project("demo")), by_token(own, project("service"))):
        answer = send(world.beside(ABROAD), "POST", "identity", TOKENS, {in_header: box}, body)
        assert (answer.status, answer.own) == (403, "not-admitted")


def test_a_body_that_says_it_twice_is_checked_as_it_is_sent(world, token, box):
    """JSON with a key twice: what was looked at is written anew, so that Keystone reads the same."""
    home = world.watch(HOME)
    twice = (
        '{"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}, "token": {"id": "%s"}},'
        ' "scope": {"system": {"all": true}},'
        ' "scope": {"project": {"name": "demo", "domain": {"id": "default"}}}}}'
    )
    answer = send(
        world.beside(ABROAD), "POST", "identity", TOKENS, {"X-Auth-Token": box}, (twice % box).encode()
    )
    assert answer.status == 201
    [row] = home.seen("identity", "POST")
    assert "system" not in row.body
    assert row.body.count('"token"') == 2  # the method, and the key


@pytest.mark.parametrize("door", ["gateway", "beside cloud-1"])
def test_nowhere_else_is_it_renewed(world, nothing_issued, box, door):
    at = world.gateway if door == "gateway" else world.beside(HOME)
    assert world.renew(box, project("demo"), at=at).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/v3/auth/%74okens",
        "//v3/auth/tokens",
        "/v3//auth//tokens",
        "/v3/auth/tokens/",
        "/%76%33/auth/tokens",
        "/v3%2Fauth/tokens",
        "/v3/auth/tokens?nocatalog",
    ],
)
def test_no_spelling_of_the_path_slips_past_the_check(world, nothing_issued, box, path):
    fields = {"X-Auth-Token": box}
    for scope in (UNSCOPED, SYSTEM, project("admin"), None):
        answer = send(world.beside(ABROAD), "POST", "identity", path, fields, by_token(box, scope))
        assert (answer.status, answer.own) == (403, "not-admitted")


@pytest.mark.parametrize(
    "path", ["/v3/auth/tokens/x", "/v3/auth/Tokens", "/v2.0/tokens", "/v3/auth/OS-FEDERATION/saml2"]
)
def test_no_other_path_takes_a_box(world, nothing_issued, box, path):
    body = by_token(box, project("demo"))
    answer = send(world.beside(ABROAD), "POST", "identity", path, {"X-Auth-Token": box}, body)
    assert (answer.status, answer.own) == (403, "not-admitted")

"""Header fields that would smuggle a token, an identity or an address past the proxy."""

from __future__ import annotations

import socket

import pytest

from oidproxy.tokens import base64url
from oidproxy.tokens.closed import PREFIX
from tests.integration.attacking import ABROAD, HOME, World, bare, by_password, project, send

IMAGES = "/v2/images"


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    """Of a user of cloud-1 whose image calls go to cloud-999."""
    return world.token(under=f"image:{ABROAD}")


def images(world, fields, *, at=None, path=IMAGES):
    return send(at or world.beside(HOME), "GET", "image", path, fields)


def test_the_control(world, token):
    watch = world.watch(ABROAD)
    assert images(world, {"X-Auth-Token": token}).status == 200
    [row] = watch.seen("image")
    assert row.get("x-auth-token").startswith(PREFIX)


# Fields that name where tokens are to be asked about.


@pytest.fixture
def listening():
    """An address that somebody else's Keystone would have."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.mark.parametrize(
    "name",
    [
        "X-Identity-Url",
        "X-Identity-Cloud",
        "X-Identity-Region",
        "X-Identity-Uri",
        "X-Auth-Url",
        "X-Auth-Uri",
        "X-Keystone-Url",
        "X-Scope-Identity",
        "X-Oidproxy-Home",
        "X-Forwarded-Host",
        "X-Original-Url",
        "Forwarded",
    ],
)
def test_no_field_names_an_identity_service(world, token, listening, name):
    """A token is asked about at its home, wherever a field says that is."""
    host, port = listening.getsockname()
    value = f"host={host}:{port}" if name == "Forwarded" else f"http://{host}:{port}/v3"
    for at in (world.beside(HOME), world.gateway):
        assert images(world, {"X-Auth-Token": token, name: value}, at=at).status == 200
        assert (
            images(world, {"X-Auth-Token": bare(token)[:-8] + "AAAAAAAA", name: value}, at=at).status == 401
        )
        signed_in = send(
            at, "POST", "identity", "/v3/auth/tokens", {name: value},
            by_password("demo", world.lab.password, project("demo")),
        )  # fmt: skip
        assert signed_in.status == 201
        assert f"{host}:{port}" not in signed_in.text
    with pytest.raises(BlockingIOError):
        listening.accept()


# X-Auth-Token by other ways.


@pytest.mark.parametrize(
    "name",
    ["X-Auth-Token", "x-auth-token", "X-Service-Token", "X-Subject-Token", "X-Storage-Token", "X-Scope"],
)
def test_a_field_that_connection_lists_is_not_lost_but_refused(world, token, name):
    watch = world.watch(ABROAD)
    for value in (name, f"close, {name}", f"keep-alive,{name.upper()}"):
        fields = [("X-Auth-Token", token), ("X-Scope", f"image:{ABROAD}"), ("Connection", value)]
        assert images(world, fields).status == 400
    assert not watch.seen()


@pytest.mark.parametrize(
    "name",
    ["X-Auth-Token", "X-Service-Token", "X-Subject-Token", "X-Storage-Token", "X-Scope", "Authorization"],
)
def test_twice_is_once_too_often(world, token, name):
    watch = world.watch(ABROAD)
    for second in (name, name.lower(), name.upper()):
        fields = [("X-Auth-Token", token)] if name != "X-Auth-Token" else []
        assert images(world, [*fields, (name, "image:cloud-1"), (second, "image:cloud-1")]).status == 400
    assert not watch.seen()


@pytest.mark.parametrize(
    "name",
    [
        "X_Auth_Token",
        "X-Auth_Token",
        "X_Roles",
        "X_Service_Token",
        "X.Auth.Token",
        "X-Auth-Token ",
        "HTTP_X_ROLES",
    ],
)
def test_a_name_that_wsgi_would_read_as_another_is_refused(world, token, name):
    watch = world.watch(ABROAD)
    assert images(world, [("X-Auth-Token", token), (name, token)]).status == 400
    assert images(world, [(name, token), ("X-Scope", f"image:{ABROAD}")]).status == 400
    assert not watch.seen()


def test_x_storage_token_is_an_x_auth_token_and_leaves_as_one(world, token):
    watch = world.watch(ABROAD)
    assert images(world, {"X-Storage-Token": token}).status == 200
    [row] = watch.seen("image")
    assert row.get("x-storage-token") is None
    assert row.get("x-auth-token").startswith(PREFIX)
    assert images(world, {"X-Storage-Token": token, "X-Auth-Token": token}).status == 200
    for fields in (
        {"X-Storage-Token": token, "X-Auth-Token": bare(token)},
        {"X-Storage-Token": world.token("admin"), "X-Auth-Token": token},
    ):
        assert images(world, fields).status == 400
    assert bare(token) not in "".join(row.line for row in watch.seen())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "Negotiate", "Token"])
def test_a_token_in_authorization_stays_at_its_home(world, token, scheme):
    """keystonemiddleware's oauth2_token filter takes a Keystone token there, and keystoneauth sends both."""
    there, here = world.watch(ABROAD), world.watch(HOME)
    value = f"{scheme} {bare(token)}"
    for scope in (f"image:{ABROAD}", f"image:{HOME}"):
        for fields in ({"X-Auth-Token": token}, {}):
            images(world, {**fields, "Authorization": value, "X-Scope": scope})
    assert len(there.seen("image")) == 2
    assert all(row.get("authorization") is None for row in there.seen())
    assert bare(token) not in "".join(row.line for row in there.seen())
    assert [row.get("authorization") for row in here.seen("image")] == [value, value]


@pytest.mark.parametrize(
    "name", ["X-Subject-Token", "Cookie", "X-Scope-Tokens", "X-Scope-Why", "X-Oidproxy-Token"]
)
def test_tokens_in_other_fields_reach_no_other_cloud(world, token, name):
    watch = world.watch(ABROAD)
    value = f"cloud-1={bare(token)}"
    assert images(world, {"X-Auth-Token": token, name: value}).status == 200
    [row] = watch.seen("image")
    assert row.get(name.lower()) is None
    assert bare(token) not in row.came


def test_each_cloud_sees_its_own_name_and_none_of_ours(world, token, lab):
    watch = world.watch(ABROAD)
    fields = {
        "X-Auth-Token": token,
        "X-Scope": f"image:{ABROAD}",
        "X-Scope-Explain": "1",
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": "https",
    }
    answer = images(world, fields, path=f"/s/image:{ABROAD}/image{IMAGES}")
    assert answer.status == 200
    assert answer.get("x-scope-why")
    [row] = watch.seen("image")
    assert row.get("host") == f"{lab.place(ABROAD).address}:9292"
    assert row.target == IMAGES
    assert not [name for name, _ in row.fields if name.lower().startswith(("x-scope", "x-oidproxy"))]
    assert "198.51.100.7" not in row.came
    assert "https" not in row.came


# Loops.


def test_a_request_that_was_here_before_is_508(world, token):
    watch = world.watch(ABROAD)
    assert images(world, {"X-Auth-Token": token}).status == 200
    [row] = watch.seen("image")
    via = row.get("via")
    assert images(world, {"X-Auth-Token": token, "Via": "1.1 other"}).status == 200
    for value in (via, f"1.1 other, {via}", f"{via} (comment, with comma)", ", ".join(["1.1 x"] * 8)):
        answer = images(world, {"X-Auth-Token": token, "Via": value})
        assert (answer.status, answer.own) == (508, "loop")
    assert len(watch.seen("image")) == 2


# Envelopes: anybody can write one.


def envelope(home, scope=""):
    return base64url.encode(f"{home}\n{scope}".encode())


def test_a_forged_scope_routes_and_gives_nothing_more(world, token):
    """The user writes another scope behind the own token: that is what X-Scope does, too, and no more."""
    guests = f"{bare(token)}~{envelope(HOME, f'*:{ABROAD};identity:{HOME}')}"
    watch = world.watch(ABROAD)
    answer = send(
        world.beside(HOME), "POST", "compute", "/v2.1/flavors", {"X-Auth-Token": guests}, {"flavor": {}}
    )
    assert answer.status == 403
    assert watch.seen("compute")[0].get("x-auth-token").startswith(PREFIX)
    assert images(world, {"X-Auth-Token": guests}).status == 200


def test_a_forged_home_is_a_home_that_does_not_know_the_token(world, token):
    forged = f"{bare(token)}~{envelope(ABROAD)}"
    home = world.watch(HOME)
    for at in (world.gateway, world.beside(HOME), world.beside(ABROAD)):
        for fields in ({}, {"X-Scope": f"image:{HOME}"}, {"X-Scope": f"image:{ABROAD}"}):
            assert images(world, {"X-Auth-Token": forged, **fields}, at=at).status == 401
        assert send(at, "GET", "identity", "/v3/auth/projects", {"X-Auth-Token": forged}).status == 401
        assert world.validate(forged, forged, at=at).status == 401
    assert not [row for row in home.seen() if row.get("x-auth-token")]


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "~",
        "=",
        "junk!",
        "Y2xvdWQtMQo=",
        envelope("cloud-1", "image:"),
        envelope("cloud-1", "<image:cloud-999>"),
        envelope("cloud-1", "image:cloud-999 "),
        envelope("cloud-1")[:-1] + "p",
        envelope("cloud-2"),
        envelope("127.0.0.1"),
        envelope("http://127.0.0.1/"),
        envelope(""),
        envelope("cloud-1", "a" * 3000),
        envelope("cloud-1\nimage:cloud-1"),
    ],
)
def test_a_forged_envelope_that_proxies_do_not_write_is_401(world, token, forged):
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    text = f"{bare(token)}~{forged}"
    for at in (world.gateway, world.beside(HOME)):
        for service, path in (("image", IMAGES), ("identity", "/v3/projects")):
            answer = send(at, "GET", service, path, {"X-Auth-Token": text})
            assert (answer.status, answer.own) in ((401, "token"), (400, "scope")), answer.text
            assert bare(token) not in answer.text
    assert not [row for watch in watches for row in watch.seen()]


@pytest.mark.parametrize("form", ["~{0}~{0}", "!SCOPE!{{}}~{0}", "~{0}!SCOPE!{{}}", "{0}", "~~{0}"])
def test_forms_within_forms_are_401(world, token, form):
    text = bare(token) + form.format(envelope(HOME))
    assert images(world, {"X-Auth-Token": text}).status == 401

"""Spellings of paths and hosts that would get past what the proxy does for tokens, or lead elsewhere."""

from __future__ import annotations

import json

import pytest

from tests.integration.attacking import (
    ABROAD,
    HOME,
    World,
    bare,
    by_password,
    by_token,
    project,
    send,
)

SAME = [
    "/v3/auth/tokens",
    "/v3/auth/%74okens",
    "/v3/auth/%74%6f%6B%65%6e%73",
    "//v3/auth/tokens",
    "/v3//auth///tokens",
    "/v3/auth/tokens/",
    "/v3/auth/tokens//",
    "/%76%33/auth/tokens",
    "/v3%2Fauth%2ftokens",
    "/v3/auth/tokens?nocatalog",
    "/v3/auth/tokens?x=/v3/users",
    "/v3/auth/tokens?",
]
OTHER = [
    "/v3/auth/Tokens",
    "/V3/auth/tokens",
    "/v3/auth/tokens;x",
    "/v3/auth/tokens%3Fx",
    "/v3/auth/tokens%20",
    "/v3/auth/tokens%09",
    "/v3/auth/%2574okens",
    "/v3/auth/tokens.json",
    "/v3/auth/tokens/x",
    "/v3/auth/tokens%ff",
    "/v3/auth/tokens&x",
    "/v2.0/tokens",
    "/v3/tokens",
    "/v3/s3tokens",
    "/v3/ec2tokens",
    "/v2.0/ec2tokens",
    "/v3/auth/OS-FEDERATION/saml2",
    "/v3/auth/OS-FEDERATION/saml2/ecp",
    "/v3/OS-FEDERATION/identity_providers/x/protocols/y/auth",
    "/v3/auth/OS-FEDERATION/websso/y",
    "/v3/OS-OAUTH2/token",
]
NEVER = [
    "/v3/./auth/tokens",
    "/v3/x/../auth/tokens",
    "/v3/auth/%2e%2e/auth/tokens",
    "/v3/auth%2F..%2Fauth/tokens",
    "/v3\\auth\\tokens",
    "/v3/auth/tokens%00",
    "/v3/auth/tokens%0d%0aX-Roles:%20admin",
    "/v3/auth/tokens#x",
]


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(params=["beside", "gateway", "beside, scoped", "gateway, scoped"])
def address(request, world):
    """Where, and what stands before the path there."""
    at = world.gateway if "gateway" in request.param else world.beside(HOME)
    scope = f"/s/image:{ABROAD}" if "scoped" in request.param else ""
    service = "/identity" if scope or at.gateway else ""
    return at, scope + service


def post(address, path, body, fields=()):
    at, prefix = address
    return send(at, "POST", "identity", "", fields, body, target=prefix + path)


@pytest.mark.parametrize("path", SAME)
def test_every_spelling_of_a_call_for_a_token_gives_a_sealed_one(world, address, token, path):
    home = world.watch(HOME)
    for body, fields in (
        (by_password("demo", world.lab.password, project("demo")), {}),
        (by_token(token, project("demo")), {}),
        (by_token(token, project("demo")), {"X-Auth-Token": token}),
    ):
        answer = post(address, path, body, fields)
        # Keystone itself may not know a spelling; what it knows it answers with a token.
        assert answer.status in (201, 404), answer.text
        issued = answer.get("x-subject-token")
        assert (issued is not None) == (answer.status == 201)
        assert issued is None or "~" in issued
        assert issued is None or world.validate(issued, issued, at=world.beside(HOME)).status == 200
    seen = home.seen("identity")
    assert seen
    assert not [row for row in seen if "~" in row.came]


@pytest.mark.parametrize("path", OTHER)
def test_other_paths_give_no_token_and_show_no_keystone_our_forms(world, address, token, path):
    """None of these issues tokens at the simulated Keystone; no answer may ever hold a bare one."""
    home = world.watch(HOME)
    body = by_token(token, project("demo"))
    answer = post(address, path, body, {"X-Auth-Token": token})
    assert answer.status in (400, 401, 403, 404), answer.text
    assert answer.get("x-subject-token") is None
    seen = home.seen("identity")
    assert not [row for row in seen if "~" in json.dumps(row.fields)]


@pytest.mark.parametrize("path", NEVER)
def test_what_servers_read_differently_reaches_none(world, address, token, path):
    watch = world.watch(HOME)
    body = by_password("demo", world.lab.password, project("demo"))
    answer = post(address, path, body, {"X-Auth-Token": token})
    assert (answer.status, answer.own) == (400, "bad-request")
    assert not watch.seen()


def test_two_tokens_of_two_clouds_are_shown_to_neither(world, token):
    """In the header and in the body: each Keystone would see one that it did not issue."""
    theirs = world.token(cloud=ABROAD)
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    for at in (world.gateway, world.beside(HOME), world.beside(ABROAD)):
        for header, inner in ((theirs, token), (token, theirs)):
            answer = world.renew(inner, project("demo"), header=header, at=at)
            assert (answer.status, answer.own) == (400, "bad-request")
    assert not [row for watch in watches for row in watch.seen()]
    assert world.renew(token, project("demo"), header=token, at=world.gateway).status == 201
    assert world.renew(theirs, project("demo"), header=theirs, at=world.gateway).status == 201


def test_credentials_are_shown_to_the_one_cloud_that_is_named(world, lab):
    body = by_password("demo", lab.password, project("demo"))
    for scope, cloud in (
        (f"identity:{ABROAD}", ABROAD),
        (f"*:{ABROAD}", ABROAD),
        ("identity:*", HOME),
        ("", HOME),
    ):
        watches = {name: world.watch(name) for name in (HOME, ABROAD)}
        answer = send(
            world.gateway, "POST", "identity", "/v3/auth/tokens", {"X-Scope": scope} if scope else {}, body
        )
        assert answer.status == 201
        told = {
            name
            for name, watch in watches.items()
            if lab.password in "".join(row.came for row in watch.seen())
        }
        assert told == {cloud}


def test_a_scope_that_excludes_the_tokens_home_is_401_and_shows_it_to_nobody(world, token):
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    for scope in (f"identity:{ABROAD}", ABROAD, f"*:{ABROAD}"):
        for service, path in (("image", "/v2/images"), ("identity", "/v3/projects")):
            for fields, prefix in (({"X-Scope": scope}, ""), ({}, f"/s/{scope}")):
                target = f"{prefix}/{service}{path}"
                answer = send(
                    world.gateway, "GET", service, path, {"X-Auth-Token": token, **fields}, target=target
                )
                assert (answer.status, answer.own) == (401, "token")
    assert not [row for watch in watches for row in watch.seen()]


# Names.


@pytest.mark.parametrize("host", ["evil.example", "evil.example:81", "EVIL", "[::1]:5000"])
def test_a_name_that_is_not_ours_comes_back_to_its_sender_only(world, lab, host):
    """Clients reach a proxy by any name that it has; which one is not for the next client to hear."""
    body = by_password("demo", lab.password, project("demo"))
    for at in (world.gateway, world.beside(HOME)):
        named = send(at, "POST", "identity", "/v3/auth/tokens", {}, body, host=host)
        assert named.status == 201
        assert at.host not in named.text
        again = send(at, "POST", "identity", "/v3/auth/tokens", {}, body)
        assert "evil" not in again.text.lower()
        assert at.host in again.text
        send(at, "GET", "identity", "/v3", host=host)
        assert "evil" not in send(at, "GET", "identity", "/v3").text.lower()


@pytest.mark.parametrize(
    "host", ["evil@x", "evil/x", "a,b", "a b", "x:99999", "x:y", "%41", "", "evil\\x", "é"]
)
def test_a_name_that_is_none_is_refused(world, token, host):
    watch = world.watch(HOME)
    for at in (world.gateway, world.beside(HOME)):
        fields = [("X-Auth-Token", token)] + ([] if host else [("Host", "x")])
        answer = send(at, "GET", "image", "/v2/images", fields, host=host or "x")
        assert answer.status == 400
    assert not watch.seen()


def test_an_absolute_url_names_one_of_our_listeners(world, lab, token):
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    fields = {"X-Auth-Token": token}
    at = world.beside(HOME)
    for authority in (
        "evil.example",
        lab.place(HOME).address + ":9292",
        at.host,
        f"u:p@{at.host}:9292",
        at.host + ":1",
    ):
        answer = send(at, "GET", "image", "", fields, target=f"http://{authority}/v2/images")
        assert (answer.status, answer.own) == (400, "bad-request")
    assert not [row for watch in watches for row in watch.seen()]
    own = f"http://{at.host}:9292/v2/images"
    assert send(at, "GET", "image", "", fields, target=own, host="evil.example").status == 200


def test_the_services_of_a_cloud_are_told_their_own_addresses_whatever_a_user_calls_the_proxy(world, lab):
    """A user's Host is not what the next service hears in its catalog."""
    token = world.token(under=f"image:{ABROAD}")
    watch = world.watch(ABROAD)
    answer = send(world.gateway, "GET", "image", "/v2/images", {"X-Auth-Token": token}, host="evil.example")
    assert answer.status == 200
    box = next(row.get("x-auth-token") for row in watch.seen("image") if row.get("x-auth-token"))
    told = world.validate(world.token("nova", ABROAD), box).text
    assert "evil" not in told
    assert lab.place(ABROAD).beside in told


SHOWING = [
    *((service, "/") for service in ("identity", "image", "compute", "network", "block-storage")),
    ("identity", "/v3"),
    ("identity", "/v3/auth/catalog"),
    ("identity", "/v3/auth/projects"),
    ("image", "/versions"),
    ("image", "/v2/images?limit=1"),
    ("compute", "/v2.1"),
    ("compute", "/v2.1/flavors?limit=1"),
    ("compute", "/v2.1/servers/detail?limit=1"),
    ("network", "/v2.0/networks?limit=1"),
    ("block-storage", "/v3/volumes?limit=1"),
]


@pytest.mark.parametrize("where", ["gateway", "beside"])
def test_what_a_client_is_shown_leads_to_the_proxy_only(world, lab, where):
    at = world.gateway if where == "gateway" else world.beside(HOME)
    ours = at.host
    signed_in = world.authenticate(at=at, under=f"image:{ABROAD}")
    urls = [one["url"] for entry in signed_in.json["token"]["catalog"] for one in entry["endpoints"]]
    assert urls
    assert all(url.startswith(f"http://{ours}:") for url in urls)
    fields = {"X-Auth-Token": signed_in.get("x-subject-token")}
    for cloud in (HOME, ABROAD):
        scope = {"X-Scope": f"image:{cloud};compute:{cloud};block-storage:{cloud};network:{cloud}"}
        for service, path in SHOWING:
            answer = send(at, "GET", service, path, {**fields, **scope})
            assert answer.status in (200, 300), (service, path, answer.text)
            for place in lab.places.clouds:
                assert place.address not in answer.text, (service, path)
                assert place.beside == ours or f"{place.beside}:" not in answer.text, (service, path)
    assert bare(fields["X-Auth-Token"]) not in "".join(urls)

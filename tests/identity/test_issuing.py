"""New tokens: sealed for clients, closed for the foreign service that renews one."""

import json

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.errors import BadAnswer, ConnectTimedOut, NotAdmitted, ScopeError, TokenRefused
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.presented import Box, Form, Use
from oidproxy.tokens.sealed import seal
from tests.identity.world import ADMITS, HOUR, KEYRING, NOW, SCOPE, World, body_of, error, field_of, registry

PASSWORD = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "s3cret"}}}}}


def urls(catalog):
    return {entry["type"]: {e["url"] for e in entry["endpoints"]} for entry in catalog}


async def test_a_new_token_leaves_sealed_with_its_home_and_scope(world, keystones):
    reply = await world.issue(PASSWORD, bound=SCOPE)
    (token,) = keystones.tokens["cloud-1"]
    assert reply.status == 201
    assert field_of(reply, "X-Subject-Token") == seal(token, "cloud-1", SCOPE)
    assert world.present(field_of(reply, "X-Subject-Token")).home == "cloud-1"


async def test_without_a_scope_only_its_home_is_sealed_in(world, keystones):
    reply = await world.issue(PASSWORD, to="cloud-2")
    shown = world.present(field_of(reply, "X-Subject-Token"))
    assert (shown.form, shown.home, shown.scope) == (Form.SEALED, "cloud-2", NO_SCOPE)


async def test_keystone_gets_the_body_as_it_was_given(world, keystones):
    await world.issue(PASSWORD)
    assert json.loads(keystones.asked[0].body) == PASSWORD
    assert keystones.asked[0].fields["content-length"] == str(len(keystones.asked[0].body))


async def test_the_answer_is_keystones_but_for_the_catalog(world, keystones):
    reply = await world.issue(PASSWORD, bound=SCOPE)
    (issued,) = keystones.tokens["cloud-1"].values()
    told = body_of(reply)
    catalog = told.pop("catalog")
    assert told == issued.body
    assert all(
        url.startswith("http://127.0.0.1:8888/s/x") for found in urls(catalog).values() for url in found
    )


async def test_a_catalog_that_was_not_asked_for_is_not_invented(world, keystones):
    keystones.instead.append((201, {**JSON, "X-Subject-Token": "gAAAAAB"}, token_body(catalog=None)))
    assert "catalog" not in body_of(await world.issue(PASSWORD, query="?nocatalog"))


async def test_fields_of_one_connection_and_our_own_are_not_relayed(world, keystones):
    reply = await world.issue(PASSWORD)
    assert {name.lower() for name, _ in reply.fields} == {b"content-type", b"vary", b"x-subject-token"}


async def test_a_redirect_of_keystone_stays_at_the_proxy(world, keystones):
    """For `/v3//auth/tokens`; past the proxy the client would get a token that nobody sealed."""
    keystones.instead.append((308, {"Location": "http://127.0.1.1:5000/v3/auth/tokens"}, b""))
    reply = await world.issue(PASSWORD)
    assert (reply.status, field_of(reply, "Location")) == (
        308,
        "http://127.0.0.1:8888/identity/v3/auth/tokens",
    )
    keystones.instead.append((302, {"Location": "https://idp.example/login"}, b""))
    assert field_of(await world.issue(PASSWORD), "Location") == "https://idp.example/login"


async def test_a_keystones_session_is_told_to_its_own_users_only(world, keystones):
    for at, told in (("cloud-1", "s=1"), ("cloud-2", None), (None, None)):
        keystones.instead.append((401, {"Set-Cookie": "s=1", "Alt-Svc": "h2"}, b""))
        reply = await world.issue(PASSWORD, at=at)
        assert field_of(reply, "Set-Cookie") == told
        assert field_of(reply, "Alt-Svc") is None


JSON = {"Content-Type": "application/json"}


def token_body(**changes):
    world = World()
    token = world.keystones.issue("cloud-1", **changes)
    return json.dumps({"token": world.keystones.tokens["cloud-1"][token].body}).encode()


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 429, 500, 503])
async def test_what_keystone_refuses_is_relayed(world, keystones, status):
    keystones.instead.append(error(status))
    reply = await world.issue(PASSWORD)
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (status, status)
    assert field_of(reply, "X-Openstack-Request-Id") == "req-keystone"


async def test_a_receipt_of_a_second_factor_is_relayed(world, keystones):
    keystones.instead.append((401, {**JSON, "Openstack-Auth-Receipt": "gAAAAABreceipt"}, b"{}"))
    assert field_of(await world.issue(PASSWORD), "Openstack-Auth-Receipt") == "gAAAAABreceipt"


async def test_a_page_of_websso_is_relayed_and_its_token_sealed(world, keystones):
    keystones.instead.append((200, {"Content-Type": "text/html", "X-Subject-Token": "gAAAAAB1"}, b"<html>"))
    reply = await world.issue(PASSWORD)
    assert reply.body == b"<html>"
    assert field_of(reply, "X-Subject-Token") == seal("gAAAAAB1", "cloud-1", NO_SCOPE)


async def test_the_token_of_ec2_has_status_200_and_is_sealed_too(world, keystones):
    keystones.instead.append((200, {**JSON, "X-Subject-Token": "gAAAAAB1"}, token_body()))
    assert field_of(await world.issue(PASSWORD), "X-Subject-Token") == seal("gAAAAAB1", "cloud-1", NO_SCOPE)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"X-Subject-Token": "gAAAAAB1"}, b"not json"),
        ({"X-Subject-Token": "gAAAAAB1"}, b'{"token": {}}'),
        ({"X-Subject-Token": "gAAAAAB1~Y2xvdWQtMQo"}, b'{"token": {}}'),
        ({"X-Subject-Token": "two words"}, b'{"token": {}}'),
        ({"X-Subject-Token": "gAAAAAB1", "Content-Encoding": "gzip"}, b"\x1f\x8b"),
    ],
)
async def test_an_answer_that_is_none_is_a_502(world, keystones, fields, body):
    keystones.instead.append((201, {**JSON, **fields}, body))
    with pytest.raises(BadAnswer):
        await world.issue(PASSWORD)


async def test_an_answer_over_a_mebibyte_is_a_502(world, keystones):
    keystones.instead.append((201, {**JSON, "X-Subject-Token": "gAAAAAB1"}, b" " * (1024 * 1024 + 1)))
    with pytest.raises(BadAnswer):
        await world.issue(PASSWORD)


async def test_a_keystone_that_does_not_answer_is_what_upstream_says(world, keystones):
    keystones.instead.append(ConnectTimedOut("late", cloud="cloud-1"))
    with pytest.raises(ConnectTimedOut):
        await world.issue(PASSWORD)


async def test_a_scope_too_long_to_be_sealed_is_refused_before_a_token_is_made(world, keystones):
    names = "|".join(f"cloud-{number:04}" for number in range(90))
    with pytest.raises(ScopeError):
        await world.issue(PASSWORD, bound=parse(f"image:{names}").over(parse(f"network:{names}")))
    assert keystones.asked == []


async def test_x_auth_token_reaches_keystone_bare(world, keystones):
    token = keystones.issue("cloud-1")
    await world.issue(PASSWORD, header=seal(token, "cloud-1", SCOPE))
    assert keystones.asked[0].fields["x-auth-token"] == token


async def test_another_clouds_token_in_x_auth_token_reaches_no_keystone(world, keystones):
    token = keystones.issue("cloud-2")
    with pytest.raises(TokenRefused):
        await world.issue(PASSWORD, header=seal(token, "cloud-2", SCOPE))
    assert keystones.asked == []


async def test_a_services_token_is_known_as_one_from_its_issue(world, keystones):
    keystones.instead.append(
        (201, {**JSON, "X-Subject-Token": "gAAAAAB1"}, token_body(user="nova", roles=("service",)))
    )
    reply = await world.issue(PASSWORD)
    sealed = world.present(field_of(reply, "X-Subject-Token"))
    assert world.identity.is_service(sealed)
    assert world.identity.caller(sealed) == "nova"
    assert not world.identity.is_service(world.present(seal("gAAAAAB1", "cloud-2", NO_SCOPE)))


# Re-authentication with a box.


async def test_a_service_abroad_renews_its_users_token(world, keystones):
    token = keystones.issue("cloud-1", roles=("admin", "member"))
    old = await world.closed(token, service="block-storage")
    reply = await world.renew(old)
    new = field_of(reply, "X-Subject-Token")
    bare = list(keystones.tokens["cloud-1"])[-1]
    assert reply.status == 201
    assert KEYRING.open(new) == Box(
        token=bare,
        home="cloud-1",
        scope="identity:cloud-1;image:cloud-2",
        cloud="cloud-2",
        service="block-storage",
        use=Use.CALL,
        expires=int(NOW + HOUR),
    )
    assert bare != token


async def test_what_it_hears_is_filtered_and_shows_its_own_cloud(world, keystones):
    old = await world.closed(keystones.issue("cloud-1", roles=("admin", "member")))
    told = body_of(await world.renew(old))
    assert [role["name"] for role in told["roles"]] == ["member"]
    assert told["is_admin_project"] is False
    assert urls(told["catalog"])["image"] == {"http://127.0.2.2:9292"}
    assert urls(told["catalog"])["block-storage"] == {"http://127.0.2.2:8776/v3/p-cloud-1-demo"}
    assert "catalog" not in body_of(await world.renew(old, query="?nocatalog"))


async def test_keystone_gets_both_places_bare(world, keystones):
    token = keystones.issue("cloud-1")
    await world.renew(await world.closed(token))
    posted = keystones.asked[-1]
    assert (posted.cloud, posted.method, posted.fields["x-auth-token"]) == ("cloud-1", "POST", token)
    assert json.loads(posted.body)["auth"]["identity"]["token"]["id"] == token


async def test_the_new_token_serves_at_once(world, keystones):
    new = field_of(await world.renew(await world.closed(keystones.issue("cloud-1"))), "X-Subject-Token")
    before = len(keystones.asked)
    assert world.now("compute", "cloud-1", new, at="cloud-2").token
    assert len(keystones.asked) == before


async def posts(world):
    return [asked for asked in world.keystones.asked if asked.method == "POST"]


@pytest.mark.parametrize(
    "project", ["p-cloud-1-other", "demo", "", '{"domain": {"id": "x"}, "name": "demo"}']
)
async def test_another_project_is_403_and_no_token_is_made(world, keystones, project):
    old = await world.closed(keystones.issue("cloud-1"))
    with pytest.raises(NotAdmitted):
        await world.renew(old, project=project)
    assert await posts(world) == []


async def test_the_project_may_be_asked_for_by_name_and_domain(world, keystones):
    old = await world.closed(keystones.issue("cloud-1"))
    asked = json.dumps({"domain": {"id": "default"}, "name": "demo"}, sort_keys=True)
    shown = world.present(old)
    body = {
        "auth": {"identity": {"methods": ["token"], "token": {"id": shown.token}}, "scope": {"project": {}}}
    }
    reply = await world.issue(body, at="cloud-2", header=old, reauthenticates=shown, project_id=asked)
    assert reply.status == 201


async def test_a_project_that_nobody_checked_is_403(world, keystones):
    with pytest.raises(NotAdmitted):
        await world.renew(await world.closed(keystones.issue("cloud-1")), project=None)


async def test_a_keystone_that_gives_another_project_is_not_believed(world, keystones):
    old = await world.closed(keystones.issue("cloud-1"))
    other = {"id": "p-else", "name": "else", "domain": {"id": "default", "name": "Default"}}
    keystones.instead.append((201, {**JSON, "X-Subject-Token": "gAAAAAB9"}, token_body(project=other)))
    with pytest.raises(NotAdmitted):
        await world.renew(old)


@pytest.mark.parametrize("at", ["cloud-1", "cloud-3", None])
async def test_at_any_other_address_it_is_401(world, keystones, at):
    old = await world.closed(keystones.issue("cloud-1"))
    with pytest.raises(TokenRefused):
        await world.renew(old, at=at)
    assert await posts(world) == []


async def test_a_services_box_renews_nothing(world, keystones):
    nova = keystones.service("cloud-1")
    sent = (await world.later("image", "cloud-2", None, nova)).service_token
    with pytest.raises(TokenRefused):
        await world.renew(sent, project="p-cloud-1-service")
    assert await posts(world) == []


async def test_an_expired_box_renews_nothing(world, keystones):
    old = await world.closed(keystones.issue("cloud-1", lives=60))
    keystones.now += 60
    with pytest.raises(TokenRefused):
        await world.renew(old)
    assert await posts(world) == []


async def test_a_box_that_ended_before_its_token_renews_nothing(world, keystones):
    ended = Box(keystones.issue("cloud-1"), "cloud-1", "", "cloud-2", "image", Use.CALL, int(NOW))
    with pytest.raises(TokenRefused):
        await world.renew(KEYRING.close(ended))
    assert keystones.asked == []


async def test_whoever_is_not_admitted_any_more_renews_nothing(keystones):
    world = World(keystones)
    old = await world.closed(keystones.issue("cloud-1"))
    for admits in ({}, {"cloud-1": Admission(roles=frozenset({"reader"}))}):
        stricter = World(keystones, registry({**ADMITS, "cloud-2": admits}))
        with pytest.raises(NotAdmitted):
            await stricter.renew(old)
    assert await posts(world) == []


async def test_a_renewal_that_keystone_refuses_is_relayed(world, keystones):
    old = await world.closed(keystones.issue("cloud-1"))
    keystones.instead.append(error(401))
    assert (await world.renew(old)).status == 401


async def test_a_revoked_token_is_not_renewed(world, keystones):
    token = keystones.issue("cloud-1")
    old = await world.closed(token)
    keystones.tokens["cloud-1"][token].revoked = True
    keystones.now += 60
    with pytest.raises(TokenRefused):
        await world.renew(old)

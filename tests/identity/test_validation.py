"""Who a token is, told to the services of the cloud that it came to."""

import asyncio
import json
import logging
from dataclasses import replace
from types import MappingProxyType

import pytest

from oidproxy.clouds.credentials import Credential
from oidproxy.clouds.registry import Admission
from oidproxy.errors import (
    ConnectRefused,
    IdentityUnavailable,
    InternalError,
    NotAdmitted,
    TokenNotFound,
    TokenRefused,
)
from oidproxy.routing.decision import Snapshot, Validate
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.presented import Box, Use
from oidproxy.tokens.sealed import seal
from tests.identity.world import (
    ADMITS,
    HOUR,
    KEYRING,
    NOW,
    SCOPE,
    World,
    body_of,
    error,
    field_of,
    moment,
    registry,
    request,
    writer,
)
from tests.tokens.bodies import DEFAULT

RULES = {"OpenStack_Identity_Access_Rules": "1"}


@pytest.fixture
def glance(keystones):
    """A service of cloud-2."""
    return keystones.service("cloud-2", user="glance")


def to(keystones, cloud):
    return [asked for asked in keystones.asked if asked.cloud == cloud]


# At home.


async def test_a_token_of_this_cloud_is_keystones_to_judge(world, keystones, glance):
    token = keystones.issue("cloud-2")
    reply = await world.validate(glance, token, at="cloud-2", **RULES)
    (asked,) = keystones.asked
    assert (asked.fields["x-auth-token"], asked.fields["x-subject-token"]) == (glance, token)
    assert asked.fields["openstack-identity-access-rules"] == "1"
    assert reply.status == 200
    assert field_of(reply, "X-Subject-Token") == token
    assert body_of(reply)["user"]["name"] == "demo"


async def test_the_token_comes_back_as_it_was_asked_about(world, keystones, glance):
    sealed = seal(keystones.issue("cloud-2"), "cloud-2", SCOPE)
    reply = await world.validate(glance, sealed, at="cloud-2")
    assert field_of(reply, "X-Subject-Token") == sealed


async def test_the_catalog_shows_the_proxys_addresses_without_a_scope(world, keystones, glance):
    sealed = seal(keystones.issue("cloud-2"), "cloud-2", SCOPE)
    catalog = body_of(await world.validate(glance, sealed, at="cloud-2"))["catalog"]
    urls = {endpoint["url"] for entry in catalog for endpoint in entry["endpoints"]}
    assert "http://127.0.2.2:9292" in urls
    assert all(url.startswith("http://127.0.2.2:") and "/s/" not in url for url in urls)


async def test_a_catalog_that_was_not_asked_for_stays_away(world, keystones, glance):
    reply = await world.validate(glance, keystones.issue("cloud-2"), at="cloud-2", query="?nocatalog")
    assert "catalog" not in body_of(reply)
    assert keystones.asked[0].target == "/v3/auth/tokens?nocatalog"


async def test_a_system_scoped_token_is_as_good_at_home_as_ever(world, keystones, glance):
    token = keystones.issue("cloud-2", project=None, system={"all": True})
    reply = await world.validate(glance, token, at="cloud-2")
    assert body_of(reply)["system"] == {"all": True}


async def test_head_is_relayed_as_head(world, keystones, glance):
    sealed = seal(keystones.issue("cloud-2"), "cloud-2", SCOPE)
    reply = await world.validate(glance, sealed, at="cloud-2", method="HEAD")
    assert (reply.status, reply.body, field_of(reply, "X-Subject-Token")) == (200, b"", sealed)
    assert keystones.asked[0].method == "HEAD"


async def test_a_member_may_ask_about_its_own_token(world, keystones):
    token = keystones.issue("cloud-2")
    sealed = seal(token, "cloud-2", SCOPE)
    reply = await world.validate(sealed, sealed, at="cloud-2")
    assert (reply.status, field_of(reply, "X-Subject-Token")) == (200, sealed)
    assert (await world.validate(sealed, token, at="cloud-2")).status == 200


async def test_at_the_gateway_it_gets_a_clients_catalog(world, keystones):
    sealed = seal(keystones.issue("cloud-2"), "cloud-2", SCOPE)
    catalog = body_of(await world.validate(sealed, sealed, at=None))["catalog"]
    urls = [endpoint["url"] for entry in catalog for endpoint in entry["endpoints"]]
    assert all(url.startswith("http://127.0.0.1:8888/s/x") for url in urls)


async def test_a_member_may_not_ask_about_another_at_home(world, keystones):
    reply = await world.validate(keystones.issue("cloud-2"), keystones.issue("cloud-2"), at="cloud-2")
    assert reply.status == 403


@pytest.mark.parametrize(("asker", "subject", "status"), [("x", None, 401), (None, "x", 404)])
async def test_keystones_own_refusals_are_relayed(world, keystones, glance, asker, subject, status):
    reply = await world.validate(asker or glance, subject or keystones.issue("cloud-2"), at="cloud-2")
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (status, status)
    assert field_of(reply, "X-Subject-Token") is None


async def test_what_keystone_does_not_accept_any_more_is_forgotten(world, keystones, glance):
    nova = keystones.service("cloud-2")
    shown = {name: world.present(token, "cloud-2") for name, token in (("glance", glance), ("nova", nova))}
    for token in shown.values():
        await world.identity.subject(token)
    keystones.tokens["cloud-2"][nova].revoked = True
    assert (await world.validate(glance, nova, at="cloud-2")).status == 404
    assert not world.identity.is_service(shown["nova"])
    assert world.identity.is_service(shown["glance"])
    keystones.tokens["cloud-2"][glance].revoked = True
    assert (await world.validate(glance, nova, at="cloud-2")).status == 401
    assert not world.identity.is_service(shown["glance"])


async def test_what_was_learned_of_a_service_at_home_is_used(world, keystones, glance):
    nova = keystones.service("cloud-2")
    assert not world.identity.is_service(world.present(nova, "cloud-2"))
    await world.validate(glance, nova, at="cloud-2", **RULES)
    assert world.identity.caller(world.present(nova, "cloud-2")) == "nova"


# Abroad.


async def test_a_box_is_validated_at_its_home_by_itself(world, keystones, glance):
    token = keystones.issue("cloud-1")
    box = await world.closed(token)
    keystones.now += 30
    reply = await world.validate(glance, box, at="cloud-2", **RULES)
    about_glance, about_user = keystones.asked[1:]
    assert (about_glance.cloud, about_glance.fields["x-auth-token"]) == ("cloud-2", glance)
    assert (about_user.cloud, about_user.target) == ("cloud-1", "/v3/auth/tokens?nocatalog")
    assert about_user.fields["x-auth-token"] == about_user.fields["x-subject-token"] == token
    assert (reply.status, field_of(reply, "X-Subject-Token")) == (200, box)
    assert field_of(reply, "Content-Type") == "application/json"


async def test_the_answer_is_exactly_what_services_need(world, keystones, glance):
    token = keystones.issue("cloud-1", roles=("admin", "member"))
    told = body_of(await world.validate(glance, await world.closed(token), at="cloud-2", **RULES))
    catalog = told.pop("catalog")
    assert told == {
        "user": {"id": "u-cloud-1-demo", "name": "demo", "domain": DEFAULT},
        "project": {"id": "p-cloud-1-demo", "name": "demo", "domain": DEFAULT},
        "roles": [{"id": "r-member", "name": "member"}],
        "methods": ["password"],
        "issued_at": moment(NOW),
        "expires_at": moment(NOW + HOUR),
        "audit_ids": told["audit_ids"],
        "is_admin_project": False,
    }
    urls = {entry["type"]: [endpoint["url"] for endpoint in entry["endpoints"]] for entry in catalog}
    assert set(urls["block-storage"]) == {"http://127.0.2.2:8776/v3/p-cloud-1-demo"}
    assert set(urls["image"]) == {"http://127.0.2.2:9292"}


async def test_a_catalog_that_was_not_asked_for_is_left_out(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    assert "catalog" not in body_of(await world.validate(glance, box, at="cloud-2", query="?nocatalog"))


async def test_head_answers_without_a_body(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    keystones.now += 30
    reply = await world.validate(glance, box, at="cloud-2", method="HEAD")
    assert (reply.status, reply.body, field_of(reply, "X-Subject-Token")) == (200, b"", box)
    assert {asked.method for asked in keystones.asked} == {"GET"}


async def test_head_refuses_what_get_refuses(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    world.identity.swap(Snapshot(registry({}), KEYRING, 1))
    with pytest.raises(TokenNotFound):
        await world.validate(glance, box, at="cloud-2", method="HEAD")


async def test_after_a_restart_everything_is_there_without_the_issue(keystones):
    glance = keystones.service("cloud-2", user="glance")
    box = await World(keystones).closed(keystones.issue("cloud-1"))
    told = body_of(await World(keystones).validate(glance, box, at="cloud-2", **RULES))
    assert told["catalog"]
    assert told["user"]["name"] == "demo"


async def test_a_thousand_askers_ask_the_home_once(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    keystones.now += 30
    keystones.asked.clear()
    keystones.gate = asyncio.Event()
    tasks = [asyncio.ensure_future(world.validate(glance, box, at="cloud-2", **RULES)) for _ in range(1000)]
    await asyncio.sleep(0)
    keystones.gate.set()
    assert {reply.status for reply in await asyncio.gather(*tasks)} == {200}
    assert [asked.cloud for asked in keystones.asked] == ["cloud-2", "cloud-1"]


async def test_answers_are_kept_30_seconds_and_askers_60(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    times = []
    for _ in range(8):
        before = len(to(keystones, "cloud-1")), len(to(keystones, "cloud-2"))
        await world.validate(glance, box, at="cloud-2", **RULES)
        times.append((len(to(keystones, "cloud-1")) - before[0], len(to(keystones, "cloud-2")) - before[1]))
        keystones.now += 10
    assert times == [(0, 1), (0, 0), (0, 0), (1, 0), (0, 0), (0, 0), (1, 1), (0, 0)]


async def test_nothing_is_kept_longer_than_the_token_lives(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1", lives=10))
    await world.validate(glance, box, at="cloud-2", **RULES)
    keystones.now += 10
    with pytest.raises(TokenNotFound):
        await world.validate(glance, box, at="cloud-2", **RULES)


async def test_a_revocation_through_the_proxy_is_known_at_once(world, keystones, glance):
    token = keystones.issue("cloud-1")
    box = await world.closed(token)
    await world.validate(glance, box, at="cloud-2", **RULES)
    assert (await world.revoke(token, token)).status == 204
    with pytest.raises(TokenNotFound):
        await world.validate(glance, box, at="cloud-2", **RULES)


async def test_a_revocation_overtakes_an_answer_that_is_under_way(world, keystones, glance):
    token = keystones.issue("cloud-1")
    box = await world.closed(token)
    await world.identity.subject(world.present(glance, "cloud-2"))
    keystones.now += 30
    slow = asyncio.Event()
    asked = asyncio.ensure_future(_late_answer(world, keystones, glance, box, slow))
    for _ in range(10):
        await asyncio.sleep(0)
    keystones.gate = None
    assert (await world.revoke(token, token)).status == 204
    slow.set()
    with pytest.raises(TokenNotFound):
        await asked


async def _late_answer(world, keystones, glance, box, slow):
    """A validation whose answer was made before the revocation and comes after it."""
    token = world.present(box).token
    body = json.dumps({"token": keystones.tokens["cloud-1"][token].body}).encode()
    keystones.instead.append((200, {"Content-Type": "application/json"}, body))
    keystones.gate = slow
    return await world.validate(glance, box, at="cloud-2", **RULES)


# What the subject may not be.


async def test_a_subject_that_its_home_does_not_know_is_404_and_not_401(world, keystones, glance):
    token = keystones.issue("cloud-1")
    box = await world.closed(token)
    keystones.tokens["cloud-1"][token].revoked = True
    keystones.now += 30
    with pytest.raises(TokenNotFound) as caught:
        await world.validate(glance, box, at="cloud-2", **RULES)
    assert caught.value.status == 404


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_home_that_cannot_say_is_503_and_not_404(world, keystones, glance, status):
    box = await world.closed(keystones.issue("cloud-1"))
    await world.identity.subject(world.present(glance, "cloud-2"))
    keystones.now += 30
    keystones.instead.append(error(status))
    with pytest.raises(IdentityUnavailable):
        await world.validate(glance, box, at="cloud-2", **RULES)
    assert (await world.validate(glance, box, at="cloud-2", **RULES)).status == 200


async def test_a_home_that_is_down_is_what_upstream_says(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    await world.identity.subject(world.present(glance, "cloud-2"))
    keystones.now += 30
    keystones.instead.append(ConnectRefused("refused", cloud="cloud-1"))
    with pytest.raises(ConnectRefused):
        await world.validate(glance, box, at="cloud-2", **RULES)


async def test_a_box_for_another_cloud_is_404(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"), to="cloud-3")
    with pytest.raises(TokenNotFound):
        await world.validate(glance, box, at="cloud-2", **RULES)


async def test_a_box_at_its_own_home_is_404(world, keystones):
    box = await world.closed(keystones.issue("cloud-1"))
    with pytest.raises(TokenNotFound):
        await world.validate(keystones.service("cloud-1"), box, at="cloud-1", **RULES)


async def test_where_nobody_is_admitted_nobody_is_asked_about_the_subject(world, keystones):
    box = await world.closed(keystones.issue("cloud-1"))
    world.identity.swap(Snapshot(registry({}), KEYRING, 1))
    keystones.asked.clear()
    with pytest.raises(TokenNotFound):
        await world.validate(keystones.service("cloud-2", user="glance"), box, at="cloud-2", **RULES)
    assert [asked.cloud for asked in keystones.asked] == ["cloud-2"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"project": None, "system": {"all": True}}, "system-scoped"),
        ({"project": None, "domain": DEFAULT}, "domain-scoped"),
        ({"project": None}, "unscoped"),
        ({"OS-TRUST:trust": {"id": "t"}}, "trust"),
        ({"OS-OAUTH1": {"consumer_id": "c"}}, "OAuth"),
        ({"bind": {"kerberos": "demo"}}, "bound"),
        ({"roles": ("admin",)}, "none of its roles"),
    ],
)
async def test_what_is_not_admitted_is_404_with_the_reason_in_our_log_only(
    world, keystones, glance, caplog, changes, reason
):
    caplog.set_level(logging.INFO, "oidproxy.identity")
    sealed = seal(keystones.issue("cloud-1", **changes), "cloud-1", NO_SCOPE)
    with pytest.raises(TokenNotFound) as caught:
        await world.validate(glance, sealed, at="cloud-2", **RULES)
    assert caught.value.message == "The subject token is not known here."
    assert reason in caplog.text
    assert "{SHA256}" in caplog.text
    assert sealed.split("~")[0] not in caplog.text


async def test_a_project_that_is_not_admitted_is_404(keystones):
    admission = Admission(roles=frozenset({"member"}), projects={"p-cloud-1-other": "p-cloud-1-other"})
    world = World(keystones, registry({**ADMITS, "cloud-2": {"cloud-1": admission}}))
    sealed = seal(keystones.issue("cloud-1"), "cloud-1", NO_SCOPE)
    with pytest.raises(TokenNotFound):
        await world.validate(keystones.service("cloud-2"), sealed, at="cloud-2", **RULES)


# Who may ask.


async def test_nobody_may_ask(world, keystones):
    box = await world.closed(keystones.issue("cloud-1"))
    keystones.asked.clear()
    with pytest.raises(TokenRefused):
        await world.validate("gAAAAAB-nobodys", box, at="cloud-2", **RULES)
    assert [asked.cloud for asked in keystones.asked] == ["cloud-2"]


@pytest.mark.parametrize("roles", [("member",), ("reader",), ("Service",), ("ADMIN",), ()])
async def test_a_plain_member_of_the_cloud_may_not_ask(world, keystones, roles):
    box = await world.closed(keystones.issue("cloud-1"))
    keystones.now += 30
    keystones.asked.clear()
    with pytest.raises(NotAdmitted):
        await world.validate(keystones.issue("cloud-2", roles=roles), box, at="cloud-2", **RULES)
    assert [asked.cloud for asked in keystones.asked] == ["cloud-2"]


@pytest.mark.parametrize("roles", [("admin",), ("service",)])
async def test_an_admin_or_a_service_of_the_cloud_may(world, keystones, roles):
    box = await world.closed(keystones.issue("cloud-1"))
    asker = keystones.issue("cloud-2", roles=roles)
    assert (await world.validate(asker, box, at="cloud-2", **RULES)).status == 200


@pytest.mark.parametrize("home", ["cloud-1", "cloud-3"])
async def test_an_admin_of_another_cloud_may_not_ask_at_this_address(world, keystones, home):
    box = await world.closed(keystones.issue("cloud-1"))
    admin = seal(keystones.issue(home, roles=("admin", "service")), home, NO_SCOPE)
    keystones.asked.clear()
    with pytest.raises(TokenRefused):
        await world.validate(admin, box, at="cloud-2", **RULES)
    assert keystones.asked == []


async def test_a_box_may_not_ask(world, keystones):
    box = await world.closed(keystones.issue("cloud-1", roles=("admin", "member")))
    keystones.asked.clear()
    with pytest.raises(TokenRefused):
        await world.validate(box, box, at="cloud-2", **RULES)
    assert keystones.asked == []


async def test_a_box_of_this_clouds_own_user_may_not_ask(world, keystones):
    """Another cloud was given it, and hands it in here."""
    held = Box(
        keystones.issue("cloud-2", roles=("admin",)), "cloud-2", "", "cloud-1", "image", Use.CALL, 2**33
    )
    subject = await world.closed(keystones.issue("cloud-1"))
    keystones.asked.clear()
    for about in (subject, keystones.issue("cloud-2")):
        with pytest.raises(TokenRefused):
            await world.validate(KEYRING.close(held), about, at="cloud-2", **RULES)
    assert keystones.asked == []


async def test_an_asker_whose_home_cannot_say_is_503(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    keystones.instead.append(error(500))
    with pytest.raises(IdentityUnavailable):
        await world.validate(glance, box, at="cloud-2", **RULES)


async def test_a_validation_is_never_sent_to_another_cloud_than_the_subjects_home(world, keystones, glance):
    subject, asker = world.present(keystones.issue("cloud-1")), world.present(glance, "cloud-2")
    route = world.route("identity", "cloud-2", at="cloud-2", rest=b"/v3/auth/tokens")
    head = request("GET", "/v3/auth/tokens")
    with pytest.raises(InternalError):
        await world.identity.validate(Validate(route, asker, subject, "cloud-2"), head, writer(head, route))
    assert keystones.asked == []


# Application credentials.

CREDENTIAL = {
    "id": "ac-1",
    "name": "ci",
    "restricted": True,
    "access_rules": [{"id": "1", "service": "image", "method": "GET", "path": "/v2/images"}],
}


async def test_access_rules_arrive_where_they_are_enforced(world, keystones, glance):
    token = keystones.issue("cloud-1", application_credential=CREDENTIAL, methods=["application_credential"])
    told = body_of(await world.validate(glance, await world.closed(token), at="cloud-2", **RULES))
    assert told["application_credential"] == CREDENTIAL


async def test_a_service_that_knows_no_access_rules_gets_404_as_at_home(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1", application_credential=CREDENTIAL))
    assert (await world.validate(glance, box, at="cloud-2", **RULES)).status == 200
    for junk in ({}, {"OpenStack_Identity_Access_Rules": "all"}):
        with pytest.raises(TokenNotFound):
            await world.validate(glance, box, at="cloud-2", **junk)
    assert (await world.validate(glance, box, at="cloud-2", **RULES)).status == 200


# Expired tokens.

LATE = {"query": "?allow_expired=1", **RULES}


async def accompanied(world, keystones, lives=60):
    """A user's token that went to cloud-2 together with nova's."""
    token, nova = keystones.issue("cloud-1", lives=lives), keystones.service("cloud-1")
    outgoing = await world.later("image", "cloud-2", token, nova)
    return token, nova, outgoing


async def test_a_living_token_is_validated_with_what_was_asked(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1"))
    assert (await world.validate(glance, box, at="cloud-2", **LATE)).status == 200
    assert keystones.asked[-1].target == "/v3/auth/tokens?nocatalog&allow_expired=1"


async def test_an_expired_one_is_validated_by_the_service_that_came_with_it(world, keystones, glance):
    token, nova, outgoing = await accompanied(world, keystones)
    keystones.now += 120
    told = body_of(await world.validate(glance, outgoing.token, at="cloud-2", **LATE))
    asked = keystones.asked[-1]
    assert told["expires_at"] == moment(NOW + 60)
    assert (asked.cloud, asked.fields["x-auth-token"], asked.fields["x-subject-token"]) == (
        "cloud-1",
        nova,
        token,
    )


async def test_without_allow_expired_it_is_404(world, keystones, glance):
    _, _, outgoing = await accompanied(world, keystones)
    keystones.now += 120
    await world.validate(glance, outgoing.token, at="cloud-2", **LATE)
    for query in ("", "?allow_expired=0", "?allow_expired="):
        with pytest.raises(TokenNotFound):
            await world.validate(glance, outgoing.token, at="cloud-2", query=query, **RULES)


async def test_without_a_service_that_came_with_it_it_is_404(world, keystones, glance):
    box = await world.closed(keystones.issue("cloud-1", lives=60))
    keystones.now += 120
    with pytest.raises(TokenNotFound):
        await world.validate(glance, box, at="cloud-2", **LATE)


async def test_a_service_that_came_to_one_cloud_speaks_at_that_cloud_only(keystones):
    open_to_both = {**ADMITS, "cloud-3": ADMITS["cloud-2"]}
    world = World(keystones, registry(open_to_both))
    token, _, outgoing = await accompanied(world, keystones)
    third = await world.closed(token, to="cloud-3")
    keystones.now += 120
    await world.validate(keystones.service("cloud-2"), outgoing.token, at="cloud-2", **LATE)
    with pytest.raises(TokenNotFound):
        await world.validate(keystones.service("cloud-3"), third, at="cloud-3", **LATE)


async def test_a_service_whose_own_token_ended_speaks_for_nobody(world, keystones, glance):
    _, nova, outgoing = await accompanied(world, keystones)
    keystones.tokens["cloud-1"][nova].expires = NOW + 90
    keystones.now += 120
    with pytest.raises(TokenNotFound):
        await world.validate(glance, outgoing.token, at="cloud-2", **LATE)


async def test_a_revoked_one_is_404_however_it_is_asked_about(world, keystones, glance):
    token, _, outgoing = await accompanied(world, keystones)
    keystones.tokens["cloud-1"][token].revoked = True
    keystones.now += 120
    with pytest.raises(TokenNotFound):
        await world.validate(glance, outgoing.token, at="cloud-2", **LATE)


async def test_an_expired_token_of_this_cloud_is_keystones_to_judge(world, keystones, glance):
    token = keystones.issue("cloud-2", lives=60)
    keystones.now += 120
    assert (await world.validate(glance, token, at="cloud-2", **LATE)).status == 200
    assert (await world.validate(glance, token, at="cloud-2", **RULES)).status == 404


async def test_a_service_token_that_was_remembered_is_not_readable_in_memory(world, keystones):
    _, nova, outgoing = await accompanied(world, keystones)
    await asyncio.sleep(0)
    (text,) = world.store.entries.values()
    assert text.decode() == outgoing.service_token
    assert nova not in text.decode()


async def test_another_worker_knows_the_service_that_came_along(world, keystones, glance):
    _, _, outgoing = await accompanied(world, keystones)
    await asyncio.sleep(0)
    other = World(keystones, world.registry, store=world.store)
    keystones.now += 120
    assert (await other.validate(glance, outgoing.token, at="cloud-2", **LATE)).status == 200


# An account of ours at the home.


async def test_a_declared_account_asks_where_no_service_of_the_home_came_along(keystones, glance):
    world = World(keystones, with_account())
    token = keystones.issue("cloud-1", lives=60)
    outgoing = await world.later("image", "cloud-2", token)
    keystones.now += 120
    keystones.accounts["cloud-1", "proxy"] = {"user": "proxy", "named": "service", "roles": ["service"]}
    assert (await world.validate(glance, outgoing.token, at="cloud-2", **LATE)).status == 200
    (login,) = [asked for asked in keystones.asked if asked.method == "POST"]
    assert login.cloud == "cloud-1"


async def test_an_account_makes_no_revoked_token_good(keystones, glance):
    world = World(keystones, with_account())
    token = keystones.issue("cloud-1", lives=60)
    outgoing = await world.later("image", "cloud-2", token)
    keystones.accounts["cloud-1", "proxy"] = {"user": "proxy", "named": "service", "roles": ["service"]}
    keystones.tokens["cloud-1"][token].revoked = True
    keystones.now += 120
    with pytest.raises(TokenNotFound):
        await world.validate(glance, outgoing.token, at="cloud-2", **LATE)


def with_account():
    """cloud-2 has an account of the proxy's at cloud-1."""
    user = {"name": "proxy", "password": "hunter2", "domain": {"name": "Default"}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    found = registry()
    second = replace(found.clouds["cloud-2"], service_accounts=MappingProxyType({"cloud-1": "proxy"}))
    clouds = MappingProxyType({**found.clouds, "cloud-2": second})
    known = {"proxy": Credential("proxy", json.dumps(body).encode())}
    return replace(found, clouds=clouds, credentials=MappingProxyType(known))


# A service's own token abroad.


async def test_a_declared_service_has_its_service_role_and_nothing_else(world, keystones, glance):
    _, _, outgoing = await accompanied(world, keystones)
    told = body_of(await world.validate(glance, outgoing.service_token, at="cloud-2", **RULES))
    assert told["user"]["name"] == "nova"
    assert [role["name"] for role in told["roles"]] == ["service"]


async def test_an_undeclared_service_is_nobody_abroad(world, keystones, glance):
    sealed = seal(keystones.service("cloud-1", user="cinder"), "cloud-1", NO_SCOPE)
    with pytest.raises(TokenNotFound):
        await world.validate(glance, sealed, at="cloud-2", **RULES)

"""What goes out as X-Auth-Token and X-Service-Token."""

import asyncio
import logging
from dataclasses import replace

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.errors import IdentityUnavailable, NotAdmitted, ScopeError, TokenRefused
from oidproxy.routing.decision import Snapshot
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.presented import Box, Use
from oidproxy.tokens.sealed import seal
from tests.identity.conftest import check_promises
from tests.identity.world import ADMITS, HOUR, KEYRING, NOVA, NOW, SCOPE, World, error, registry


def box(token, **changes):
    """What a box of cloud-1's user for the image service of cloud-2 says."""
    known = {
        "token": token,
        "home": "cloud-1",
        "scope": "identity:cloud-1;image:cloud-2",
        "cloud": "cloud-2",
        "service": "image",
        "use": Use.CALL,
        "expires": int(NOW + HOUR),
    }
    return Box(**{**known, **changes})


# To Keystone, and to the home.


@pytest.mark.parametrize("form", ["bare", "sealed"])
def test_keystone_gets_its_own_tokens_bare(world, keystones, form):
    token, service = keystones.issue("cloud-1"), keystones.service("cloud-1")
    if form == "sealed":
        token, service = seal(token, "cloud-1", SCOPE), seal(service, "cloud-1", NO_SCOPE)
    outgoing = world.now("identity", "cloud-1", token, service)
    assert (outgoing.token, outgoing.service_token) == (token.split("~")[0], service.split("~")[0])
    assert keystones.asked == []


@pytest.mark.parametrize("place", ["token", "service_token"])
async def test_keystone_gets_no_token_of_another_cloud(world, keystones, place):
    given = {place: seal(keystones.issue("cloud-1"), "cloud-1", NO_SCOPE)}
    assert world.now("identity", "cloud-2", **given) is None
    with pytest.raises(TokenRefused):
        await world.later("identity", "cloud-2", **given)


@pytest.mark.parametrize("to", ["cloud-1", "cloud-2"])
async def test_keystone_gets_no_box(world, keystones, to):
    closed = await world.closed(keystones.issue("cloud-1"))
    with pytest.raises(TokenRefused):
        await world.later("identity", to, closed)


def test_the_home_gets_the_sealed_form_with_the_effective_scope_and_nobody_is_asked(world, keystones):
    token, service = keystones.issue("cloud-1"), keystones.service("cloud-1")
    effective = parse("image:cloud-1;network:cloud-1")
    outgoing = world.now("image", "cloud-1", seal(token, "cloud-1", SCOPE), service, effective=effective)
    assert outgoing.token == seal(token, "cloud-1", effective)
    assert outgoing.service_token == seal(service, "cloud-1", effective)
    assert keystones.asked == []


def test_without_tokens_none_are_sent(world):
    outgoing = world.now("image", "cloud-2")
    assert (outgoing.token, outgoing.service_token) == (None, None)


def test_what_goes_out_does_not_show_itself(world, keystones):
    token = keystones.issue("cloud-1")
    assert token not in repr(world.now("image", "cloud-1", token, token))


# To another cloud.


async def test_another_cloud_gets_a_box_for_the_service_that_is_called(world, keystones):
    token = keystones.issue("cloud-1")
    assert world.now("image", "cloud-2", token) is None
    outgoing = await world.later("image", "cloud-2", token)
    assert KEYRING.open(outgoing.token) == box(token)


async def test_the_home_is_asked_once_and_then_nobody(world, keystones):
    token = keystones.issue("cloud-1")
    first = await world.later("image", "cloud-2", token)
    assert world.now("image", "cloud-2", token) == first
    assert world.now("compute", "cloud-2", token).token != first.token
    assert world.now("image", "cloud-2", seal(token, "cloud-1", SCOPE)) == first
    assert [asked.cloud for asked in keystones.asked] == ["cloud-1"]


async def test_two_proxies_make_the_same_text_so_that_the_services_caches_hit(world, keystones):
    token = keystones.issue("cloud-1")
    other = World(keystones)
    assert await world.closed(token) == await other.closed(token)


async def test_a_token_that_was_issued_here_needs_no_question(world, keystones):
    reply = await world.issue({"auth": {"identity": {"methods": ["password"]}}})
    (token,) = keystones.tokens["cloud-1"]
    assert KEYRING.open(world.now("image", "cloud-2", token).token) == box(token)
    assert reply.status == 201
    assert [asked.method for asked in keystones.asked] == ["POST"]


async def test_many_requests_of_one_moment_ask_once(world, keystones):
    token = keystones.issue("cloud-1")
    keystones.gate = asyncio.Event()
    tasks = [asyncio.ensure_future(world.later("image", "cloud-2", token)) for _ in range(20)]
    await asyncio.sleep(0)
    keystones.gate.set()
    assert len({outgoing.token for outgoing in await asyncio.gather(*tasks)}) == 1
    assert len(keystones.asked) == 1


async def test_after_five_minutes_the_home_is_asked_again(world, keystones):
    token = keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    keystones.now += 299
    assert world.now("image", "cloud-2", token) is not None
    keystones.now += 1
    assert world.now("image", "cloud-2", token) is None
    await world.later("image", "cloud-2", token)
    assert len(keystones.asked) == 2


async def test_a_token_that_ended_is_refused_even_if_it_was_just_closed(world, keystones):
    token = keystones.issue("cloud-1", lives=60)
    await world.later("image", "cloud-2", token)
    keystones.now += 60
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token)


async def test_a_bad_token_in_a_loop_asks_its_home_every_five_seconds_only(world, keystones):
    for _ in range(10):
        with pytest.raises(TokenRefused):
            await world.later("image", "cloud-2", "gAAAAAB-nobodys")
    assert len(keystones.asked) == 1
    keystones.now += 5
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", "gAAAAAB-nobodys")
    assert len(keystones.asked) == 2


async def test_a_token_under_a_forged_home_is_not_what_its_real_home_said_of_it(world, keystones):
    token = keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    forged = seal("gAAAAAB-nobodys", "cloud-1", SCOPE)
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", forged)


async def test_a_401_from_a_cloud_makes_the_home_be_asked_again(world, keystones):
    token = keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    forward = world.forward("image", "cloud-2", token)
    world.identity.unaccepted(forward, await world.later("image", "cloud-2", token))
    assert world.now("image", "cloud-2", token) is None


async def test_a_home_that_cannot_say_stops_the_request_and_is_not_remembered(world, keystones):
    token = keystones.issue("cloud-1")
    keystones.instead.append(error(503))
    with pytest.raises(IdentityUnavailable):
        await world.later("image", "cloud-2", token)
    assert (await world.later("image", "cloud-2", token)).token


async def test_a_scope_too_long_to_travel_is_the_clients_error(world, keystones):
    names = "|".join(f"cloud-{number:04}" for number in range(90))
    scope = parse(f"image:{names}").over(parse(f"network:{names}"))
    for to in ("cloud-1", "cloud-2"):
        assert world.now("image", to, keystones.issue("cloud-1"), effective=scope) is None
        with pytest.raises(ScopeError):
            await world.later("image", to, keystones.issue("cloud-1"), effective=scope)


async def test_without_a_fleet_key_no_token_leaves_its_home(keystones):
    world = World(keystones, keyring=Keyring())
    with pytest.raises(NotAdmitted, match="fleet_keys"):
        await world.later("image", "cloud-2", keystones.issue("cloud-1"))


# Whom the other cloud admits.


async def test_a_cloud_that_admits_nobody_of_that_home_is_403_and_nobody_is_asked(world, keystones):
    token = keystones.issue("cloud-2", roles=("admin",))
    sealed = seal(token, "cloud-2", NO_SCOPE)
    assert world.now("image", "cloud-3", sealed) is None
    with pytest.raises(NotAdmitted) as caught:
        await world.later("image", "cloud-3", sealed)
    assert caught.value.status == 403
    assert caught.value.message == (
        "cloud-3 does not admit users of cloud-2: ask the operator of cloud-3 to add cloud-2 to its admits."
    )
    assert keystones.asked == []


async def test_a_token_without_an_admitted_role_is_403_and_says_why(world, keystones):
    with pytest.raises(NotAdmitted, match=r"none of its roles is admitted.*operator of cloud-2"):
        await world.later("image", "cloud-2", keystones.issue("cloud-1", roles=("admin",)))


SYSTEM = {"project": None, "system": {"all": True}}


@pytest.mark.parametrize(
    "changes",
    [
        SYSTEM,
        {"project": None, "domain": {"id": "default", "name": "Default"}},
        {"project": None},
        {"OS-TRUST:trust": {"id": "t"}},
        {"OS-OAUTH1": {"consumer_id": "c"}},
        {"bind": {"kerberos": "demo"}},
    ],
)
async def test_a_token_that_is_not_a_projects_alone_stays_at_home(world, keystones, changes):
    token = keystones.issue("cloud-1", **changes)
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-2", token)
    assert world.now("image", "cloud-1", token).token == seal(token, "cloud-1", SCOPE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_read_only_guest_changes_nothing(world, keystones, method):
    token = keystones.issue("cloud-1")
    assert (await world.later("image", "cloud-3", token, method="HEAD")).token
    assert world.now("image", "cloud-3", token, method="GET").token
    assert world.now("image", "cloud-3", token, method=method) is None
    with pytest.raises(NotAdmitted, match="read_only"):
        await world.later("image", "cloud-3", token, method=method)
    assert world.now("image", "cloud-1", token, method=method).token


@pytest.mark.parametrize("query", ["_method=post", "limit=1&_method=patch", "%5Fmethod=POST", "a;_method=x"])
async def test_a_read_only_guest_names_no_other_method_in_the_query(world, keystones, query):
    """Pecan believes `_method`, even of a GET."""
    token = keystones.issue("cloud-1")

    def asking(query, to="cloud-3"):
        forward = world.forward("image", to, token)
        return replace(forward, route=replace(forward.route, target=b"/v2/images?" + query.encode()))

    assert (await world.identity.outgoing(asking("method=_method&x_method=post"), "GET")).token
    assert world.identity.outgoing_now(asking(query), "GET") is None
    with pytest.raises(NotAdmitted, match="read_only"):
        await world.identity.outgoing(asking(query), "GET")
    assert (await world.identity.outgoing(asking(query, "cloud-2"), "GET")).token


async def test_a_reload_that_admits_nobody_any_more_holds_at_once(world, keystones):
    token = keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    stricter = registry({**ADMITS, "cloud-2": {"cloud-1": Admission(roles=frozenset({"reader"}))}})
    world.identity.swap(Snapshot(stricter, KEYRING, 1))
    assert world.now("image", "cloud-2", token) is None
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-2", token)
    assert len(keystones.asked) == 1


async def test_a_cloud_that_admits_nobody_any_more_does_nothing_for_whom_it_had_admitted(world, keystones):
    held = KEYRING.close(box(keystones.issue("cloud-1"), service="compute"))
    assert (await world.later("image", "cloud-1", held, at="cloud-2")).token
    world.identity.swap(Snapshot(registry({**ADMITS, "cloud-2": {}}), KEYRING, 1))
    assert world.now("image", "cloud-1", held, at="cloud-2") is None
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-1", held, at="cloud-2")


async def test_a_reload_with_another_key_closes_under_it(world, keystones):
    token = keystones.issue("cloud-1")
    before = await world.closed(token)
    rotated = Keyring((bytes(64), bytes(range(64))))
    world.identity.swap(Snapshot(world.registry, rotated, 1))
    after = world.now("image", "cloud-2", token).token
    assert after != before
    assert rotated.open(after) == rotated.open(before)


# Boxes that come back.


async def test_a_box_is_opened_and_closed_again_for_the_next_audience(world, keystones):
    token = keystones.issue("cloud-1")
    came = await world.closed(token, service="compute")
    outgoing = world.now("image", "cloud-2", came, at="cloud-2")
    assert KEYRING.open(outgoing.token) == box(token)


async def test_a_box_goes_home_in_the_sealed_form(world, keystones):
    token = keystones.issue("cloud-1")
    came = await world.closed(token, service="compute")
    assert world.now("image", "cloud-1", came, at="cloud-2").token == seal(token, "cloud-1", SCOPE)


async def test_the_next_clouds_policy_counts_for_the_token_in_a_box(world, keystones):
    came = await world.closed(keystones.issue("cloud-1"), service="compute")
    assert world.now("image", "cloud-3", came, at="cloud-2").token
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-3", came, at="cloud-2", method="PUT")


@pytest.mark.parametrize("to", ["cloud-1", "cloud-2", "cloud-3"])
async def test_a_services_box_is_no_x_auth_token(world, keystones, to):
    nova = keystones.service("cloud-1")
    sent = (await world.later("image", "cloud-2", None, nova)).service_token
    assert KEYRING.open(sent).use is Use.VALIDATE
    with pytest.raises(TokenRefused, match="validated only"):
        await world.later("image", to, sent, at="cloud-2")


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("to", ["cloud-1", "cloud-2", "cloud-3"])
async def test_no_box_at_all_is_an_x_service_token(world, keystones, use, to):
    closed = KEYRING.close(box(keystones.service("cloud-1"), use=use))
    user = seal(keystones.issue("cloud-1"), "cloud-1", SCOPE)
    with pytest.raises(TokenRefused):
        await world.later("image", to, user, closed, at="cloud-2")


async def test_an_expired_box_makes_no_call(world, keystones):
    came = await world.closed(keystones.issue("cloud-1", lives=60), service="compute")
    keystones.now += 60
    for to in ("cloud-1", "cloud-2"):
        with pytest.raises(TokenRefused, match="expired"):
            await world.later("image", to, came, at="cloud-2")


# X-Service-Token.


async def test_a_declared_service_goes_along_for_validation_only(world, keystones):
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-1")
    outgoing = await world.later("image", "cloud-2", token, nova)
    assert KEYRING.open(outgoing.token) == box(token)
    assert KEYRING.open(outgoing.service_token) == box(nova, use=Use.VALIDATE)
    assert world.now("image", "cloud-2", token, nova) == outgoing
    assert len(keystones.asked) == 2


@pytest.mark.parametrize("user", ["cinder", "demo"])
async def test_a_service_that_was_not_declared_is_left_out(world, keystones, caplog, user):
    caplog.set_level(logging.INFO, "oidproxy.identity")
    token, other = keystones.issue("cloud-1"), keystones.service("cloud-1", user=user)
    outgoing = await world.later("image", "cloud-2", token, other, method="PUT")
    assert outgoing.token
    assert outgoing.service_token is None
    assert "declares no such service" in caplog.text
    assert other not in caplog.text


async def test_where_no_service_is_declared_nobody_is_asked_about_one(world, keystones):
    outgoing = await world.later("image", "cloud-3", keystones.issue("cloud-1"), keystones.service("cloud-1"))
    assert outgoing.service_token is None
    assert len(keystones.asked) == 1


async def test_a_declared_name_without_the_role_is_left_out(world, keystones):
    fake = keystones.issue("cloud-1", "nova", "service", ("admin", "member"))
    assert (await world.later("image", "cloud-2", keystones.issue("cloud-1"), fake)).service_token is None


async def test_a_volume_is_not_changed_without_its_service_token(world, keystones):
    token, cinder = keystones.issue("cloud-1"), keystones.service("cloud-1", user="cinder")
    assert (await world.later("block-storage", "cloud-2", token, cinder)).token
    with pytest.raises(NotAdmitted, match="operator of cloud-2 to declare it"):
        await world.later("block-storage", "cloud-2", token, cinder, method="DELETE")
    assert (await world.later("block-storage", "cloud-2", token, None, method="DELETE")).token


async def test_a_service_token_that_its_home_does_not_accept_is_401(world, keystones):
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", keystones.issue("cloud-1"), "gAAAAAB-nobodys")


async def test_a_service_of_the_other_cloud_comes_along_when_the_users_box_goes_home(world, keystones):
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-2")
    came = await world.closed(token, service="compute")
    outgoing = await world.later("image", "cloud-1", came, nova, at="cloud-2")
    assert outgoing.token == seal(token, "cloud-1", SCOPE)
    assert KEYRING.open(outgoing.service_token) == box(
        nova, home="cloud-2", cloud="cloud-1", use=Use.VALIDATE
    )


async def test_what_services_make_us_ask_may_take_the_reserved_connections(world, keystones):
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-1")
    await world.identity.subject(world.present(nova))
    await world.later("image", "cloud-2", token, nova)
    await world.later("image", "cloud-2", keystones.issue("cloud-1"))
    assert [asked.from_service for asked in keystones.asked] == [False, True, False]


# An operation that outlives its token.


async def test_a_declared_service_speaks_for_a_token_that_ended(world, keystones):
    token, nova = keystones.issue("cloud-1", lives=60), keystones.service("cloud-1")
    await world.later("image", "cloud-2", token, nova)
    keystones.now += 120
    outgoing = await world.later("image", "cloud-2", token, nova)
    assert KEYRING.open(outgoing.token) == box(token, expires=int(NOW + 60))
    asked = keystones.asked[-1]
    assert asked.target == "/v3/auth/tokens?nocatalog&allow_expired=1"
    assert (asked.fields["x-auth-token"], asked.fields["x-subject-token"]) == (nova, token)
    keystones.now += 31
    assert (await world.later("image", "cloud-2", token, nova)).token == outgoing.token


async def test_that_a_service_spoke_for_it_helps_nobody_else(world, keystones):
    token, nova = keystones.issue("cloud-1", lives=60), keystones.service("cloud-1")
    keystones.now += 120
    await world.later("image", "cloud-2", token, nova)
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token)
    assert world.now("image", "cloud-2", token) is None


@pytest.mark.parametrize("user", ["cinder", "demo"])
async def test_a_service_that_was_not_declared_speaks_for_nobody(world, keystones, user):
    token, other = keystones.issue("cloud-1", lives=60), keystones.service("cloud-1", user=user)
    keystones.now += 120
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token, other)


async def test_a_service_of_another_home_speaks_for_nobody(world, keystones):
    token = keystones.issue("cloud-1", lives=60)
    nova = seal(keystones.service("cloud-2"), "cloud-2", NO_SCOPE)
    keystones.now += 120
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token, nova)


async def test_a_declared_service_of_a_third_cloud_speaks_for_nobody(keystones):
    both = Admission(roles=frozenset({"member"}), services=(NOVA,))
    world = World(keystones, registry({"cloud-2": {"cloud-1": both, "cloud-3": both}}))
    token = keystones.issue("cloud-1", lives=60)
    nova = seal(keystones.service("cloud-3"), "cloud-3", NO_SCOPE)
    assert (await world.later("image", "cloud-2", token, nova)).service_token
    keystones.now += 120
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token, nova)
    await asyncio.sleep(0)
    assert world.store.entries == {}
    check_promises(world)


async def test_a_revoked_token_is_spoken_for_in_vain(world, keystones):
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-1")
    keystones.tokens["cloud-1"][token].revoked = True
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token, nova)


async def test_more_tokens_than_memory_holds_still_get_an_answer(keystones, monkeypatch):
    from oidproxy.identity import service
    from oidproxy.identity.memory import Memory

    monkeypatch.setattr(service, "Memory", lambda: Memory(capacity=1))
    world = World(keystones)
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-1")
    with pytest.raises(IdentityUnavailable):
        await world.later("image", "cloud-2", token, nova)
    assert (await world.later("image", "cloud-2", token)).token


def test_a_target_that_a_reload_took_away_admits_nobody(world, keystones):
    gone = replace(world.registry, clouds={"cloud-1": world.registry.clouds["cloud-1"]})
    world.identity.swap(Snapshot(gone, KEYRING, 1))
    assert world.now("image", "cloud-2", keystones.issue("cloud-1")) is None

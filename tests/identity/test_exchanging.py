"""Tokens for clouds whose services ask their own Keystone: which one a user gets there, and who gets none."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from oidproxy.clouds.credentials import Credential
from oidproxy.clouds.registry import Admission
from oidproxy.errors import IdentityUnavailable, NotAdmitted, TokenRefused
from tests.identity.conftest import check_promises
from tests.identity.world import ADMITS, HOUR, Keystones, World, registry

MEMBERS = Admission(roles=frozenset({"member", "reader"}))
HOME_PROJECT = "p-cloud-1-demo"


def credential(entry):
    user = {"name": entry, "password": "hunter2", "domain": {"name": "Default"}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    return Credential(entry, json.dumps(body).encode())


def direct(ways, *, admission=MEMBERS, entries=("there",), home_ways=None):
    """cloud-3, which nobody reconfigured, in front of users of cloud-1."""
    admits = {**ADMITS, "cloud-3": {"cloud-1": admission} if admission else {}}
    found = registry(admits)
    mapped = {"cloud-1": MappingProxyType({HOME_PROJECT: tuple(entries)})}
    third = replace(found.clouds["cloud-3"], exchange=ways, mapped=MappingProxyType(mapped))
    first = replace(found.clouds["cloud-1"], exchange=home_ways)
    clouds = {**found.clouds, "cloud-1": first, "cloud-3": third}
    known = {entry: credential(entry) for entry in entries}
    return replace(found, clouds=MappingProxyType(clouds), credentials=MappingProxyType(known))


@pytest.fixture
def gateway():
    """Makes a world; what must never reach a Keystone is checked after the test."""
    made = []

    def make(ways, **more):
        keystones = Keystones()
        keystones.accounts["cloud-3", "there"] = {"user": "there", "named": "guests"}
        keystones.accounts["cloud-3", "reader"] = {"user": "reader", "named": "guests", "roles": ["reader"]}
        keystones.accounts["cloud-3", "boss"] = {"user": "boss", "roles": ["admin", "member"]}
        made.append(World(keystones, direct(tuple(ways), **more)))
        return made[-1]

    yield make
    for world in made:
        if "same" not in world.registry.clouds["cloud-3"].exchange:
            check_promises(world)


def logins(world):
    return [asked for asked in world.keystones.asked if asked.method == "POST"]


# At home.


async def test_a_home_whose_services_ask_their_own_keystone_gets_the_bare_token(gateway):
    world = gateway(["mapped"], home_ways=())
    token = world.keystones.issue("cloud-1")
    nova = world.keystones.service("cloud-1")
    found = await world.later("image", "cloud-1", token, nova)
    assert (found.token, found.service_token, found.exchanged) == (token, nova, None)


async def test_its_service_token_of_another_home_is_left_out(gateway):
    world = gateway(["mapped"])
    token, nova = world.keystones.issue("cloud-1"), world.keystones.service("cloud-1")
    assert (await world.later("image", "cloud-3", token, nova)).service_token is None
    with pytest.raises(NotAdmitted):
        await world.later("block-storage", "cloud-3", token, nova, method="POST")


# Mapped.


async def test_a_project_that_is_mapped_gets_the_token_of_its_account(gateway):
    world = gateway(["mapped"])
    found = await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))
    assert found.token in world.keystones.tokens["cloud-3"]
    exchanged = found.exchanged
    assert (exchanged.projects.home, exchanged.projects.here) == (HOME_PROJECT, "p-cloud-3-guests")
    assert (exchanged.way, exchanged.user) == ("mapped", "u-cloud-1-demo")
    (login,) = logins(world)
    assert login.cloud == "cloud-3"
    assert b"hunter2" in login.body


async def test_an_account_signs_in_once_for_all_of_its_project(gateway):
    world = gateway(["mapped"])
    tokens = [world.keystones.issue("cloud-1", user) for user in ("ann", "bob", "ann")]
    found = await asyncio.gather(*(world.later("image", "cloud-3", token) for token in tokens))
    assert len({one.token for one in found}) == 1
    assert len(logins(world)) == 1
    assert world.now("image", "cloud-3", tokens[0]) == found[0]


async def test_an_account_signs_in_again_after_five_minutes_and_before_its_token_ends(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1")
    await world.later("image", "cloud-3", token)
    world.keystones.now += 299
    await world.later("image", "cloud-3", token)
    assert len(logins(world)) == 1
    world.keystones.now += 1
    await world.later("image", "cloud-3", token)
    assert len(logins(world)) == 2
    world.keystones.accounts["cloud-3", "there"]["lives"] = 90
    world.keystones.now += 300
    first = await world.later("image", "cloud-3", token)
    world.keystones.now += 31
    assert (await world.later("image", "cloud-3", token)).token != first.token


async def test_home_is_asked_again_after_a_minute_and_a_revoked_token_gets_nothing(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1")
    await world.later("image", "cloud-3", token)
    world.keystones.tokens["cloud-1"][token].revoked = True
    world.keystones.now += 61
    assert world.now("image", "cloud-3", token) is None
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-3", token)


async def test_a_401_there_makes_the_account_sign_in_again_and_home_be_asked(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1")
    sent = await world.later("image", "cloud-3", token)
    asked = len(world.keystones.asked)
    for seconds, expected in ((9, []), (1, ["GET", "POST"])):
        # One that was had a moment ago is not had again for each 401: a user can make services say that.
        world.keystones.now += seconds
        world.identity.unaccepted(world.forward("image", "cloud-3", token), sent)
        again = await world.later("image", "cloud-3", token)
        assert [one.method for one in world.keystones.asked[asked:]] == expected
    assert again.token != sent.token


async def test_a_reload_makes_the_account_sign_in_again(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1")
    await world.later("image", "cloud-3", token)
    world.identity.swap(replace(world.snapshot(), serial=1))
    await world.later("image", "cloud-3", token)
    assert len(logins(world)) == 2


async def test_nobody_gets_an_account_with_a_role_that_the_policy_would_have_stripped(gateway):
    world = gateway(["mapped"])
    reader = world.keystones.issue("cloud-1", roles=["reader"])
    with pytest.raises(NotAdmitted, match="may do more than this user"):
        await world.later("image", "cloud-3", reader)


async def test_the_first_account_is_taken_whose_roles_the_user_has(gateway):
    world = gateway(["mapped"], entries=("boss", "there", "reader"))
    world.keystones.accounts["cloud-3", "there"]["roles"] = ["member", "reader"]
    member = world.keystones.issue("cloud-1", roles=["member", "reader"])
    reader = world.keystones.issue("cloud-1", roles=["reader"])
    names = {}
    for token in (member, reader):
        sent = (await world.later("image", "cloud-3", token)).token
        names[token] = world.keystones.tokens["cloud-3"][sent].body["user"]["name"]
    assert names == {member: "there", reader: "reader"}


async def test_an_admin_of_home_is_no_more_than_the_policy_leaves(gateway):
    world = gateway(["mapped"], entries=("boss",))
    admin = world.keystones.issue("cloud-1", roles=["admin", "member", "reader"])
    with pytest.raises(NotAdmitted, match="may do more than this user"):
        await world.later("image", "cloud-3", admin)


@pytest.mark.parametrize(
    ("projects", "works"),
    [({HOME_PROJECT: "p-cloud-3-guests"}, True), ({HOME_PROJECT: "other"}, False), ({"other": "x"}, False)],
)
async def test_a_project_gets_the_account_of_the_project_that_admits_names(gateway, projects, works):
    admission = replace(MEMBERS, projects=MappingProxyType(projects))
    world = gateway(["mapped"], admission=admission)
    token = world.keystones.issue("cloud-1")
    if works:
        assert (await world.later("image", "cloud-3", token)).exchanged.projects.here == "p-cloud-3-guests"
    else:
        with pytest.raises(NotAdmitted):
            await world.later("image", "cloud-3", token)


async def test_a_list_of_projects_admits_them_whatever_the_accounts_own_is(gateway):
    admission = replace(MEMBERS, projects=MappingProxyType({HOME_PROJECT: HOME_PROJECT}))
    world = gateway(["mapped"], admission=admission)
    assert (await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))).token


async def test_a_project_that_is_not_mapped_is_told_so(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1", named="other")
    with pytest.raises(NotAdmitted, match="no credentials for project p-cloud-1-other"):
        await world.later("image", "cloud-3", token)


async def test_access_rules_are_not_lost_in_an_exchange(gateway):
    world = gateway(["mapped"])
    rules = {"id": "ac", "name": "n", "restricted": True, "access_rules": [{"path": "/v2/images"}]}
    token = world.keystones.issue("cloud-1", application_credential=rules)
    with pytest.raises(NotAdmitted, match="access rules"):
        await world.later("image", "cloud-3", token)


@pytest.mark.parametrize("kind", [{"system": {"all": True}, "project": None}, {"project": None}])
async def test_only_project_scoped_tokens_are_exchanged(gateway, kind):
    world = gateway(["mapped", "same"])
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-3", world.keystones.issue("cloud-1", **kind))


async def test_who_is_not_admitted_is_asked_about_nowhere(gateway):
    world = gateway(["mapped", "same"], admission=None)
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))
    assert world.keystones.asked == []


async def test_a_guest_who_may_only_read_reads(gateway):
    world = gateway(["mapped"], admission=replace(MEMBERS, read_only=True))
    token = world.keystones.issue("cloud-1")
    assert (await world.later("image", "cloud-3", token)).token
    with pytest.raises(NotAdmitted):
        await world.later("image", "cloud-3", token, method="POST")


async def test_an_account_that_is_refused_is_said_without_its_secret_and_not_tried_in_a_loop(gateway, caplog):
    world = gateway(["mapped"])
    world.keystones.instead += [None, (401, {}, b"{}")]
    token = world.keystones.issue("cloud-1")
    for _ in range(3):
        with pytest.raises(IdentityUnavailable) as refused:
            await world.later("image", "cloud-3", token)
    assert len(logins(world)) == 1
    assert "there (401)" in caplog.text
    assert "hunter2" not in caplog.text + str(refused.value)
    world.keystones.now += 6
    assert (await world.later("image", "cloud-3", token)).token


async def test_after_each_refusal_it_is_left_alone_for_longer_and_a_reload_tries_at_once(gateway):
    world = gateway(["mapped"])
    token = world.keystones.issue("cloud-1")

    async def tries(seconds):
        before = len(logins(world))
        for _ in range(seconds):
            world.keystones.now += 1
            world.keystones.instead[:] = []
            with pytest.raises(IdentityUnavailable):
                await world.later("image", "cloud-3", token)
        return len(logins(world)) - before

    refused = world.keystones.authenticate
    world.keystones.authenticate = lambda home, asked: (401, {}, b"{}")
    assert await tries(300) == 6  # at 1, 6, 16, 36, 76 and 156 s
    world.keystones.authenticate = refused
    world.identity.swap(replace(world.snapshot(), serial=1))
    assert (await world.later("image", "cloud-3", token)).token


async def test_an_account_that_is_refused_keeps_nobody_from_the_next_way_or_account(gateway):
    world = gateway(["mapped", "carried"], entries=("broken", "there"))
    signs_in = world.keystones.authenticate
    broken = ["broken"]

    def authenticate(home, asked):
        name = asked["auth"]["identity"]["password"]["user"]["name"]
        return (401, {}, b"{}") if name in broken else signs_in(home, asked)

    world.keystones.authenticate = authenticate
    token, mine = world.keystones.issue("cloud-1"), world.keystones.issue("cloud-3", "me", "mine")
    assert (await world.later("image", "cloud-3", token, carried=mine)).exchanged.way == "mapped"
    broken.append("there")
    world.identity.swap(replace(world.snapshot(), serial=1))
    assert (await world.later("image", "cloud-3", token, carried=mine)).token == mine
    with pytest.raises(IdentityUnavailable):
        await world.later("image", "cloud-3", token)


async def test_many_accounts_are_all_tried_in_one_request(gateway):
    entries = tuple(f"boss-{number}" for number in range(12))
    world = gateway(["mapped"], entries=(*entries, "there"))
    for entry in entries:
        world.keystones.accounts["cloud-3", entry] = {"user": entry, "roles": ["admin"]}
    assert (await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))).token


# Carried.


async def test_a_carried_token_is_what_goes_there(gateway):
    world = gateway(["carried"])
    token, own = world.keystones.issue("cloud-1"), world.keystones.issue("cloud-3", "me", "mine")
    found = await world.later("image", "cloud-3", token, carried=own)
    assert found.token == own
    exchanged = found.exchanged
    assert (exchanged.projects.home, exchanged.projects.here) == (HOME_PROJECT, "p-cloud-3-mine")


async def test_without_one_it_is_said_how_to_send_one(gateway):
    world = gateway(["carried"])
    with pytest.raises(NotAdmitted, match="X-Scope-Tokens"):
        await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))


async def test_a_carried_token_that_is_nobodys_is_refused(gateway):
    world = gateway(["carried"])
    with pytest.raises(NotAdmitted, match="does not accept the token in X-Scope-Tokens"):
        await world.later("image", "cloud-3", world.keystones.issue("cloud-1"), carried="gAAAAAB-nobodys")
    both = gateway(["carried", "mapped"])
    token = both.keystones.issue("cloud-1")
    found = await both.later("image", "cloud-3", token, carried="gAAAAAB-nobodys")
    assert found.exchanged.way == "mapped"


async def test_a_carried_token_alone_admits_nobody(gateway):
    world = gateway(["carried"])
    own = world.keystones.issue("cloud-3", "me", "mine")
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-3", "gAAAAAB-nobodys", carried=own)


async def test_ways_are_tried_in_the_operators_order(gateway):
    own = {}
    for ways in (["mapped", "carried"], ["carried", "mapped"]):
        world = gateway(ways)
        mine = world.keystones.issue("cloud-3", "me", "mine")
        found = await world.later("image", "cloud-3", world.keystones.issue("cloud-1"), carried=mine)
        own[tuple(ways)] = found.token == mine
    assert own == {("mapped", "carried"): False, ("carried", "mapped"): True}


# Same.


async def test_where_both_accept_the_same_tokens_it_goes_bare(gateway):
    world = gateway(["same"])
    token = world.keystones.issue("cloud-1", roles=["member", "reader"])
    found = await world.later("image", "cloud-3", token)
    assert found.token == token
    assert found.exchanged.projects.home == found.exchanged.projects.here


async def test_a_token_that_would_have_to_lose_a_role_does_not_go(gateway):
    world = gateway(["same"])
    admin = world.keystones.issue("cloud-1", roles=["admin", "member"])
    with pytest.raises(NotAdmitted, match="cannot lose them"):
        await world.later("image", "cloud-3", admin)


async def test_a_token_that_would_have_to_change_its_project_does_not_go(gateway):
    admission = replace(MEMBERS, projects=MappingProxyType({HOME_PROJECT: "p-other"}))
    world = gateway(["same"], admission=admission)
    with pytest.raises(NotAdmitted, match="cannot change its own"):
        await world.later("image", "cloud-3", world.keystones.issue("cloud-1"))


async def test_an_ended_token_is_exchanged_for_nothing(gateway):
    world = gateway(["mapped", "same"])
    token = world.keystones.issue("cloud-1", lives=30)
    await world.later("image", "cloud-3", token)
    world.keystones.now += HOUR
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-3", token)

"""An item of one of several clouds: who is asked, in which order, and whose answer it is in the end."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import nullcontext

import pytest

from oidproxy.errors import (
    Ambiguous,
    AnswerTimedOut,
    NotAdmitted,
    NotFound,
    TokenRefused,
    TooManyClouds,
    Undecided,
)
from oidproxy.manyclouds.finding import search as module
from tests.manyclouds.finding.rig import ID, OTHER, answer, cut, read, server, silent, world

PATH = f"/v2.1/servers/{ID}"


@pytest.fixture
async def clouds(tmp_path):
    async with world(tmp_path, "one", "two", "three", "four") as made:
        yield made


def body(**more: object) -> bytes:
    return answer(200, server(**more))


# Nothing is known of it.


@pytest.mark.parametrize("holder", ["one", "three", "four"])
async def test_all_are_asked_at_once_and_the_one_that_has_it_answers(clouds, holder):
    clouds.has(PATH, holder)
    for place in clouds.places.values():
        place.delay = 0.4
    began = time.perf_counter()
    cloud, whole = await clouds.find()
    assert (cloud, whole.status) == (holder, 200)
    assert time.perf_counter() - began < 1.2
    assert clouds.asked() == {"one", "two", "three", "four"}
    assert [place.asked for place in clouds.places.values()] == [[f"GET {PATH}"]] * 4


async def test_each_cloud_gets_the_token_that_is_for_it(clouds):
    clouds.has(PATH, "two")
    await clouds.find()
    assert [place.tokens for place in clouds.places.values()] == [
        ["for-one"], ["for-two"], ["for-three"], ["for-four"]
    ]  # fmt: skip


async def test_who_is_silent_delays_an_answer_for_a_moment_only(clouds):
    clouds.has(PATH, "two")
    clouds.has(PATH, "one", "four", reply=silent)
    began = time.perf_counter()
    assert (await clouds.find())[0] == "two"
    assert time.perf_counter() - began < 4 * module.MOST


async def test_it_is_known_where_it_is_from_then_on(clouds):
    clouds.has(PATH, "three")
    await clouds.find()
    clouds.forget_asked()
    assert (await clouds.find())[0] == "three"
    assert clouds.asked() == {"three"}


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_where_no_cloud_has_it_or_shows_it_it_is_not_found(clouds, status):
    clouds.has(PATH, "one", "two", reply=answer(status, {}))
    with pytest.raises(NotFound, match="None of the 4 clouds that the scope binds compute to") as caught:
        await clouds.find()
    assert caught.value.status == 404


@pytest.mark.parametrize("reply", [silent, cut, answer(503, {}), answer(429, {}), answer(401, {})])
async def test_where_some_did_not_say_they_are_named(clouds, reply):
    clouds.has(PATH, "two", "four", reply=reply)
    with pytest.raises(Undecided, match="Whether two, four have this is not known") as caught:
        await clouds.find(patience=0.5)
    assert caught.value.status == 504
    assert "2 others do not have it" in caught.value.message
    assert caught.value.fields["X-Scope-Clouds"] == "ok=2;failed=two,four;skipped=0"


async def test_a_cloud_that_has_it_is_found_whatever_the_others_do(clouds):
    clouds.has(PATH, "one", reply=silent)
    clouds.has(PATH, "two", reply=cut)
    clouds.has(PATH, "three", reply=answer(500, {}))
    clouds.has(PATH, "four")
    assert (await clouds.find())[0] == "four"


async def test_clouds_that_do_not_admit_the_user_now_count_as_without_it(clouds):
    clouds.identity.refuses["two"] = NotAdmitted("two does not admit this token")
    with pytest.raises(NotFound):
        await clouds.find()
    assert clouds.asked() == {"one", "three", "four"}


async def test_a_token_that_is_no_good_anywhere_is_told(clouds):
    clouds.identity.refuses = {name: TokenRefused("it has expired") for name in clouds.places}
    with pytest.raises(TokenRefused, match="expired"):
        await clouds.find()


async def test_where_every_cloud_refuses_the_token_the_first_ones_answer_is_passed_on(clouds):
    clouds.has(PATH, *clouds.places, reply=answer(401, {}, "WWW-Authenticate: Keystone"))
    cloud, whole = await clouds.find()
    assert (cloud, whole.status) == ("one", 401)
    assert set(clouds.identity.unaccepted_ones) == set(clouds.places)


async def test_what_is_wrong_with_the_request_itself_is_told_by_the_first_cloud_that_says_so(clouds):
    clouds.has(PATH, "two", "three", reply=answer(406, {"computeFault": {}}))
    cloud, whole = await clouds.find()
    assert (cloud, whole.status) == ("two", 406)
    clouds.has(PATH, "four")
    assert (await clouds.find())[0] == "four"


async def test_a_home_that_is_silent_about_the_token_leaves_its_clouds_unknown(clouds):
    clouds.identity.refuses["three"] = AnswerTimedOut("no answer", cloud="one")
    with pytest.raises(Undecided, match="Whether three has"):
        await clouds.find()


# It is known who holds it.


async def test_only_who_was_seen_to_hold_it_is_asked(clouds):
    clouds.has(PATH, "three")
    clouds.learned("three")
    assert (await clouds.find())[0] == "three"
    assert clouds.asked() == {"three"}
    assert clouds.identity.asked == 0


async def test_the_index_never_answers_by_itself(clouds):
    clouds.learned("three")
    with pytest.raises(NotFound):
        await clouds.find()
    assert clouds.asked() == {"one", "two", "three", "four"}


async def test_what_has_moved_is_found(clouds):
    clouds.learned("three")
    clouds.has(PATH, "four")
    assert (await clouds.find())[0] == "four"
    assert clouds.three.asked == [f"GET {PATH}"], "nobody is asked twice"


async def test_the_others_are_asked_while_a_holder_is_slow(clouds, monkeypatch):
    monkeypatch.setattr(module, "HEDGE", 0.1)
    monkeypatch.setattr(module, "CLAIMED", 0.4)
    clouds.has(PATH, "three", reply=silent)
    clouds.has(PATH, "four")
    clouds.learned("three")
    began = time.perf_counter()
    assert (await clouds.find())[0] == "four"
    assert 0.1 < time.perf_counter() - began < 2.0


async def test_a_slow_holder_answers_itself(clouds, monkeypatch):
    monkeypatch.setattr(module, "HEDGE", 0.1)
    clouds.has(PATH, "three")
    clouds.three.delay = 0.3
    clouds.learned("three")
    assert (await clouds.find())[0] == "three"
    assert len(clouds.three.asked) == 1


async def test_a_dead_holder_costs_nothing_but_its_own_answer(clouds):
    clouds.has(PATH, "three", reply=cut)
    clouds.learned("three")
    began = time.perf_counter()
    with pytest.raises(Undecided, match="Whether three has this is not known"):
        await clouds.find()
    assert time.perf_counter() - began < module.HEDGE


async def test_a_holder_outside_of_the_scope_is_not_asked(clouds):
    clouds.learned("three")
    clouds.has(PATH, "three", "two")
    assert (await clouds.find(scope="compute:one&two"))[0] == "two"
    assert clouds.asked() == {"one", "two"}


# Several have it.


async def test_two_that_have_something_else_under_one_id_are_told_and_neither_is_chosen(clouds):
    clouds.has(PATH, "two", reply=body(name="mine"))
    clouds.has(PATH, "four", reply=body(name="theirs"))
    with pytest.raises(Ambiguous, match="2 clouds have something else under this id: two, four") as caught:
        await clouds.find()
    assert caught.value.status == 300
    assert caught.value.fields["X-Scope-Candidates"] == "two,four"
    assert "X-Scope: compute:two" in caught.value.message


async def test_one_thing_in_several_clouds_comes_from_the_first_that_the_scope_names(clouds):
    clouds.has(PATH, "two", reply=body(tenant_id="a", created="2026", links=[{"href": "x"}]))
    clouds.has(PATH, "four", reply=body(tenant_id="b", created="2025"))
    clouds.two.delay = 0.03
    assert (await clouds.find())[0] == "two"
    assert (await clouds.find(scope="compute:four&three&two"))[0] == "four"


async def test_all_who_were_seen_to_hold_it_are_asked_and_heard(clouds):
    clouds.has(PATH, "two", reply=body(name="mine"))
    clouds.has(PATH, "four", reply=body(name="theirs"))
    clouds.four.delay = 3 * module.MOST
    clouds.learned("two", "four")
    with pytest.raises(Ambiguous):
        await clouds.find()
    assert clouds.asked() == {"two", "four"}


async def test_of_two_holders_the_one_that_has_it_answers(clouds):
    clouds.learned("two", "four")
    clouds.has(PATH, "four")
    assert (await clouds.find())[0] == "four"
    assert clouds.asked() == {"two", "four"}


async def test_what_is_below_an_item_is_compared_by_the_item(clouds):
    below = f"{PATH}/os-interface"
    for name in ("two", "four"):
        clouds.has(below, name, reply=answer(200, {"interfaceAttachments": [name]}))
        clouds.has(PATH, name, reply=body(name=name))
    with pytest.raises(Ambiguous):
        await clouds.find(below)
    for name in ("two", "four"):
        clouds.has(PATH, name, reply=body(name="same"))
    assert (await clouds.find(below))[0] == "two"


async def test_a_head_is_compared_by_what_a_get_shows(clouds):
    clouds.has(PATH, "two", reply=body(name="mine"))
    clouds.has(PATH, "four", reply=body(name="mine"))
    assert (await clouds.find(method="HEAD"))[0] == "two"
    clouds.has(PATH, "four", reply=body(name="theirs"))
    with pytest.raises(Ambiguous):
        await clouds.find(method="HEAD")


async def test_what_cannot_be_compared_is_not_taken_for_the_same(clouds):
    clouds.has(PATH, "two", "four", reply=answer(200, b"no JSON"))
    with pytest.raises(Ambiguous):
        await clouds.find()


# HEAD, names, and plans.


async def test_a_head_goes_out_as_one(clouds):
    clouds.has(PATH, "two")
    cloud, whole = await clouds.find(method="HEAD")
    assert (cloud, whole.status, whole.body) == ("two", 200, b"")
    assert clouds.one.asked == [f"HEAD {PATH}"]


async def test_a_name_that_many_clouds_have_is_one_thing_where_it_means_the_same(clouds):
    small = {"flavor": {"id": "1", "name": "m1.tiny", "ram": 512, "links": []}}
    clouds.has("/v2.1/flavors/1", "two", "three", reply=answer(200, small))
    assert (await clouds.find("/v2.1/flavors/1"))[0] == "two"
    large = {"flavor": {"id": "1", "name": "m1.tiny", "ram": 1024, "links": []}}
    clouds.has("/v2.1/flavors/1", "three", reply=answer(200, large))
    with pytest.raises(Ambiguous):
        await clouds.find("/v2.1/flavors/1")


async def test_k_of_n_is_over_when_k_have_answered(clouds):
    clouds.has(PATH, "three", "four", reply=silent)
    with pytest.raises(NotFound):
        await clouds.find(scope="compute:any(2, *)")
    clouds.has(PATH, "two", reply=silent)
    clouds.now += 10
    with pytest.raises(Undecided):
        await clouds.find(scope="compute:any(2, *)", patience=0.3)
    clouds.has(PATH, "three")
    assert (await clouds.find(scope="compute:any(2, *)"))[0] == "three"


async def test_fallback_of_sets_moves_on_when_a_set_does_not_have_it(clouds):
    clouds.has(PATH, "three")
    assert (await clouds.find(scope="compute:(one & two) | (three & four)"))[0] == "three"
    clouds.has(PATH, "two")
    clouds.forget_asked()
    assert (await clouds.find(scope="compute:(one & two) | (three & four)"))[0] == "two"
    assert clouds.asked() == {"one", "two"}


async def test_fallback_inside_of_a_set_asks_one_after_the_other(clouds):
    clouds.has(PATH, "two", "four")
    cloud, _ = await clouds.find(scope="compute:one & (two | three | four)")
    assert cloud == "two"
    assert clouds.asked() == {"one", "two"}
    clouds.two.has.clear()
    assert (await clouds.find(scope="compute:one & (two | three | four)"))[0] == "four"


async def test_more_clouds_than_one_request_may_go_to_are_refused(clouds):
    few = dataclasses.replace(clouds.limits, fan_out_clouds=3)
    job = dataclasses.replace(clouds.job(PATH), grant=clouds.allowances.begin("token", few))
    with pytest.raises(TooManyClouds):
        await clouds.finding(job)
    assert clouds.asked() == set()
    clouds.learned("three")
    clouds.has(PATH, "three")
    await read(await clouds.finding(job))


# What nobody had a moment ago.


async def test_what_nobody_had_is_not_looked_for_again_at_once(clouds):
    with pytest.raises(NotFound):
        await clouds.find()
    clouds.forget_asked()
    with pytest.raises(NotFound):
        await clouds.find()
    assert clouds.asked() == set()
    clouds.now += 2.1
    with pytest.raises(NotFound):
        await clouds.find()
    assert clouds.asked() == set(clouds.places)


async def test_that_is_remembered_for_this_user_this_item_and_this_scope_alone(clouds):
    with pytest.raises(NotFound):
        await clouds.find(scope="compute:one&two")
    clouds.forget_asked()
    clouds.has(PATH, "two")
    clouds.identity.user = "other"
    assert (await clouds.find(scope="compute:one&two"))[0] == "two"
    clouds.identity.user = "demo"
    with pytest.raises(NotFound):
        await clouds.find(f"/v2.1/servers/{OTHER}", "compute:one&two")
    clouds.has(f"/v2.1/servers/{OTHER}", "three")
    assert (await clouds.find(f"/v2.1/servers/{OTHER}", "compute:two&three"))[0] == "three"


async def test_what_is_made_meanwhile_is_found(clouds):
    with pytest.raises(NotFound):
        await clouds.find()
    clouds.has(PATH, "two")
    clouds.learned("two")
    assert (await clouds.find())[0] == "two"


async def test_what_is_not_known_is_not_remembered(clouds):
    clouds.has(PATH, "two", reply=answer(503, {}))
    with pytest.raises(Undecided):
        await clouds.find()
    clouds.has(PATH, "two")
    assert (await clouds.find())[0] == "two"


# Nothing is left behind.


async def test_a_client_that_leaves_cuts_off_every_question(clouds):
    clouds.has(PATH, *clouds.places, reply=silent)
    asking = asyncio.create_task(clouds.find())
    while clouds.asked() != set(clouds.places):
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.05)
    assert sum(one.busy for one in clouds.upstreams.stats()) == 0


@pytest.mark.parametrize("learned", [(), ("four",), ("two", "three")])
@pytest.mark.parametrize("replies", ["found", "ambiguous", "undecided", "not found"])
async def test_whatever_comes_of_it_no_connection_is_held_and_no_allowance_kept(clouds, replies, learned):
    clouds.learned(*learned)
    match replies:
        case "found":
            clouds.has(PATH, "one", "two", "three")
        case "ambiguous":
            clouds.has(PATH, "two", reply=body(name="a"))
            clouds.has(PATH, "three", reply=body(name="b"))
        case "undecided":
            clouds.has(PATH, "two", reply=answer(500, {}))
    raised = {"ambiguous": Ambiguous, "undecided": Undecided, "not found": NotFound}
    with pytest.raises(raised[replies]) if replies in raised else nullcontext():
        await clouds.find()
    await asyncio.sleep(0.05)
    assert sum(one.busy for one in clouds.upstreams.stats()) == 0
    assert clouds.allowances._taken == {}


# What is no answer, and what none knows.


async def test_a_cloud_that_redirects_has_nothing(clouds):
    """It says nothing of the item: beside one that has it, it makes nothing ambiguous."""
    clouds.has(PATH, "two")
    clouds.three.otherwise = answer(302, {}, "Location: http://elsewhere/")
    cloud, whole = await clouds.find()
    assert (cloud, whole.status) == ("two", 200)
    with pytest.raises(Undecided):
        await clouds.find(f"/v2.1/servers/{OTHER}")


async def test_of_any_k_those_that_cannot_be_asked_are_not_the_k(clouds):
    """There is no token for one: two is waited for."""
    clouds.identity.refuses["one"] = TokenRefused("no token for one")
    clouds.has(PATH, "two")
    clouds.two.delay = 0.1
    cloud, _ = await clouds.find(scope="compute:any(1,one&two)")
    assert cloud == "two"

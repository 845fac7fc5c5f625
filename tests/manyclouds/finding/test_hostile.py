"""A cloud that claims what another has gains nothing: no answer, no token, no place of anybody else's.

`evil` admits the home's users as the others do, so that it is in every `*`. The honest holder is `two`.
"""

from __future__ import annotations

import time

import pytest

from oidproxy.errors import Ambiguous
from oidproxy.manyclouds.finding import find
from oidproxy.manyclouds.finding import search as module
from oidproxy.manyclouds.locations import key_of
from tests.manyclouds.finding.rig import ID, answer, server, silent, world

PATH = f"/v2.1/servers/{ID}"
HONEST = answer(200, server(name="mine"))
FORGED = answer(200, server(name="mine", OS_addresses="10.6.6.6"))


@pytest.fixture
async def clouds(tmp_path):
    async with world(tmp_path, "one", "evil", "two") as made:
        made.has(PATH, "two", reply=HONEST)
        yield made


async def claims(clouds) -> None:
    """It lists the id, and so does, in its time, the cloud that has it."""
    await clouds.index.add({"evil": [key_of("compute", ID.encode())]})
    await clouds.index.add({"two": [key_of("compute", ID.encode())]})


async def test_a_claim_that_is_not_kept_changes_nothing(clouds):
    await claims(clouds)
    cloud, whole = await clouds.find()
    assert (cloud, whole.body) == ("two", HONEST.partition(b"\r\n\r\n")[2])


async def test_a_forged_answer_is_not_passed_on(clouds):
    await claims(clouds)
    clouds.has(PATH, "evil", reply=FORGED)
    with pytest.raises(Ambiguous) as caught:
        await clouds.find()
    assert caught.value.fields["X-Scope-Candidates"] == "evil,two"
    assert (await clouds.find(scope="compute:two&one"))[0] == "two"


async def test_a_forged_answer_that_comes_first_is_not_passed_on(clouds):
    await claims(clouds)
    clouds.has(PATH, "evil", reply=FORGED)
    clouds.two.delay = 2 * module.MOST
    with pytest.raises(Ambiguous):
        await clouds.find()


async def test_a_forged_answer_to_what_nobody_knows_yet_is_not_passed_on(clouds):
    clouds.has(PATH, "evil", reply=FORGED)
    clouds.two.delay = 0.05
    with pytest.raises(Ambiguous):
        await clouds.find()


async def test_a_claim_that_is_never_answered_delays_by_a_bounded_time(clouds, monkeypatch):
    monkeypatch.setattr(module, "CLAIMED", 0.3)
    await claims(clouds)
    clouds.has(PATH, "evil", reply=silent)
    began = time.perf_counter()
    assert (await clouds.find())[0] == "two"
    assert time.perf_counter() - began < 1.8


async def test_an_answer_that_begins_and_never_ends_delays_by_a_bounded_time(clouds, monkeypatch):
    monkeypatch.setattr(find, "CLAIMED", 0.3)

    async def endless(place, peer, method):
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
        await peer.rest()

    await claims(clouds)
    clouds.has(PATH, "evil", reply=endless)
    began = time.perf_counter()
    with pytest.raises(Ambiguous):
        await clouds.find()
    assert time.perf_counter() - began < 1.8


async def test_the_claim_does_not_send_anybodys_token_there_that_was_not_for_it(clouds):
    await claims(clouds)
    await clouds.find()
    await clouds.find(scope="compute:two&one")
    assert clouds.evil.tokens == ["for-evil"], "once, under a scope that names it; with its own token"


async def test_a_claim_takes_no_other_claim_away(clouds):
    for _ in range(50):
        await clouds.index.add({"evil": [key_of("compute", ID.encode())]})
    await clouds.index.add({"two": [key_of("compute", ID.encode())]})
    await clouds.index.add({"evil": list(range(20_000))})
    assert "two" in await clouds.locations.clouds("compute", ID.encode())


async def test_a_copy_of_the_honest_answer_is_that_answer(clouds):
    """What it gains is to be the one that says the same."""
    await claims(clouds)
    clouds.has(PATH, "evil", reply=HONEST)
    cloud, whole = await clouds.find(scope="compute:two&evil")
    assert cloud == "two"
    assert (await clouds.find())[1].body == whole.body

"""The one door: who a token is, and whether it is a service's."""

import pytest

from oidproxy.errors import TokenRefused
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.sealed import seal
from tests.identity.world import SCOPE


async def test_a_subject_is_who_its_home_says_at_most_a_minute_ago(world, keystones):
    token = keystones.issue("cloud-2")
    sealed = world.present(seal(token, "cloud-2", SCOPE))
    who = await world.identity.subject(sealed)
    assert (who.home, who.user_name, who.project_id) == ("cloud-2", "demo", "p-cloud-2-demo")
    keystones.now += 59
    await world.identity.subject(sealed)
    assert len(keystones.asked) == 1
    keystones.now += 1
    await world.identity.subject(sealed)
    assert len(keystones.asked) == 2


async def test_a_closed_token_is_nobody_on_pages_of_our_own(world, keystones):
    box = world.present(await world.closed(keystones.issue("cloud-1")))
    with pytest.raises(TokenRefused):
        await world.identity.subject(box)


async def test_a_token_nobody_spoke_of_counts_as_a_users(world, keystones):
    nova = world.present(keystones.service("cloud-1"))
    assert not world.identity.is_service(nova)
    assert world.identity.caller(nova) is None
    await world.identity.subject(nova)
    assert world.identity.is_service(nova)
    assert world.identity.caller(nova) == "nova"


async def test_an_envelope_makes_nobody_a_service(world, keystones):
    nova = keystones.service("cloud-1")
    await world.identity.subject(world.present(nova))
    assert not world.identity.is_service(world.present(seal(nova, "cloud-2", NO_SCOPE)))
    assert not world.identity.is_service(world.present(keystones.issue("cloud-1", user="nova")))


def test_no_token_is_no_service(world):
    assert not world.identity.is_service(None)
    assert world.identity.caller(None) is None

"""Tokens are taken back at their home, and forgotten here."""

import pytest

from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.sealed import seal
from tests.identity.world import SCOPE, error


async def test_keystone_gets_both_tokens_bare(world, keystones):
    admin, token = keystones.issue("cloud-1", roles=("admin",)), keystones.issue("cloud-1")
    reply = await world.revoke(seal(admin, "cloud-1", SCOPE), seal(token, "cloud-1", SCOPE))
    (asked,) = keystones.asked
    assert (reply.status, reply.body) == (204, b"")
    assert (asked.method, asked.fields["x-auth-token"], asked.fields["x-subject-token"]) == (
        "DELETE",
        admin,
        token,
    )


async def test_what_was_known_of_it_is_gone_at_once(world, keystones):
    token = keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    await world.revoke(token, token)
    assert world.now("image", "cloud-2", token) is None
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", token)
    assert len(keystones.asked) == 2


async def test_tokens_made_from_it_are_asked_about_again(world, keystones):
    token = keystones.issue("cloud-1", chain="one")
    kin, other = keystones.issue("cloud-1", chain="one"), keystones.issue("cloud-1")
    for each in (token, kin, other):
        await world.later("image", "cloud-2", each)
    await world.revoke(token, token)
    assert world.now("image", "cloud-2", other) is not None
    with pytest.raises(TokenRefused):
        await world.later("image", "cloud-2", kin)


async def test_what_keystone_refuses_is_relayed_and_forgets_nothing(world, keystones):
    token, other = keystones.issue("cloud-1"), keystones.issue("cloud-1")
    await world.later("image", "cloud-2", token)
    assert (await world.revoke(other, token)).status == 403
    keystones.instead.append(error(503))
    assert (await world.revoke(token, token)).status == 503
    assert world.now("image", "cloud-2", token) is not None


async def test_a_box_can_be_revoked_at_its_home_only(world, keystones):
    token = keystones.issue("cloud-1")
    box = await world.closed(token)
    keystones.asked.clear()
    with pytest.raises(NotAdmitted):
        await world.revoke(keystones.service("cloud-2"), box, at="cloud-2")
    with pytest.raises(NotAdmitted):
        await world.revoke(box, box, at="cloud-2")
    with pytest.raises(TokenRefused):
        await world.revoke(box, seal(token, "cloud-1", NO_SCOPE), at="cloud-2")
    assert keystones.asked == []


async def test_another_clouds_token_revokes_nothing(world, keystones):
    admin = seal(keystones.issue("cloud-2", roles=("admin",)), "cloud-2", NO_SCOPE)
    with pytest.raises(TokenRefused):
        await world.revoke(admin, keystones.issue("cloud-1"))
    assert keystones.asked == []

"""One question to one Keystone, and what each answer means."""

import json

import pytest

from oidproxy.errors import (
    BadAnswer,
    ConnectRefused,
    IdentityUnavailable,
    TokenRefused,
)
from tests.identity.world import NOW, PORTS, World, error
from tests.tokens.bodies import body


def subject(world, token):
    return world.identity.subject(world.present(token))


async def test_a_token_asks_about_itself_in_the_proxys_own_words(world, keystones):
    token = keystones.issue("cloud-1")
    who = await subject(world, token)
    (asked,) = keystones.asked
    assert (who.user_name, who.seen) == ("demo", NOW)
    assert (asked.method, asked.target) == ("GET", "/v3/auth/tokens?nocatalog")
    assert asked.fields == {
        "host": f"127.0.1.1:{PORTS['identity']}",
        "x-auth-token": token,
        "x-subject-token": token,
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "oidproxy",
        "via": "1.1 oidproxy-test",
        "openstack-identity-access-rules": "1",
    }


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_its_home_does_not_know_is_refused(world, keystones, status):
    keystones.instead.append(error(status))
    with pytest.raises(TokenRefused):
        await subject(world, keystones.issue("cloud-1"))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_home_that_cannot_say_is_a_503_and_not_a_bad_token(world, keystones, status):
    token = keystones.issue("cloud-1")
    keystones.instead.append((status, {"Retry-After": "7"}, b"x"))
    with pytest.raises(IdentityUnavailable) as caught:
        await subject(world, token)
    assert (caught.value.status, caught.value.cloud) == (503, "cloud-1")
    assert caught.value.fields == {"Retry-After": "7"}
    assert (await subject(world, token)).user_name == "demo"  # nothing of it was remembered


async def test_a_home_that_is_not_there_is_what_upstream_says_and_is_not_remembered(world, keystones):
    token = keystones.issue("cloud-1")
    keystones.instead.append(ConnectRefused("refused", cloud="cloud-1"))
    with pytest.raises(ConnectRefused):
        await subject(world, token)
    assert (await subject(world, token)).user_name == "demo"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "answer",
    [
        (200, JSON, b""),
        (200, JSON, b"not json"),
        (200, JSON, b"[]"),
        (200, JSON, b"{}"),
        (200, JSON, b'{"token": []}'),
        (200, JSON, b'{"token": {}}'),
        (200, JSON, b'{"token": {"expires_at": "soon"}}'),
        (200, JSON, b'{"token": {"expires_at": "\xff"}}'),
        (200, JSON, b"[" * 100_000),
        (200, {**JSON, "Content-Encoding": "gzip"}, json.dumps({"token": body()}).encode()),
        (300, JSON, b"{}"),
        (302, {"Location": "http://elsewhere/"}, b""),
        (204, {}, b""),
        (400, JSON, b"{}"),
    ],
)
async def test_an_answer_that_is_none_is_a_502_without_its_text(world, keystones, answer):
    token = keystones.issue("cloud-1")
    keystones.instead.append(answer)
    with pytest.raises(BadAnswer) as caught:
        await subject(world, token)
    assert caught.value.status == 502
    assert token not in caught.value.message
    assert "not json" not in caught.value.message
    assert (await subject(world, token)).user_name == "demo"


async def test_an_answer_larger_than_may_be_held_is_a_502(world, keystones):
    token = keystones.issue("cloud-1", padding="x" * (1024 * 1024))
    with pytest.raises(BadAnswer):
        await subject(world, token)


async def test_a_home_that_is_no_cloud_of_ours_is_refused_and_nobody_is_asked(keystones):
    from oidproxy.scope.tree import NO_SCOPE
    from oidproxy.tokens.sealed import seal

    world = World(keystones)
    with pytest.raises(TokenRefused):
        await subject(world, seal("gAAAAAB", "cloud-99", NO_SCOPE))
    assert keystones.asked == []

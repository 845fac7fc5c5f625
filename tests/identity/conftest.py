"""A world per test, and after every test: what must never reach a Keystone did not."""

import pytest

from tests.identity.world import World


@pytest.fixture
def world():
    made = World()
    yield made
    check_promises(made)


@pytest.fixture
def keystones(world):
    return world.keystones


def check_promises(world):
    """A Keystone gets its own tokens, bare, and no scope: in no field, no target, no body."""
    for asked in world.keystones.asked:
        for home, tokens in world.keystones.tokens.items():
            for token in tokens:
                assert home == asked.cloud or token.encode() not in asked.raw
        assert b"~" not in asked.raw
        assert b"!SCOPE!" not in asked.raw
        assert b"x-scope" not in asked.raw.lower()

"""A world for each test."""

from __future__ import annotations

import pytest

from oidproxy.store.preparing import prepare
from tests.manyclouds.world import worlds


@pytest.fixture
def state(tmp_path):
    """A prepared state file."""
    path = tmp_path / "state.db"
    prepare(path)
    return path


@pytest.fixture
async def world(state):
    async with worlds(state) as made:
        yield made

"""Clouds and a proxy process: shared by the tests of a module and emptied between them, or one of its own."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.manyclouds.replicating.proxy import worlds


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with worlds(tmp_path_factory.mktemp("world"), "a", "b", "c") as made:
        yield made


@pytest.fixture
def world(shared):
    """Three clouds, of which most tests use a and b. They hold nothing."""
    shared.empty()
    return shared

"""One Redis server for the tests of a module, empty for each of them."""

from __future__ import annotations

import pytest
import redis

from tests.store.server import serving


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def url(server):
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server.url

"""The proxy between raw sockets runs on the loop that it serves on."""

from __future__ import annotations

import pytest
import uvloop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}

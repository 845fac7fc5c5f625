"""Every test of calls to clouds runs on uvloop, which serves, and on asyncio's own loop."""

from __future__ import annotations

import asyncio

import pytest
import uvloop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

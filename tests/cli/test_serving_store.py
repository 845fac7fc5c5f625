"""Where the state lies when serving begins: a file that is prepared, or a server that is asked once."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from oidproxy.cli.serving import _state
from oidproxy.errors import ConfigError
from tests.store.server import serving


async def test_a_file_is_made(tmp_path):
    async with AsyncExitStack() as stack:
        found = await _state(stack, str(tmp_path / "state.db"), tmp_path / "oidproxy.yaml")
        assert found == tmp_path / "state.db"
        assert found.exists()


async def test_without_one_there_is_a_file_of_this_run(tmp_path):
    async with AsyncExitStack() as stack:
        found = await _state(stack, "", tmp_path / "oidproxy.yaml")
        assert found.exists()
    assert not found.exists()


async def test_a_server_is_taken_as_it_is(tmp_path, caplog):
    with serving() as server:
        async with AsyncExitStack() as stack:
            assert await _state(stack, server.url, tmp_path / "oidproxy.yaml") == server.url
    assert caplog.text == ""


async def test_a_server_that_does_not_answer_may_come_back(tmp_path, caplog):
    url = f"unix://:sesame@{tmp_path}/nowhere.sock"
    async with AsyncExitStack() as stack:
        assert await _state(stack, url, tmp_path / "oidproxy.yaml") == url
    assert "does not answer" in caplog.text
    assert "sesame" not in caplog.text


async def test_a_server_that_refuses_us_is_an_error(tmp_path):
    with serving("--requirepass", "right") as server:
        async with AsyncExitStack() as stack:
            with pytest.raises(ConfigError, match="refuses us"):
                await _state(stack, server.url.replace("unix://", "unix://:sesame@"), tmp_path / "x.yaml")

"""`oidproxy serve`, as far as it is the command's own."""

from __future__ import annotations

import signal

import pytest

from oidproxy.cli import serving
from oidproxy.cli.main import main


@pytest.fixture
def hangup():
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
def test_a_sighup_while_the_configuration_is_read_ends_nothing(monkeypatch):
    seen = []

    async def serve(options, announce):
        seen.append(signal.getsignal(signal.SIGHUP))
        return 0

    monkeypatch.setattr(serving, "serve", serve)
    assert main(["serve", "--config", "x"]) == 0
    assert seen == [signal.SIG_IGN]

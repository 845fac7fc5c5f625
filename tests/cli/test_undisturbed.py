"""Processes that a signal must not orphan: it waits while one is started, and ends one that is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from oidproxy.cli.demonstration import undisturbed as module
from oidproxy.cli.demonstration.undisturbed import run, undisturbed


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupting():
    """A handler that raises, as the demonstration's does."""

    def interrupt(*_):
        raise Interrupted

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    yield interrupt
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_the_end(interrupting, number):
    reached = []
    with pytest.raises(Interrupted), undisturbed():
        os.kill(os.getpid(), number)
        reached.append("the end")
    assert reached == ["the end"]
    assert signal.getsignal(number) is interrupting


def test_an_error_of_its_own_comes_first(interrupting):
    with pytest.raises(KeyError), undisturbed():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) is interrupting


def test_nested_it_waits_for_the_outermost(interrupting):
    reached = []
    with pytest.raises(Interrupted), undisturbed():
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
        reached.append("the end")
    assert reached == ["the end"]


def test_what_is_started_inside_can_be_ended(interrupting):
    """It inherits neither a handler nor a mask."""
    with undisturbed():
        sleeper = subprocess.Popen(["sleep", "60"])
    sleeper.terminate()
    assert sleeper.wait(5) == -signal.SIGTERM


def test_another_thread_needs_nothing():
    """Python runs handlers in the main thread; elsewhere they cannot be set."""
    done = []

    def work():
        with undisturbed():
            done.append(run([sys.executable, "-c", "print('here')"], {}, capture=True))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [(0, "here\n")]


def test_status_and_environment_of_a_command():
    code = "import os; print(os.environ['A']); raise SystemExit(3)"
    assert run([sys.executable, "-c", code], {"A": "b"}, capture=True) == (3, "b\n")


def test_a_command_ends_with_its_interruption(interrupting, monkeypatch):
    started = []

    class Popen(subprocess.Popen):
        def communicate(self, *arguments, **more):
            started.append(self)
            os.kill(os.getpid(), signal.SIGTERM)
            return super().communicate(*arguments, **more)

    monkeypatch.setattr(module.subprocess, "Popen", Popen)
    with pytest.raises(Interrupted):
        run(["sleep", "60"], {})
    assert started[0].returncode == -signal.SIGKILL

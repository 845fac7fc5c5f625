"""Logging as JSON lines that hold no secret, not even on their way through the queue."""

from __future__ import annotations

import io
import json
import logging
import pickle

import pytest

from oidproxy.errors import BadRequest
from oidproxy.telemetry import logs
from oidproxy.telemetry.logs import Logs

TOKEN = "gAAAAABnQ2xvdWQtb25lLXRva2VuLXRoYXQtaXMtbG9uZw"
log = logging.getLogger("oidproxy.test")


@pytest.fixture
def said():
    """Set up logging, say something, and get the lines."""
    stream = io.StringIO()
    made = Logs(stream, "INFO")

    def lines():
        made.stop()
        return [json.loads(one) for one in stream.getvalue().splitlines()]

    yield lines
    made.stop()


def redacting():
    """Our own handler; pytest adds some of its own."""
    return next(one for one in logging.getLogger().handlers if isinstance(one, logs._Redacting))


def failing(error):
    try:
        raise error
    except type(error):
        log.exception("it failed")


def test_a_record_is_one_line_of_json(said):
    log.warning("cloud %s is\nslow", "cloud-1")
    (line,) = said()
    assert line["message"] == "cloud cloud-1 is\nslow"
    assert (line["level"], line["logger"]) == ("WARNING", "oidproxy.test")
    assert line["time"] > 1_700_000_000 * 10**9


def test_below_the_level_nothing_is_said(said):
    log.debug("x")
    assert said() == []


def test_secrets_are_hidden_where_the_record_is_made(said):
    queued = []
    redacting().enqueue = queued.append
    log.error("bad token %s, password=%s", TOKEN, "hunter2-x")
    assert TOKEN not in repr(pickle.dumps(queued))
    assert "hunter2-x" not in repr(pickle.dumps(queued))


def test_an_exception_is_told_by_type_and_place_not_by_words(said):
    failing(ValueError(f"Expecting value: {TOKEN} hunter2-x"))
    (line,) = said()
    assert line["exception"]["type"] == "builtins.ValueError"
    assert "test_logs.py" in line["exception"]["at"][0]
    assert "hunter2" not in json.dumps(line)


def test_our_own_errors_words_are_safe(said):
    failing(BadRequest("Two Host fields."))
    failing(OSError(111, f"refused {TOKEN}"))
    ours, system = said()
    assert ours["exception"]["message"] == "Two Host fields."
    assert system["exception"]["errno"] == 111
    assert TOKEN not in json.dumps(system)


def test_a_record_with_wrong_arguments_is_not_lost_and_shows_none_of_them(said):
    redacting().handle(log.makeRecord("x", logging.ERROR, "", 1, "%d clouds", ("hunter2-x",), None))
    (line,) = said()
    assert line["message"] == "%d clouds"


def test_other_libraries_are_heard_too(said):
    logging.getLogger("asyncio").error("X-Auth-Token: hunter2-x")
    (line,) = said()
    assert line["logger"] == "asyncio"
    assert "hunter2-x" not in line["message"]


def test_nobody_waits_for_a_slow_stream(monkeypatch):
    monkeypatch.setattr(logs, "RECORDS_AT_MOST", 5)
    made = Logs(io.StringIO(), "INFO")
    made._listener.stop()
    for _ in range(20):
        log.info("x")
    assert made.dropped == 15
    made._listener.start()
    made.stop()


def test_stopping_leaves_logging_as_it_was():
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    made = Logs(io.StringIO(), "DEBUG")
    assert (root.level, root.handlers) != before
    made.stop()
    assert (root.level, list(root.handlers)) == before

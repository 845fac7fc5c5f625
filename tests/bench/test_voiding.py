"""A failed or short answer voids what was measured: shown with clouds and proxies that do wrong."""

from __future__ import annotations

import socket
import threading
from itertools import pairwise

import pytest

from tests.bench import check
from tests.bench.candidates import DIRECT, LEAN, NGINX, OURS
from tests.bench.layout import CLOUDS, SERVICES, Cores, address
from tests.bench.openloop import OpenLoop, read_requests, schedule
from tests.bench.plan import PARTS, QUICK
from tests.bench.processes import BenchError
from tests.bench.results import Results
from tests.bench.rounds import ATTEMPTS, Rounds, check_load
from tests.bench.steady import figures
from tests.bench.traffic import calls
from tests.bench.wrk import Load, parsed, write_requests

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server():
    """Answers each connection's nth request with the nth of these, then the last for ever."""
    listening = socket.create_server(("127.0.0.1", 0))
    answers = [GOOD]
    threads = []

    def serve(connection):
        with connection:
            for number in range(10_000):
                try:
                    if not connection.recv(65536):
                        return
                    answer = answers[min(number, len(answers) - 1)]
                    connection.sendall(answer)
                except OSError:
                    return
                if not answer.endswith(b"abcd"):
                    return

    def accept():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield listening.getsockname(), answers
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    accepting.join(5)


def _run(place):
    loop = OpenLoop(*place, [REQUEST], 2, frozenset({4}))
    loop.run(200, 0.2)
    for one in loop._all.values():
        one.socket.close()
    loop._epoll.close()
    return loop


def test_right_answers_are_all_counted(server):
    place, _ = server
    loop = _run(place)
    assert loop.failures == []
    assert len(loop.latencies) == len(schedule(200, 0.2, 1)) > 10


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD.replace(b"200 OK", b"502 No"),
        GOOD.replace(b": 4", b": 3").replace(b"abcd", b"abc"),
        GOOD.replace(b"abcd", b"ab"),
        b"",
    ],
    ids=["another status", "a shorter answer", "an answer that was cut", "no answer"],
)
def test_an_open_loop_counts_a_wrong_answer_as_a_failure(server, wrong):
    place, answers = server
    answers[:] = [GOOD, wrong, GOOD]
    assert _run(place).failures


def test_a_run_without_any_answer_has_failed():
    found = figures({"latencies": [], "failures": 0, "reasons": [], "lags": [], "moments": []})
    assert found.failures


def test_requests_are_due_at_the_wanted_rate_and_at_random():
    moments = schedule(1000, 5.0, 1)
    assert len(moments) == pytest.approx(5000, rel=0.1)
    assert moments == sorted(moments) == schedule(1000, 5.0, 1)
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert sum(pause < 0.0005 for pause in pauses) / len(pauses) == pytest.approx(0.393, abs=0.05)


def test_the_file_of_requests_reads_as_it_was_written(tmp_path):
    requests = [b"GET / HTTP/1.1\r\n\r\n", b"", b"x" * 70_000]
    write_requests(tmp_path / "requests", requests)
    assert read_requests(tmp_path / "requests") == requests


SAID = (
    '{"requests": 100, "bytes": 220000, "microseconds": 2000000, "p50": 900.0, "p99": 1800.0, "connect": 0, '
    '"read": 0, "write": 0, "status": 0, "timeout": 0}'
)


def test_a_good_load_counts():
    load = parsed("Running 2s test\n" + SAID + "\n")
    assert (load.rate, load.errors) == (50.0, 0)
    check_load(load, 2200)


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_one_failure_of_any_kind_voids_a_load(kind):
    with pytest.raises(BenchError, match="1 requests failed"):
        check_load(parsed(SAID.replace(f'"{kind}": 0', f'"{kind}": 1')), 2200)


@pytest.mark.parametrize(("requests", "size"), [(0, 0), (100, 210_000), (100, 230_000)])
def test_short_long_or_no_answers_void_a_load(requests, size):
    with pytest.raises(BenchError):
        check_load(Load(requests, size, 2.0, 0, 0.0, 0.0), 2200)


# What the check before all rounds finds.


@pytest.fixture(scope="module")
def abroad():
    return next(call for call in calls(CLOUDS, 200) if call.cloud != 1 and call.in_header)


def _echo(call, **changed):
    seen = {
        "where": f"{address(call.cloud)}:{SERVICES[call.service]}",
        "path": call.path,
        "token": call.token,
        "scope": "",
        "service_token": "",
    }
    return "\n".join({**seen, **changed}.values())


def test_a_request_as_it_should_be_passes(abroad):
    assert check.difference(LEAN, abroad, _echo(abroad)) == ""
    assert check.difference(OURS, abroad, _echo(abroad, token="oid1~AAAA")) == ""
    home = f"{address(1)}:{SERVICES[abroad.service]}"
    assert check.difference(NGINX, abroad, _echo(abroad, where=home)) == ""
    assert check.difference(DIRECT, abroad, _echo(abroad, where="", path="")) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"where": f"{address(1)}:8774"},
        {"path": "/v2/images"},
        {"scope": '{"image": "cloud-2"}'},
        {"token": "another"},
        {"service_token": "one"},
    ],
)
def test_any_difference_is_told(abroad, changed):
    assert check.difference(LEAN, abroad, _echo(abroad, **changed))


def test_ours_may_not_show_a_token_to_a_cloud_that_is_not_its_home(abroad):
    assert check.difference(OURS, abroad, _echo(abroad))
    assert check.difference(OURS, abroad, _echo(abroad, token=f"oid1~{abroad.token}"))


# What becomes of a void measurement.


@pytest.fixture
def rounds(tmp_path):
    return Rounds(QUICK, PARTS, tmp_path, Cores(1, (0,)), Results(), lambda _: None)


def test_a_void_measurement_is_repeated_and_leaves_no_value(rounds):
    answers = iter([BenchError("3 requests failed"), {"us@32": 20.0}])

    def measure(_):
        found = next(answers)
        if isinstance(found, BenchError):
            raise found
        return found

    rounds._measured("cpu", NGINX, measure)
    assert rounds.results.values["cpu"]["nginx"] == {"us@32": [20.0]}
    assert rounds.results.void == ["cpu, nginx: 3 requests failed"]
    assert rounds.results.given_up == []


def test_one_that_is_void_each_time_is_given_up_and_told(rounds):
    def measure(_):
        raise BenchError("3 requests failed")

    rounds._measured("cpu", NGINX, measure)
    assert not rounds.results.values["cpu"]
    assert len(rounds.results.void) == ATTEMPTS
    assert rounds.results.given_up == ["cpu, nginx"]

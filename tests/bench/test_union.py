"""The upstream of a thousand clouds, the client that reads long lists, and what the report says of them."""

# ruff: noqa: RUF001

from __future__ import annotations

import json
import socket
import threading

import pytest

from tests.bench import thousand
from tests.bench.asking import Asker, Listed
from tests.bench.processes import BenchError
from tests.bench.report_union import section
from tests.bench.results import Results
from tests.bench.union import LEAN, PART, check


def page(target: str, number: int = 7) -> dict:
    head, _, body = thousand.answer(number, target.encode()).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return json.loads(body)


def test_rows_are_as_long_as_they_should_be_and_no_two_are_the_same():
    rows = [json.loads(row) for number in (1, 2, 999, 1000) for row in thousand.rows(number)]
    assert {len(row) for number in (1, 1000) for row in thousand.rows(number)} == {thousand.ROW}
    assert len({row["id"] for row in rows}) == len(rows)
    for number in (1, 1000):
        moments = [json.loads(row)["created_at"] for row in thousand.rows(number)]
        assert len(set(moments)) == thousand.ITEMS
        assert moments == sorted(moments, reverse=True)


def test_pages_end_where_they_should():
    first = page("/v2/images?limit=12")
    assert len(first["images"]) == 12
    rest = page(f"{first['next']}&limit=12")
    assert len(rest["images"]) == thousand.ITEMS - 12
    assert "next" not in rest
    assert len(page("/v2/images?limit=100")["images"]) == thousand.ITEMS
    assert first["images"] + rest["images"] == page("/v2/images")["images"]
    assert page(f"/v2/images/{thousand.identity(7, 0)}") == first["images"][0]


def listed(rows: list[dict], clouds: str = "ok=1000;failed=0;skipped=0", status: int = 200) -> Listed:
    body = json.dumps({"images": rows}).encode()
    return Listed(0.1, 0.05, status, {"x-scope-clouds": clouds}, body)


ROWS = [{"id": str(place), "created_at": f"2026-01-0{9 - place}"} for place in range(3)]


def test_a_right_list_counts():
    assert check(listed(ROWS), 3) == listed(ROWS)


@pytest.mark.parametrize(
    "wrong",
    [
        listed(ROWS, status=501),
        listed(ROWS[:2]),
        listed([*ROWS[:2], ROWS[0]]),
        listed(ROWS[::-1]),
        listed(ROWS, "ok=999;failed=cloud-7;skipped=0"),
        listed(ROWS, ""),
    ],
)
def test_a_list_that_is_not_what_it_should_be_does_not_count(wrong):
    with pytest.raises(BenchError):
        check(wrong, 3)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n world\r\n0\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nX-Scope-Clouds: ok=12;failed=0\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000


@pytest.mark.parametrize(("data", "body"), [(CHUNKED, b"hello world"), (LONG, b"x" * 300_000)])
@pytest.mark.parametrize("piece", [1 << 20, 7])
def test_answers_are_read_to_their_end_however_they_are_cut(data, body, piece):
    if piece == 7 and len(data) > 1000:
        piece = 9973
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(2):
                    connection.recv(100)
                    for begin in range(0, len(data), piece):
                        connection.sendall(data[begin : begin + piece])

        thread = threading.Thread(target=serve)
        thread.start()
        asker = Asker(*server.getsockname())
        answers = [asker.ask(b"GET") for _ in range(2)]
        asker.close()
        thread.join()
    assert [answer.body for answer in answers] == [body, body]
    assert answers[0].answered == (12 if data is LONG else -1)
    assert answers[0].first <= answers[0].seconds


def test_the_report_says_which_targets_are_kept_and_which_are_missed_by_how_much():
    results = Results()
    for value in (0.120, 0.130, 0.140):
        results.add(PART, LEAN, "warm", value)
    results.add(PART, LEAN, "cold", 0.5)
    for figure, value in {"p99 alive": 0.030, "p99 dead": 0.031}.items():
        results.add(PART, LEAN, figure, value)
    text = section(results)
    assert "| limit 100, warm | 130.0 (120.0–140.0) ms | 150 ms | kept |" in text
    assert "| 500.0 ms | 400 ms | **missed by 25%** |" in text
    assert "does not change the p99" in text
    results.add(PART, LEAN, "p99 dead", 0.3)
    assert "**changes** the p99" in section(results)
    assert section(Results()) == ""

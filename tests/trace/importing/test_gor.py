"""GoReplay's files: requests and answers find each other."""

from __future__ import annotations

import gzip
import zlib

from oidproxy.trace.importing import gor
from oidproxy.trace.importing.terms import Broken, Options
from oidproxy.trace.line import Line

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
START = 1767225600_000_000_000
SEPARATOR = "\n🐵🙈🙉\n".encode()


def request(name, target="/v2/images", *, at=START, method="GET", fields="", body=b"", host="10.0.0.1:9292"):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Auth-Token: gAAAA-secret\r\n{fields}{length}\r\n"
    return f"1 {name} {at} 0\n{head}".encode() + body


def answer(name, *, time=START + 5_000_000, took=" 2000000", kind=2, status="200 OK", fields="", body=b"{}"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{fields}\r\n"
    return f"{kind} {name} {time}{took}\n{head}".encode() + body


def found(tmp_path, *payloads, name="x.gor", **options):
    data = b"".join(payload + SEPARATOR for payload in payloads)
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return list(gor.read(path, Options(**options)))


def test_a_request_and_its_answer_are_a_line(tmp_path):
    [line] = found(tmp_path, request("a", f"/v2/images/{UUID}?x=1"), answer("a"))
    assert (line.service, line.method, line.path, line.query) == ("image", "GET", f"/v2/images/{UUID}", "x=1")
    assert (line.at, line.status, line.bytes_out) == (START, 200, 2)
    assert line.steps == {"first_byte": 5_000_000, "done": 7_000_000}
    assert (line.user, line.made_up) == ("user-1", [])
    assert "gAAAA" not in str(line)


def test_answers_may_come_in_another_order(tmp_path):
    lines = found(
        tmp_path,
        request("a", "/v2/images?n=1"),
        request("b", "/v2/images?n=2"),
        answer("b", status="404 Not Found"),
        answer("a"),
    )
    assert [(line.query, line.status) for line in lines] == [("n=2", 404), ("n=1", 200)]


def test_a_latency_in_place_of_a_time_is_one(tmp_path):
    [line] = found(tmp_path, request("a"), answer("a", time=9_000_000, took=""))
    assert line.steps == {"done": 9_000_000}


def test_the_answer_to_a_replay_stands_in_for_one_that_is_missing(tmp_path):
    lines = found(
        tmp_path,
        request("a"),
        answer("a"),
        answer("a", kind=3, status="500 No"),
        request("b"),
        answer("b", kind=3),
    )
    assert [line.status for line in lines] == [200, 200]


def test_a_request_without_an_answer_says_so(tmp_path):
    [line] = found(tmp_path, request("a"))
    assert line.status == 0
    assert line.made_up == ["status", "bytes_out", "answer_body"]


def test_requests_wait_for_so_many_others_only(tmp_path, monkeypatch):
    monkeypatch.setattr(gor, "WAITING_AT_MOST", 3)
    lines = found(tmp_path, *(request(f"r{number}", f"/v2/images?n={number}") for number in range(6)))
    assert [line.query for line in lines] == [f"n={number}" for number in range(6)]


def test_bodies_are_read_through_their_encodings(tmp_path):
    text = b'{"server": {"imageRef": "%b", "adminPass": "hunter2"}}' % UUID.encode()
    made = zlib.compress(b'{"server": {"id": "%b"}}' % UUID.replace("9", "8").encode())
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text)
    [line] = found(
        tmp_path,
        request(
            "a",
            "/v2.1/servers",
            method="POST",
            host="10.0.0.1:8774",
            fields="Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
            body=chunked,
        ),
        answer("a", status="202 Accepted", fields="Content-Encoding: deflate\r\n", body=made),
    )
    assert (line.used, line.made) == ([UUID], [UUID.replace("9", "8")])
    assert "hunter2" not in str(line)
    assert line.bytes_in == len(chunked)


def test_what_is_broken_is_named_and_the_rest_is_read(tmp_path):
    lines = found(
        tmp_path,
        b"what is this",
        request("a"),
        b"1 b notatime\nGET / HTTP/1.1\r\n\r\n",
        answer("nobody"),
        answer("a"),
        request("c", at=12),
    )
    broken = [line for line in lines if isinstance(line, Broken)]
    assert [line.line for line in broken] == [1, 10, 15, 27]
    assert "kind 1, 2 or 3" in broken[0].why
    assert "no request" in broken[2].why
    assert "epoch" in broken[3].why
    assert sum(isinstance(line, Line) for line in lines) == 1


def test_compressed_files_are_read(tmp_path):
    assert len(found(tmp_path, request("a"), answer("a"), name="x.gor.gz")) == 1


def test_other_traffic_is_passed_over(tmp_path):
    assert found(tmp_path, request("a", "/index.html", host="www.example:80"), answer("a")) == [None]

"""The wiretap hears everything once, in its order, and nothing of others."""

from __future__ import annotations

import hashlib
import socket
from threading import Thread

import pytest

from tests.lab.wiretap import Wiretap, _Segment, _streams

HERE, OTHER = "127.9.8.7", "127.9.8.6"
ONE, TWO = ("192.0.2.1", 1), ("192.0.2.2", 2)


@pytest.fixture
def echo():
    """Servers that send back what they get, on the address that is listened to and on another one."""
    servers = {host: socket.create_server((host, 0)) for host in (HERE, OTHER)}
    threads = [Thread(target=_serve, args=(server,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    yield {host: server.getsockname() for host, server in servers.items()}
    for server in servers.values():
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join()


def _serve(server):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            while data := connection.recv(1 << 20):
                connection.sendall(data)


def exchanged(spot, data):
    with socket.create_connection(spot) as connection:
        sender = Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        sender.join()
    assert got == data


def test_it_hears_both_directions_whole_and_once(echo):
    data = hashlib.shake_256(b"wiretap").digest(16 * 1024 * 1024)
    with Wiretap(HERE) as tap:
        exchanged(echo[HERE], data)
        tap.settle()
    heard = {stream.target == echo[HERE]: stream for stream in tap.streams()}
    assert len(tap.streams()) == len(heard) == 2
    assert [stream.missing for stream in heard.values()] == [0, 0]
    assert all(stream.data == data for stream in heard.values())


def test_it_hears_nothing_of_other_addresses(echo):
    with Wiretap(HERE) as tap:
        exchanged(echo[OTHER], b"of others")
        exchanged(echo[HERE], b"of ours")
        tap.settle()
    assert {stream.data for stream in tap.streams()} == {b"of ours"}


def segment(number, data=b"", *, opens=False):
    return _Segment(ONE, TWO, number % 2**32, opens, data)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([segment(9, opens=True), segment(10, b"ab"), segment(12, b"cd")], [(b"abcd", 0)]),
        ([segment(10, b"ab"), segment(14, b"ef"), segment(12, b"cd")], [(b"abcdef", 0)]),
        ([segment(10, b"ab"), segment(10, b"ab"), segment(11, b"bcd")], [(b"abcd", 0)]),
        ([segment(-3, opens=True), segment(-2, b"ab"), segment(0, b"cd")], [(b"abcd", 0)]),
        ([segment(10, b"ab"), segment(13, b"de")], [(b"ab\0de", 1)]),
        ([segment(9), segment(10, b"ab")], [(b"ab", 0)]),
        (
            [segment(9, opens=True), segment(10, b"ab"), segment(9, opens=True), segment(50, opens=True)],
            [(b"ab", 0), (b"", 0)],
        ),
    ],
    ids=["in order", "out of order", "again", "around zero", "with a gap", "a probe first", "the port again"],
)
def test_it_puts_segments_together(segments, expected):
    assert [(stream.data, stream.missing) for stream in _streams(segments)] == expected

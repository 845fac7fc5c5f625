"""Sends the requests of a trace at their times, and tells what became of each."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from oidproxy.trace import bodies
from oidproxy.trace.results.outcome import Outcome
from oidproxy.trace.virtual.answering import SHORT
from oidproxy.trace.virtual.client import Client, Sent
from oidproxy.trace.virtual.counterparts import Counterparts
from oidproxy.trace.virtual.ledger import request_id
from oidproxy.trace.virtual.loop import BEGIN
from oidproxy.trace.virtual.machine import Machine

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from oidproxy.trace.line import Line
    from oidproxy.trace.schedule import Schedule
    from oidproxy.trace.virtual.ledger import Entry, Ledger
    from oidproxy.trace.virtual.network import Network

SECOND = 1_000_000_000
AGENT = b"openstacksdk/4.5.0 keystoneauth1/5.10.1 python-requests/2.32.4"

_encode = msgspec.json.encode
_DOMAIN = {"id": "default"}
_USER = {"name": "replayed", "domain": _DOMAIN, "password": "replayed"}
_LOGIN = _encode(
    {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": _USER}},
            "scope": {"project": {"name": "replayed", "domain": _DOMAIN}},
        }
    }
)


class Door(NamedTuple):
    """Where requests for one service come in."""

    address: str
    port: int
    prefix: str
    """Before a path below the service."""
    site: str
    """Of the proxy that stands there."""


class Driver:
    """One run's."""

    def __init__(
        self,
        network: Network,
        ledger: Ledger,
        *,
        doors: Callable[[str, str], Door | None],
        scope: Callable[[Line], str],
        schedule: Schedule,
        tell: Callable[[Outcome], None],
        site: Callable[[str], str],
        token: Callable[[str, str], str],
    ) -> None:
        """`scope` gives the one that a request is sent with, `tell` is told of each in the order of their
        ends, `site` is where users of a cloud are, `token` makes a user's token from its home and digest.
        """
        self._network = network
        self.loop = network.loop
        self.ledger = ledger
        self.doors = doors
        self.scope = scope
        self._schedule = schedule
        self._tell = tell
        self._site = site
        self._token = token
        self._clients: dict[tuple[str, str, str, int], Client] = {}
        self._users: dict[tuple[str, str], tuple[Machine, bytes]] = {}
        self.parts: list[Counterparts] = [Counterparts() for _ in range(schedule.loops)]
        self._under_way = 0
        self._finished = False
        self.over: asyncio.Future[None] = self.loop.create_future()
        """Done when all is."""

    def drive(self, lines: Callable[[], Iterator[Line]]) -> None:
        """Begin; `lines` gives them from the beginning, for each loop once more."""
        self._feed = ((loop, line) for loop in range(self._schedule.loops) for line in lines())
        self._advance()

    def _advance(self) -> None:
        found = next(self._feed, None)
        if found is None:
            self._finished = True
            self._end()
            return
        loop, line = found
        intended = self._schedule.intended(line.at, loop)
        turn = _Turn(self, line, loop, intended)
        self._under_way += 1
        self.loop.at(max(self.loop.now, BEGIN + intended / SECOND), Driver._due, turn)

    @staticmethod
    def _due(turn: _Turn) -> None:
        driver = turn.driver
        turn.go()
        if not turn.over:
            # Of what is over at once nothing will come, and nobody may wait for it.
            driver.parts[turn.loop].expects(turn.line)
        driver._advance()

    def _end(self) -> None:
        if self._finished and not self._under_way and not self.over.done():
            self.over.set_result(None)

    def told(self, outcome: Outcome) -> None:
        """One is over."""
        self._under_way -= 1
        self._tell(outcome)
        if not self._under_way:
            self._end()

    def client(self, line: Line, door: Door) -> tuple[Client, bytes]:
        """The connections of a line's user, and its token."""
        who = line.home or line.listener or door.site, line.user
        found = self._users.get(who)
        if found is None:
            digest = blake2b("/".join(who).encode(), digest_size=3).digest()
            address = ".".join(map(str, (100, *digest)))
            machine = Machine(f"user/{who[0]}/{who[1]}", self._site(who[0]), address)
            found = self._users[who] = machine, self._token(*who).encode()
        machine, token = found
        key = (*who, door.address, door.port)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = Client(self._network, machine, door.address, door.port)
        return client, token


class _Turn:
    """One request, from its time on."""

    __slots__ = ("_entry", "_made_up_of", "_sent_at", "_waited", "driver", "intended", "line", "loop", "over")

    def __init__(self, driver: Driver, line: Line, loop: int, intended: int) -> None:
        self.driver = driver
        self.line = line
        self.loop = loop
        self.intended = intended
        self._entry: Entry
        self._sent_at = 0.0
        self._waited = False
        self._made_up_of = ""
        self.over = False

    def go(self) -> None:
        """Send it, unless it has to wait."""
        driver, line = self.driver, self.line
        parts = driver.parts[self.loop]
        if line.used:
            if parts.waits(line, self.go):
                self._waited = True
                return
            why = parts.lacks(line)
            if why:
                self._unmatched(why)
                return
        home = line.home or line.listener
        door = driver.doors(home, line.service)
        if door is None:
            self._unmatched(f"no proxy here serves {line.service or 'it'} to users of {home or 'any cloud'}")
            return
        client, token = driver.client(line, door)
        self._entry = entry = driver.ledger.open(line, self.loop)
        self._sent_at = driver.loop.now
        data = self._written(entry, parts, door, token)
        client.send(Sent(line.method, data, self._done, wants_body=bool(line.made)))

    def _written(self, entry: Entry, parts: Counterparts, door: Door, token: bytes) -> bytes:
        line = self.line
        entry.path = path = parts.path(line)
        query = parts.query(line)
        scope = self.driver.scope(line)
        target = f"{door.prefix}{path}?{query}" if query else f"{door.prefix}{path}"
        body, content_type = self._body(parts)
        head = [
            b"%b %b HTTP/1.1\r\nHost: %b:%d\r\nUser-Agent: %b\r\nAccept: application/json"
            % (
                line.method.encode(),
                target.encode("latin-1", "replace"),
                door.address.encode(),
                door.port,
                AGENT,
            )
        ]
        login = line.service == "identity" and line.method == "POST" and path.endswith("/auth/tokens")
        if not login:
            head.append(b"X-Auth-Token: " + token)
            if line.service == "identity" and path.endswith("/auth/tokens"):
                head.append(b"X-Subject-Token: " + token)
        if scope:
            head.append(b"X-Scope: " + scope.encode())
        head.append(b"X-Openstack-Request-Id: " + request_id(entry))
        if body or line.method in {"POST", "PUT", "PATCH"}:
            head.append(b"Content-Type: %b\r\nContent-Length: %d" % (content_type, len(body)))
        return b"\r\n".join(head) + b"\r\n\r\n" + body

    def _body(self, parts: Counterparts) -> tuple[bytes, bytes]:
        """The body and its type: the recorded one, else one that is as long."""
        line = self.line
        if line.method in {"GET", "HEAD", "DELETE"}:
            return b"", b""
        if line.service == "identity" and line.path.endswith("/auth/tokens"):
            return _LOGIN, b"application/json"
        if line.request_body is not None:
            return _encode(parts.body(line)), (line.content_type or "application/json").encode()
        if bodies.takes_data(line.method, line.service, line.path):
            self._entry.stands_for = line.bytes_in
            self._made_up_of = "data"
            return b"\0" * min(line.bytes_in, SHORT), (line.content_type or bodies.DATA).encode()
        return self._made_up(line), (line.content_type or "application/json").encode()

    def _made_up(self, line: Line) -> bytes:
        if not line.bytes_in and bodies.goes_without(line.method, line.service, line.path):
            return b""
        self._made_up_of = "body"
        wish = bodies.Wish(f"replayed-{line.n}", line.n, lambda _: NOTHING)
        made = bodies.body_of(line.method, line.service, line.path, wish)
        if made is not None:
            return _encode(made)
        return b'{"replayed": "%b"}' % (b"x" * max(0, line.bytes_in - 16))

    def _unmatched(self, why: str) -> None:
        line = self.line
        self.over = True
        if line.made:
            self.driver.parts[self.loop].answered(line, 0, b"")
        now = self._time()
        self.driver.told(
            Outcome(
                n=line.n,
                loop=self.loop,
                intended_ns=self.intended,
                done_ns=now,
                method=line.method,
                service=line.service,
                template=line.template or line.path,
                home=line.home,
                recorded_status=line.status,
                unmatched=why,
            )
        )

    def _time(self) -> int:
        return round((self.driver.loop.now - BEGIN) * SECOND)

    def _done(self, sent: Sent) -> None:
        driver, line, entry = self.driver, self.line, self._entry
        self.over = True
        driver.ledger.close(entry)
        if line.made:
            driver.parts[self.loop].answered(line, sent.status, sent.body)
        asked, sent_ns = tuple(entry.asked), round((self._sent_at - BEGIN) * SECOND)
        cloud = entry.answered or entry.cloud or (asked[0] if asked else "")
        out = max((entry.down[cloud], sent.size)) if cloud in entry.down else sent.size
        driver.told(
            Outcome(
                n=line.n,
                loop=self.loop,
                intended_ns=self.intended,
                sent_ns=sent_ns,
                waited_ns=max(0, sent_ns - self.intended) if self._waited else 0,
                first_byte_ns=round((sent.first_byte - BEGIN) * SECOND) if sent.first_byte else 0,
                done_ns=self._time(),
                method=line.method,
                service=line.service,
                template=line.template or line.path,
                clouds=asked or ((cloud,) if cloud else ()),
                cloud=cloud,
                home=line.home,
                status=sent.status,
                recorded_status=line.status,
                bytes_in=line.bytes_in,
                bytes_out=out,
                moved=self._moved(entry),
                error=sent.error or entry.error,
                made_up=(self._made_up_of,) if self._made_up_of else (),
            )
        )

    def _moved(self, entry: Entry) -> tuple[tuple[str, str, int], ...]:
        here = self.line.home
        moved = []
        for cloud in entry.asked:
            if cloud != here:
                if size := entry.up.get(cloud, 0):
                    moved.append((here, cloud, size))
                if size := entry.down.get(cloud, 0):
                    moved.append((cloud, here, size))
        return tuple(moved)


NOTHING = "00000000-0000-4000-8000-000000000000"
"""An id that stands in bodies that had to be made up."""

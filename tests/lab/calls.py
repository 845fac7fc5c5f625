"""The calls of one operation on the lab: who called, with which tokens, and the cloud that was reached.

It is read on the wire, on both sides of the proxy; the proxy's access log tells only in which order. A token
is named by its form and its owner, never shown.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from devstack.lab.api import send
from devstack.lab.layout import PORTS
from oidproxy.clouds.fleet import key
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.opening import present
from oidproxy.tokens.presented import Form
from tests.lab.callers import OURSELVES, Callers
from tests.lab.wire import Request, requests
from tests.lab.wiretap import Wiretap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from devstack.lab.layout import CloudPlace, Lab
    from oidproxy.tokens.presented import Presented

PROXY = "oidproxy"
TOKENS = ("x-auth-token", "x-subject-token", "x-service-token")
REQUEST_ID = "x-openstack-request-id"
USER = "demo@"
"""Whose token is new for each operation."""

LISTS = frozenset({"GET /", "GET /v2/schemas/image", "GET /v2.0/extensions"})
"""What a service can do and what an image looks like: asked for once."""

FLUSHED_SECONDS = 2.0
"""So long the proxy keeps lines of its log, and some more."""

EVENTS = "/os-server-external-events"
TOKEN_PATH = "/v3/auth/tokens"

_TAG = re.compile(r"^/s/[^/]+/[a-z-]+")
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_SERVICES = {port: service_type for service_type, port in PORTS.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of call: what cannot be told apart is one row."""

    caller: str
    at: str
    """The cloud beside which the proxy was asked."""
    reached: str
    """The cloud that was asked in the end."""
    service: str
    request: str
    """Method and path, without ids and values."""
    tokens: tuple[str, str, str]
    """What X-Auth-Token, X-Subject-Token and X-Service-Token held, as sent and as it arrived."""

    @property
    def comparable(self) -> Row:
        """Without which of a project's processes called, which is not always seen."""
        return replace(self, caller=self.caller.partition("-")[0])

    @property
    def logs_in(self) -> bool:
        """Whether a service gets a token of its own, which any does whose last one is at its end."""
        return self.request in {f"POST {TOKEN_PATH} (password)", "GET /v3"} and not any(self.tokens)

    @property
    def remembered(self) -> bool:
        """Whether the answer is one that services or the proxy keep, so that they do not always ask."""
        if self.service == "identity":
            # A box for another cloud is as new as the user's token in it: nobody there can know it yet.
            new = self.tokens[1].startswith("closed") and USER in self.tokens[1]
            return self.caller == PROXY or not new
        return self.request in LISTS


@dataclass(frozen=True, slots=True)
class Call:
    """One request on one side of the proxy, with what its tokens are."""

    request: Request
    cloud: str
    """Whose address it went to: the proxy's beside a cloud, or a cloud's own."""
    tokens: tuple[Presented | None, Presented | None, Presented | None] = field(repr=False)

    @property
    def service(self) -> str:
        """The official type, by the port, or by the path where a tag names it."""
        tagged = _TAG.match(self.request.path)
        return tagged[0].rpartition("/")[2] if tagged else _SERVICES[self.request.target[1]]

    @property
    def path(self) -> str:
        """As the service sees it."""
        return _TAG.sub("", self.request.path) or "/"

    @property
    def identity(self) -> tuple[object, ...]:
        """What is the same on both sides: the proxy changes a token's form, not the token."""
        inner = tuple(one.token if one else None for one in self.tokens)
        return self.service, self.request.method, self.path, inner

    @property
    def pattern(self) -> str:
        """Method and path, with `{id}` for ids, and a query by its names; a login with what it logs in."""
        shown = pattern(self.request.method, self.request.path)
        return f"{shown} ({self._methods()})" if shown == f"POST {TOKEN_PATH}" else shown

    def _methods(self) -> str:
        identity = json.loads(self.request.body)["auth"]["identity"]
        return "+".join(identity["methods"])

    @property
    def validates(self) -> bool:
        """Whether somebody asks Keystone about a token."""
        return self.service == "identity" and self.tokens[1] is not None


def pattern(method: str, target: str) -> str:
    """Method and path of the service, with `{id}` for ids, and a query by its names."""
    path, _, query = _TAG.sub("", target).partition("?")
    names = dict.fromkeys(part.partition("=")[0] for part in query.split("&") if part)
    return f"{method} {_ID.sub('{id}', path or '/')}{'?' if names else ''}{'&'.join(names)}"


class Observer:
    """Runs an operation while it listens, and tells its calls."""

    def __init__(self, lab: Lab, *places: CloudPlace) -> None:
        self._lab = lab
        self._beside = {place.beside: place.name for place in places}
        self._clouds = {place.address: place.name for place in places}
        self._identities = {place.name: place.url("identity") for place in places}
        self._keyring = Keyring((key((lab.state / "fleet.key").read_text().strip()),))
        self._owners: dict[str, str] = {}

    def rows(self, operation: Callable[[], str]) -> tuple[Row, ...]:
        """The calls of an operation, in the order of their beginning; it returns its request id."""
        start = self._lab.access_log.stat().st_size
        with Callers(self._lab, *self._beside) as callers, Wiretap(*self._beside, *self._clouds) as tap:
            request_id = operation()
            tap.settle()
            heard = requests(tap.streams())
        time.sleep(FLUSHED_SECONDS)
        asked = list(self._calls(heard, self._beside))
        sent = list(self._calls(heard, self._clouds))
        kept = self._ordered(_kept(asked, request_id), start)
        return _distinct([*self._asked(kept, sent, callers), *self._own(kept, asked, sent)])

    def _ordered(self, calls: Iterable[Call], start: int) -> list[Call]:
        """By when the like first came to the proxy, of which the wire says nothing across connections."""
        moments: dict[tuple[str, str], int] = {}
        with self._lab.access_log.open("rb") as log:
            log.seek(start)
            for line in map(json.loads, log):
                place = line["listener"], pattern(line["method"], line["path"])
                moments[place] = min(line["time"], moments.get(place, line["time"]))

        def moment(call: Call) -> int:
            listener = "{}:{}".format(*call.request.target)
            return moments.get((listener, pattern(call.request.method, call.request.path)), 0)

        return sorted(calls, key=moment)

    def _calls(self, heard: Iterable[Request], addresses: dict[str, str]) -> Iterator[Call]:
        for one in heard:
            address, port = one.target
            if address in addresses and port in _SERVICES:
                cloud = addresses[address]
                texts = (one.fields.get(name) for name in TOKENS)
                auth, subject, service = (
                    present(text, self._keyring, default_home=cloud) if text else None for text in texts
                )
                yield Call(one, cloud, (auth, subject, service))

    def _asked(self, calls: Sequence[Call], sent: Sequence[Call], callers: Callers) -> Iterator[Row]:
        """What was asked of the proxy, beside what it then sent."""
        arrived: dict[tuple[object, ...], list[Call]] = {}
        for one in sent:
            arrived.setdefault(one.identity, []).append(one)
        for one in calls:
            there = arrived.get(one.identity)
            yield self._row(one, there[0] if there else None, self._caller(one, callers))

    def _own(self, asked: Sequence[Call], everything: Sequence[Call], sent: Sequence[Call]) -> Iterator[Row]:
        """What the proxy asked by itself, about tokens of these calls."""
        passed = {one.identity for one in everything}
        concerned = {token for one in asked for token in _inner(one)}
        for one in sent:
            if one.identity not in passed and concerned.issuperset(_inner(one)):
                yield Row(PROXY, "", one.cloud, one.service, one.pattern, self._shown(one, one))

    def _row(self, sent: Call, arrived: Call | None, caller: str) -> Row:
        if arrived is not None:
            reached = arrived.cloud
        elif sent.validates and (subject := sent.tokens[1]):
            # Nobody was asked in the same words: the proxy asks the home in its own, or remembers.
            reached = subject.home
        else:
            reached = ""
        return Row(
            caller, sent.cloud, reached, sent.service, sent.pattern, self._shown(sent, arrived or sent)
        )

    def _shown(self, sent: Call, arrived: Call) -> tuple[str, str, str]:
        auth, subject, service = (
            before if before == after else f"{before} → {after}"
            for before, after in zip(
                map(self._named, sent.tokens), map(self._named, arrived.tokens), strict=True
            )
        )
        return auth, subject, service

    def _named(self, token: Presented | None) -> str:
        if token is None:
            return ""
        owner = self._owner(token)
        if token.box is not None:
            box = token.box
            return f"closed for {box.service} of {box.cloud} to {box.use.value}: {owner}"
        scoped = " with a scope" if token.form is Form.SEALED and token.scope.bindings else ""
        return f"{token.form.value}{scoped}: {owner}"

    def _owner(self, token: Presented) -> str:
        """Who its home says it is; asked of Keystone itself, past the proxy."""
        if token.token not in self._owners:
            fields = {"X-Auth-Token": token.token, "X-Subject-Token": token.token}
            answer = send("GET", f"{self._identities[token.home]}{TOKEN_PATH}?nocatalog", headers=fields)
            name = answer.json["token"]["user"]["name"] if answer.status == 200 else "?"
            self._owners[token.token] = f"{name}@{token.home}"
        return self._owners[token.token]

    def _caller(self, call: Call, callers: Callers) -> str:
        """The process; where it was not seen, the project of whoever's token speaks for a service."""
        seen = callers.name(call.request.source, call.request.target)
        agent = call.request.fields.get("user-agent", "")
        speaks = call.tokens[0] if call.validates else call.tokens[2]
        named = self._owner(speaks).partition("@")[0] if speaks else agent.partition(" ")[0]
        return seen or named or OURSELVES


def _distinct(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Each once; one whose process was not seen, only if none is like it whose process was."""
    every = list(dict.fromkeys(rows))
    named = {one.comparable for one in every if one != one.comparable}
    return tuple(one for one in every if one != one.comparable or one not in named)


def _inner(call: Call) -> frozenset[str]:
    return frozenset(one.token for one in call.tokens if one)


def _kept(asked: Sequence[Call], request_id: str) -> list[Call]:
    """What belongs to an operation, and not to what services do every minute.

    That is: the calls with its request id, or with one under which Neutron told Nova of an event; questions
    about tokens that these carried; and what is asked without any id, which are logins and lists of versions.
    """
    ids = {request_id}
    ids |= {one.request.fields.get(REQUEST_ID, "") for one in asked if one.path.endswith(EVENTS)}
    named = [one for one in asked if one.request.fields.get(REQUEST_ID) in ids]
    carried = {token for one in named for token in _inner(one)}
    return [
        one
        for one in asked
        if one in named
        or (one.validates and one.tokens[1] and one.tokens[1].token in carried)
        or (not one.validates and REQUEST_ID not in one.request.fields)
    ]

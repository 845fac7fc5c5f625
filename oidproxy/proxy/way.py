"""Where calls with the same carriers go, ready to be written: what the whole way came to for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oidproxy.rewrite.guard import GuardedLinks
from oidproxy.rewrite.table import keys_for, varies
from oidproxy.scope.canonical import bounded_canonical, canonical
from oidproxy.telemetry import redact
from oidproxy.telemetry.access import AccessLine, form
from oidproxy.tokens.presented import Form, Use

if TYPE_CHECKING:
    from oidproxy.clouds.plan import One
    from oidproxy.clouds.registry import Endpoint
    from oidproxy.identity.memory import Audience
    from oidproxy.rewrite.links import Links
    from oidproxy.rewrite.rules import RuleSet
    from oidproxy.rewrite.stencil import RequestStencil
    from oidproxy.routing.decision import Arrival, Facade, Forward, Route, Snapshot
    from oidproxy.upstream.pool import Pool

LINE_AT_MOST = 2048
"""Bytes of an access line without the path: a longer one is not worth the lane."""


Key = tuple["RequestStencil", bytes, bytes, bytes]
"""Kind of head, the path down to the service, X-Scope, and the token's envelope."""

Tails = tuple[bytes, bytes]
"""What stands behind the token in a head for a cloud, without and with Accept-Encoding."""


class LinkMaps(Protocol):
    """Where the link maps are that answers are rewritten by."""

    links_serial: int
    """Grows when they may be others."""

    def links(self, snapshot: Snapshot, endpoint: Endpoint, facade: Facade) -> Links:
        """The one for answers of this cloud to clients that see this facade."""
        ...


class Way:
    """One way. It belongs to a snapshot, and is gone with it."""

    __slots__ = (
        "_links",
        "_links_serial",
        "_path",
        "_shown",
        "abroad",
        "arrival",
        "audience",
        "begin",
        "chosen",
        "envelope",
        "host",
        "line",
        "pool",
        "queries",
        "route",
        "rules",
        "snapshot",
        "varies",
    )

    def __init__(
        self,
        forward: Forward,
        arrival: Arrival,
        address: str,
        agent: str | None,
        path: bytes,
        *,
        pool: Pool,
        snapshot: Snapshot,
    ) -> None:
        """`address` is where such calls come in, `agent` the program that makes them.

        `path` is theirs, down to the service.
        """
        route = forward.route
        endpoint = route.endpoint
        self.route = route
        self.arrival = arrival
        self.pool = pool
        self.chosen: tuple[One, ...] = ()
        """The clouds that the scope means, where they are several."""
        self.snapshot = snapshot
        self.abroad = route.home != route.cloud
        self.begin = b"GET " + endpoint.root.encode()
        self.host = b" HTTP/1.1\r\nHost: " + endpoint.origin.authority.encode("ascii") + b"\r\n"
        self._path = path
        self._shown = redact.target(path.decode()).encode()
        self.envelope = b""
        """What goes out behind the bare token, at home."""
        self.audience: Audience | None = None
        """For whom tokens are closed, abroad."""
        if self.abroad:
            scope = bounded_canonical(route.effective)
            self.audience = route.cloud, route.service_type, Use.CALL, scope
        self.queries = not _reads_only(route, snapshot)
        """Whether a query needs no look: some read more than a cloud allows that is to be read only."""
        self.varies = varies(route.service_type, abroad=self.abroad)
        """Whether which answers are rewritten depends on the path."""
        self.rules = keys_for(route.service_type, route.rest, abroad=self.abroad)
        """Where links are in answers; of this path, if it varies."""
        self.line = _line(route, address, agent)
        """The access line, to be filled: time, id, peer, path, bytes, and milliseconds twice."""
        self._links: Links | None = None
        self._links_serial = -1

    def head(  # noqa: PLR0917 - one is written for every request, and names cost as much as values
        self, rest: bytes, query: bytes, lines: bytes, token: bytes, tail: bytes, request_id: bytes
    ) -> bytes:
        """The head for the cloud, as `rewrite.request.request_head` writes it."""
        return b"".join(
            (
                self.begin,
                rest,
                query,
                self.host,
                lines,
                b"X-Auth-Token: ",
                token,
                tail,
                request_id,
                b"\r\n\r\n",
            )
        )

    def show(self, rest: bytes, query: bytes) -> bytes:
        """The path of a request as the log may have it."""
        if not query and redact.is_plain_path(rest):
            return self._shown + rest
        return redact.target((self._path + rest + query).decode()).encode()

    def rules_of(self, rest: bytes) -> RuleSet | None:
        """Where links are in the answer to this path."""
        if not self.varies:
            return self.rules
        return keys_for(self.route.service_type, rest, abroad=self.abroad)

    def links(self, maps: LinkMaps) -> Links:
        """The links of this cloud's answers."""
        if self._links is None or self._links_serial != maps.links_serial:
            links = maps.links(self.snapshot, self.route.endpoint, self.route.facade)
            self._links = GuardedLinks(links, self.route.endpoint) if self.abroad else links
            self._links_serial = maps.links_serial
        return self._links


def may_have_one(forward: Forward) -> bool:
    """Whether calls like this one are decided by their carriers alone; as `routing.known`, and of users."""
    token = forward.token
    return (
        token is not None
        and token.form in {Form.BARE, Form.SEALED}
        and forward.service_token is None
        and not forward.direct
        and forward.carried is None
        and forward.body is None
        and forward.stage is None
        and forward.route.service_type != "identity"
    )


def _reads_only(route: Route, snapshot: Snapshot) -> bool:
    cloud = snapshot.registry.clouds.get(route.cloud)
    admission = cloud.admits.get(route.home) if cloud else None
    return route.home != route.cloud and (admission is None or admission.read_only)


def _line(route: Route, listener: str, agent: str | None) -> bytes:
    line = AccessLine(
        time=0,
        request_id="",
        listener=listener,
        peer="",
        method="GET",
        path="",
        status=200,
        bytes_in=0,
        bytes_out=0,
        ms=0.0,
        first_byte_ms=0.0,
        agent=agent,
        service=route.service_type,
        cloud=route.cloud,
        home=route.home,
        carrier=route.carrier.value,
        scope=canonical(route.effective) or None,
    )
    return form(line)

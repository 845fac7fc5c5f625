"""A request to one of several clouds, ready to be sent: with its tokens, its head, its ids and its images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from oidproxy.http.head import Length, NoBody
from oidproxy.manyclouds.elsewhere import elsewhere
from oidproxy.manyclouds.heads import Heads
from oidproxy.quickly import quickly
from oidproxy.rewrite import images
from oidproxy.rewrite.ids import NO_IDS, Ids
from oidproxy.rewrite.table import may_rewrite
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.http.head import Field, Framing, RequestHead
    from oidproxy.identity.service import Outgoing
    from oidproxy.manyclouds.asker import Asker
    from oidproxy.routing.decision import Forward, Leg, Route, Stage
    from oidproxy.tokens.presented import Presented


class Identities(Protocol):
    """What is asked of `identity.service.Identity`."""

    def is_service(self, token: Presented | None) -> bool:
        """Whether it is a service's token."""
        ...

    def outgoing_now(self, forward: Forward, method: str) -> Outgoing | None:
        """The tokens to send, where nobody has to be asked."""
        ...

    async def outgoing(self, forward: Forward, method: str) -> Outgoing:
        """The tokens to send."""
        ...

    def unaccepted(self, forward: Forward, sent: Outgoing) -> None:
        """The cloud answered 401 to them."""
        ...


class Stages(Protocol):
    """What is asked of `manyclouds.staging.Staging`."""

    async def bring(self, stage: Stage) -> Mapping[str, str]:
        """The ids that the images have where they were brought."""
        ...

    def shown(self, stage: Stage) -> Callable[[str], str | None]:
        """Which id to show for an image's."""
        ...


@quickly
@dataclass(frozen=True, slots=True)
class Question:
    """What a cloud is asked; the client's own question but for what is given here."""

    method: str
    target: bytes | None = None
    """Path and query below the service; None: those of the forward."""
    body: bytes = field(default=b"", repr=False)
    fields: tuple[Field, ...] = ()
    """Instead of the client's fields of the same names."""
    without: frozenset[bytes] = frozenset()
    """Names, in lower case, of fields of the client's that do not go along."""
    plain: bool = False
    """The answer must come without any encoding."""
    framing: Framing | None = None
    """How a body is delimited that somebody else sends; None: it is `body`."""
    first_byte: float | None = None
    """Seconds until the answer begins, where that is other than the limits of calls say."""


@quickly
@dataclass(frozen=True, slots=True)
class Ready:
    """A request that can be sent."""

    request: Request
    body: bytes = field(repr=False)
    forward: Forward
    """With the route that this request takes."""
    outgoing: Outgoing
    ids: Ids


class Sending:
    """Makes the requests of one asker."""

    __slots__ = ("_asker", "_heads", "_identity", "_last", "_staging", "_written")

    def __init__(self, asker: Asker, *, identity: Identities, staging: Stages, pseudonym: str) -> None:
        self._asker = asker
        self._identity = identity
        self._staging = staging
        self._written = Heads(asker, pseudonym)
        self._heads: dict[object, RequestHead] = {}
        self._last: tuple[Question | None, RequestHead] = None, asker.head

    async def ready(self, leg: Leg, question: Question) -> Ready:
        """The request to this cloud. Raises what `Identity.outgoing`, staging and a loop do."""
        found = self.ready_now(leg, question)
        if found is not None:
            return found
        forward, method = _forward(leg, question), question.method
        outgoing = await self._identity.outgoing(forward, method)
        body, ids = question.body, NO_IDS
        if forward.stage is not None:
            body, ids = await self._staged(forward.route, forward.stage, body)
        return self._ready(forward, outgoing, question, body, ids)

    def ready_now(self, leg: Leg, question: Question) -> Ready | None:
        """The same where nobody has to be asked for it, else None. Raises what a loop does."""
        forward = _forward(leg, question)
        if forward.stage is not None:
            return None
        outgoing = self._identity.outgoing_now(forward, question.method)
        return None if outgoing is None else self._ready(forward, outgoing, question, question.body, NO_IDS)

    def _ready(
        self, forward: Forward, outgoing: Outgoing, question: Question, body: bytes, ids: Ids
    ) -> Ready:
        if outgoing.exchanged is not None:
            way, other, back = elsewhere(forward.route, body, outgoing.exchanged.projects)
            body = other or b""
            ids = back if ids.images is None else back.with_images(ids.images, ids.paths)
            if way is not forward.route:
                forward = replace(forward, route=way)
        route, framing, identity = forward.route, _framing(question, body), self._identity
        abroad = route.home != route.cloud
        plain = question.plain or bool(ids) or may_rewrite(route.service_type, route.rest, abroad=abroad)
        data = self._written.written(
            self._head(question),
            route,
            framing,
            token=outgoing.token,
            service_token=outgoing.service_token,
            plain=plain,
        )
        from_service = identity.is_service(forward.service_token) or identity.is_service(forward.token)
        request = Request(route.endpoint, question.method, data, framing, from_service, question.first_byte)
        return Ready(request, body, forward, outgoing, ids)

    async def _staged(self, route: Route, stage: Stage, body: bytes) -> tuple[bytes, Ids]:
        """The body with the ids of this cloud for its images, and what puts the client's in answers."""
        if stage.images:
            body = images.replaced(route.service_type, route.rest, body, await self._staging.bring(stage))
        shown = images.shown_in(route.service_type, route.rest)
        if shown is None:
            return body, NO_IDS
        return body, NO_IDS.with_images(self._staging.shown(stage), (*shown.ids, *shown.links))

    def _head(self, question: Question) -> RequestHead:
        """The client's head, with another method, and fields put in and left out; one for all clouds."""
        if question is self._last[0]:
            return self._last[1]
        head = self._made_head(question)
        self._last = question, head
        return head

    def _made_head(self, question: Question) -> RequestHead:
        own, without = self._asker.head, question.without
        if question.method == own.method and not question.fields and own.index.keys().isdisjoint(without):
            return own
        key = question.method, question.fields, without
        known = self._heads.get(key)
        if known is None:
            known = self._heads[key] = _changed(own, question)
        return known


def _framing(question: Question, body: bytes) -> Framing:
    if question.framing is not None:
        return question.framing
    return Length(len(body)) if body else NoBody()


def _changed(head: RequestHead, question: Question) -> RequestHead:
    gone = question.without | {name.lower() for name, _ in question.fields}
    fields = (*(one for one in head.fields if one[0].lower() not in gone), *question.fields)
    index: dict[bytes, bytes] = {}
    for name, value in fields:
        index.setdefault(name.lower(), value)
    return replace(head, method=question.method, fields=fields, index=index)


def _forward(leg: Leg, question: Question) -> Forward:
    """The leg's forward, to another path below the service where one is asked for."""
    forward, target = leg.forward, question.target
    if target is None:
        return forward
    route = forward.route
    whole = route.endpoint.root.encode() + target
    if whole == route.target:
        return forward
    return replace(forward, route=replace(route, target=whole, rest=target.partition(b"?")[0] or b"/"))

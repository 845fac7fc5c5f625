"""Asks one cloud on behalf of a request that concerns several.

What goes out is what a plain forward would send: the same tokens, admission and exchange, the same fields
dropped, the same notice of loops. What comes back is a value, never an exception: with many clouds a failure
is one more answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import AnswerTimedOut, OidproxyError, UpstreamError
from oidproxy.manyclouds.opening import Opening
from oidproxy.manyclouds.parts import Answered, Happened, Part, Shown, Unanswered
from oidproxy.manyclouds.sending import Identities, Question, Ready, Sending, Stages
from oidproxy.manyclouds.telling import Telling
from oidproxy.rewrite.answer import answer as rewrite_answer
from oidproxy.upstream.fetching import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Endpoint
    from oidproxy.http.head import Field, ResponseHead
    from oidproxy.identity.service import Outgoing
    from oidproxy.manyclouds.asker import Asker
    from oidproxy.manyclouds.telling import Told
    from oidproxy.rewrite.answer import RewrittenAnswer
    from oidproxy.rewrite.ids import Ids
    from oidproxy.rewrite.links import Links
    from oidproxy.rewrite.scanner import Scanner
    from oidproxy.routing.decision import Facade, Forward, Leg
    from oidproxy.upstream.call import Call, Receiver, Request

CONDITIONAL = frozenset(
    {b"if-match", b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"range"}
)
"""Fields that speak of one representation, which an answer made of several is not (RFC 9110 section 13)."""

NOTHING: frozenset[bytes] = frozenset()


class Senders(Protocol):
    """What is asked of `upstream.pools.Upstreams`."""

    def start(self, request: Request, receiver: Receiver) -> Call:
        """Begin a call."""
        ...


@dataclass(slots=True)
class Opened:
    """An answer of which the head is here. Whoever got it hands it over or drops it."""

    leg: Leg
    head: ResponseHead
    forward: Forward
    """The forward that was sent: its route is that of the request to this cloud."""
    outgoing: Outgoing
    """The tokens that went with it."""
    ids: Ids
    """Ids of the cloud's that the client knows by other names."""
    answer: Opening

    @property
    def status(self) -> int:
        """Its status."""
        return self.head.status

    def drop(self) -> None:
        """Nobody wants it."""
        self.answer.drop()


class Legs:
    """Asks clouds for one request. Made on the event loop that it serves."""

    __slots__ = ("_asker", "_identity", "_links", "_loop", "_sending", "_upstreams")

    def __init__(
        self,
        asker: Asker,
        *,
        upstreams: Senders,
        identity: Identities,
        staging: Stages,
        links: Callable[[Endpoint, Facade], Links],
        pseudonym: str,
    ) -> None:
        """`links` gives the link map of an endpoint for a client that sees this facade."""
        self._asker = asker
        self._upstreams = upstreams
        self._identity = identity
        self._links = links
        self._loop = asyncio.get_running_loop()
        self._sending = Sending(asker, identity=identity, staging=staging, pseudonym=pseudonym)

    async def ask(
        self,
        leg: Leg,
        *,
        limit: int,
        method: str | None = None,
        target: bytes | None = None,
        body: bytes = b"",
        fields: tuple[Field, ...] = (),
        without: frozenset[bytes] = CONDITIONAL,
        deadline: float | None = None,
    ) -> Part:
        """A cloud's whole answer, of at most `limit` body bytes. Raises nothing but CancelledError.

        `method` and `target` (path and query below the service) are those of the request unless given. The
        client's fields go along but for those named `without` (in lower case); `fields` take the place of
        those of their names. `deadline` is a time of the loop; without one the limits of calls hold.
        """
        method = method or self._asker.head.method
        question = Question(method, target, body, fields, without, plain=True)
        call: Call | None = None
        try:
            async with asyncio.timeout_at(deadline):
                ready = await self._sending.ready(leg, question)
                gathering = Gathering(ready.request, ready.body, limit, self._loop.create_future())
                call = self._upstreams.start(ready.request, gathering)
                gathering.belongs_to(call)
                whole = await gathering.result
        except TimeoutError:
            return _late(leg, sent=call is not None and call.sent)
        except OidproxyError as error:
            # Until there is a call, an error that says `sent` speaks of a Keystone that was asked.
            return Unanswered(leg, error, Happened.NO) if call is None else Unanswered.of(leg, error)
        finally:
            if call is not None:
                call.cancel()
        self._check_token(whole.head, ready)
        return Answered(leg, whole.head, whole.body, ready.forward.route, ready.ids)

    def begin(self, leg: Leg, question: Question, limit: int, told: Told) -> Call | None:
        """Begin to ask a cloud, where that can be done at once: `told` hears its part, perhaps before this
        returns. None: nothing was begun, and `ask` has to be awaited.

        Who cancels the call hears nothing more. Raises nothing.
        """
        try:
            ready = self._sending.ready_now(leg, question)
        except OidproxyError:
            return None  # it says so again, where it can be awaited
        if ready is None:
            return None
        telling = Telling(leg, ready, limit, told, self._identity)
        call = self._upstreams.start(ready.request, telling)
        telling.belongs_to(call)
        return call

    async def open(
        self,
        leg: Leg,
        *,
        method: str | None = None,
        target: bytes | None = None,
        body: bytes = b"",
        fields: tuple[Field, ...] = (),
        without: frozenset[bytes] = NOTHING,
        deadline: float | None = None,
    ) -> Opened | Unanswered:
        """The head of a cloud's answer, whose body follows when it is wanted; in everything else as `ask`.

        The client's own conditions and ranges go along unless they are left out.
        """
        question = Question(method or self._asker.head.method, target, body, fields, without)
        opening = Opening(body)
        try:
            async with asyncio.timeout_at(deadline):
                ready = await self._sending.ready(leg, question)
                opening.body = ready.body
                opening.belongs_to(self._upstreams.start(ready.request, opening))
                await opening.begun
        except TimeoutError:
            opening.drop()
            return _late(leg, sent=opening.sent)
        except OidproxyError as error:
            return Unanswered(leg, error, Happened.NO)
        except asyncio.CancelledError:
            opening.drop()
            raise
        if opening.head is None:
            return Unanswered.of(leg, opening.error or _nothing(leg))
        self._check_token(opening.head, ready)
        return Opened(leg, opening.head, ready.forward, ready.outgoing, ready.ids, opening)

    async def ready(self, leg: Leg, question: Question) -> Ready:
        """A request that somebody else sends. Raises what `Sending.ready` does."""
        return await self._sending.ready(leg, question)

    def shown(self, answered: Answered, method: str | None = None) -> Shown:
        """An answer as the client may see it. `method` is that of the request, where it was another one.

        Raises:
            BadAnswer: it would have to be rewritten, but is encoded, or in an unusual character set.
        """
        rewritten = self._rewritten(answered, method or self._asker.head.method)
        scanner = rewritten.scanner
        body = answered.body if scanner is None else scanner.feed(answered.body) + scanner.finish()
        return Shown(answered.status, rewritten.fields, body)

    def scanner(self, answered: Answered) -> Scanner | None:
        """What the body of an answer has to pass to be shown; None: nothing. Raises BadAnswer as `shown`."""
        return self._rewritten(answered, self._asker.head.method).scanner

    def _rewritten(self, answered: Answered, method: str) -> RewrittenAnswer:
        route = answered.route
        links = self._links(route.endpoint, route.facade)
        return rewrite_answer(answered.head, route, method, links, ids=answered.ids)

    def _check_token(self, head: ResponseHead, ready: Ready) -> None:
        if head.status == 401:
            self._identity.unaccepted(ready.forward, ready.outgoing)


def _late(leg: Leg, *, sent: bool) -> Unanswered:
    cloud = leg.one.cloud
    message = f"{cloud} did not answer within the time of this request."
    return Unanswered.of(leg, AnswerTimedOut(message, cloud=cloud, sent=sent))


def _nothing(leg: Leg) -> UpstreamError:
    return UpstreamError(f"{leg.one.cloud} gave no answer.", cloud=leg.one.cloud, sent=True)

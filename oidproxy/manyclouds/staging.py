"""Brings images to a direct cloud whose services cannot fetch them from where they are (docs/staging.md).

Theory of operation. A *flight* brings one image to one cloud for one user, that is for the tokens that say
who it is at either; requests that ask for the same join it, and one that leaves leaves it flying. A flight
first looks for an image that the user has there already. If there is none it waits for its turn, and with it
takes the lease of this image and cloud, which all workers share; where that is taken the turn is another's.
Then it looks again (the holder before may have brought the image), and copies.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, Draining, ImageUnusable, OidproxyError, Overloaded, StagingUnderWay
from oidproxy.manyclouds.asking import ID, ImageService, Users
from oidproxy.manyclouds.copying import OURS, Copying, Errand, is_over, noted
from oidproxy.manyclouds.image import PARTS, Image
from oidproxy.manyclouds.leasing import Leases, Taken
from oidproxy.manyclouds.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.clouds.registry import Endpoint
    from oidproxy.routing.decision import Forward, Stage
    from oidproxy.store.terms import Store
    from oidproxy.upstream.pools import Upstreams

WAIT = 50.0
"""Seconds that a request waits: clients and proxies before us give up after a minute."""

CLEAN_UP = 5.0
"""Seconds that half images may take to be deleted at the end."""

FLIGHTS_AT_MOST = 512
"""Of one worker, those that wait for others among them: each of these looks at the store every so often."""

FLIGHTS_OF_A_USER = 48
"""Of one project of one home: as many as one request may begin, with its images' parts."""

LOOKED_FOR_FIRST = 0.1
LOOKED_FOR_LAST = 2.0
"""Seconds between two looks at a lease that somebody else holds, from the first to the slowest."""

IMAGES_AT_MOST = 16
"""Of one request."""

KNOWN_FOR = 10 * 365 * 24 * 3600.0
"""Seconds for which an answer shows the id that was asked: servers live long."""

SOON, LATER = 5, 60
"""Bounds of Retry-After, in seconds."""

_MIB = 1 << 20

_log = logging.getLogger("oidproxy.manyclouds")

_Name = tuple[str, bytes]
_Key = tuple[str, str, str, tuple[_Name | None, ...], bool]


@dataclass(slots=True)
class _Flight:
    """One image on its way to one cloud for one user."""

    stage: Stage
    image: str
    """As it was asked for."""
    part: bool
    """It belongs to another image."""
    user: str
    """The project of its home that it is for."""
    waits: bool = False
    """It was not there, and waits for its turn and its data; or its parts may."""
    task: asyncio.Task[str] = field(init=False)
    size: int | None = None
    copying: Copying | None = None
    copied_since: float = 0.0


class Staging:
    """One worker's staging. Made on the event loop that it serves; `clock` gives seconds since the epoch."""

    __slots__ = (
        "_clock",
        "_closed",
        "_draining",
        "_flights",
        "_leases",
        "_pseudonym",
        "_store",
        "_turns",
        "_upstreams",
        "_users",
        "_wait",
    )

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        identity: Users,
        store: Store,
        clock: Callable[[], float],
        pseudonym: str,
        wait: float = WAIT,
    ) -> None:
        self._upstreams = upstreams
        self._users = identity
        self._store = store
        self._clock = clock
        self._pseudonym = pseudonym
        self._wait = wait
        self._leases = Leases(store, clock)
        self._flights: dict[_Key, _Flight] = {}
        self._turns = Turns()
        self._draining = asyncio.Event()
        self._closed = False

    async def bring(self, stage: Stage) -> Mapping[str, str]:
        """The ids that the images which this request names have at the cloud that serves it.

        May be cancelled: what is under way goes on.

        Raises:
            StagingUnderWay: not all of them are there yet.
            OidproxyError: one cannot be brought, and why.
        """
        # Without a token the cloud itself says what is missing.
        if stage.source.token is None or not stage.images:
            return MappingProxyType({})
        if len(stage.images) > IMAGES_AT_MOST:
            raise BadRequest(f"At most {IMAGES_AT_MOST} images can be brought for one request.")
        user = await self._user(stage)
        flights = {image: self._flight(stage, image, user) for image in stage.images}
        await self._wait_for([*flights.values()])
        return {image: flight.task.result() for image, flight in flights.items()}

    async def _wait_for(self, flights: list[_Flight]) -> None:
        """Raises what one of them failed with, or why they are not waited for any longer."""
        tasks = {flight.task for flight in flights}
        stopping = asyncio.ensure_future(self._draining.wait())
        landing = asyncio.ensure_future(
            asyncio.wait(tasks, timeout=self._wait, return_when=asyncio.FIRST_EXCEPTION)
        )
        try:
            await asyncio.wait({stopping, landing}, return_when=asyncio.FIRST_COMPLETED)
            if not landing.done() and any(one.waits and not one.task.done() for one in flights):
                raise _stopping()
            # The others are on the last steps of looking, and end by themselves.
            done, _ = await landing
        finally:
            stopping.cancel()
            landing.cancel()
        for task in done:
            _raise_for(task)
        for flight in flights:
            if not flight.task.done():
                raise self._under_way(flight)

    def shown(self, stage: Stage) -> Callable[[str], str | None]:
        """What tells the id to be shown for an id of the cloud that answers; None: its own.

        For one answer; it remembers what it was asked.
        """
        source, target = _place(stage.source.route.endpoint), _place(stage.target.route.endpoint)
        known: dict[str, str | None] = {}

        def look(image: str) -> str | None:
            if image not in known:
                known[image] = self._shown(source, target, image) if ID.match(image) else None
            return known[image]

        return look

    def drain(self) -> None:
        """Begin no copy any more, and let no request wait for one: what is there already is found as ever."""
        self._draining.set()

    async def close(self) -> None:
        """End what is under way, and delete the halves: no more than a few seconds are spent on it."""
        self._closed = True
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLEAN_UP)
            if late:
                _log.warning(
                    "%d images under way were left half: they are deleted when asked for again", len(late)
                )

    # One image.

    async def _user(self, stage: Stage) -> str:
        """Whose share of turns this takes: users are many where one project has many."""
        token = stage.source.token
        if token is None:  # pragma: no cover - such a stage brings nothing
            return ""
        who = await self._users.subject(token)
        return f"{token.home}/{who.project_id or who.user_id}"

    def _flight(self, stage: Stage, image: str, user: str, *, part: bool = False) -> _Flight:
        if self._closed:
            raise _stopping()
        source, target = _place(stage.source.route.endpoint), _place(stage.target.route.endpoint)
        key = (source, target, image.lower(), _names(stage), part)
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= FLIGHTS_AT_MOST:
                raise Overloaded("Too many images are on their way now.", fields={"Retry-After": str(SOON)})
            if Counter(one.user for one in self._flights.values())[user] >= FLIGHTS_OF_A_USER:
                raise Overloaded(
                    f"At most {FLIGHTS_OF_A_USER} images of one project can be on their way at one time.",
                    fields={"Retry-After": str(SOON)},
                )
            flight = self._flights[key] = _Flight(stage, image, part, user)
            flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
            flight.task.add_done_callback(lambda task: self._landed(key, task))
        return flight

    def _landed(self, key: _Key, task: asyncio.Task[str]) -> None:
        del self._flights[key]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, OidproxyError):
            _log.error("staging failed by a bug", exc_info=error)

    async def _fly(self, flight: _Flight) -> str:
        errand = await self._errand(flight)
        flight.size = errand.size
        lease = f"stage/lease/{_place(errand.target.endpoint)}/{_place(errand.source.endpoint)}"
        lease = f"{lease}/{flight.image.lower()}"
        found = await self._found(errand)
        if found is None:
            if self._draining.is_set():
                raise _stopping()
            flight.waits = True
            found = await self._brought(flight, errand, lease)
        else:
            await self._tidied(flight, errand, lease)
        await self._keep(errand, found)
        return found.id

    async def _errand(self, flight: _Flight) -> Errand:
        source, target = self._service(flight.stage.source), self._service(flight.stage.target)
        original, owner = await asyncio.gather(self._original(source, flight.image), target.owner())
        original = await self._with_parts(flight, original)
        places = f"{_place(target.endpoint)}/{owner}/{_place(source.endpoint)}"
        note = f"stage/half/{places}/{flight.image.lower()}"
        return Errand(original, source, target, owner, original.size or 0, note)

    async def _original(self, source: ImageService, image_id: str) -> Image:
        image = await source.image(image_id)
        if image is None:
            raise ImageUnusable(
                f"{source.cloud} has no image {image_id} that this user may see. The scope binds image to "
                f"{source.cloud}; to use an image of another cloud, bind it there."
            )
        if image.status != "active":
            raise ImageUnusable(f"The image {image_id} of {source.cloud} is not active, but {image.status}.")
        if not image.hash_value:
            raise ImageUnusable(
                f"{source.cloud} has no hash of the data of its image {image_id}, so no copy of it could be "
                "verified. (Images without data of their own, as those of volume snapshots, have none.)"
            )
        if image.size is None:
            raise ImageUnusable(f"{source.cloud} does not say how large its image {image_id} is.")
        if image.bound:
            raise ImageUnusable(
                f"The image {image_id} cannot leave {source.cloud}: its {', '.join(image.bound)} names "
                "secrets, volumes or devices there, which are none or others elsewhere."
            )
        return image

    async def _with_parts(self, flight: _Flight, image: Image) -> Image:
        """The image, its kernel and ramdisk brought before it."""
        parts = {
            name: value
            for name in PARTS
            if isinstance(value := image.properties.get(name), str) and ID.match(value)
        }
        if not parts:
            return image
        if flight.part:
            raise ImageUnusable(f"The image {flight.image} is part of another one and has parts itself.")
        flights = {
            name: self._flight(flight.stage, value, flight.user, part=True) for name, value in parts.items()
        }
        flight.waits = True
        brought = {name: await asyncio.shield(part.task) for name, part in flights.items()}
        flight.waits = False
        return replace(image, properties=MappingProxyType({**image.properties, **brought}))

    async def _found(self, errand: Errand) -> Image | None:
        """An image that the user has there already."""
        original = errand.original
        owned = await errand.target.owned(errand.owner, original.hash_algorithm, original.hash_value)
        usable = [image for image in owned if image.serves_for(original)]
        # The copy that was made of this very image before any other that is as good.
        usable.sort(key=lambda image: (image.source != errand.origin, image.id))
        return usable[0] if usable else None

    async def _brought(self, flight: _Flight, errand: Errand, lease: str) -> Image:
        """In its turn, and under the lease. Whoever waits for the lease keeps nobody from a turn."""
        pair = f"{errand.source.cloud}/{errand.target.cloud}"
        ticket, pause = self._turns.ticket(flight.user, pair), LOOKED_FOR_FIRST
        while True:
            async with self._turns.turn(ticket):
                with suppress(Taken):
                    return await self._leases.hold(
                        lease, lambda: self._copied(flight, errand), self._under_way(flight)
                    )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LOOKED_FOR_LAST)

    async def _copied(self, flight: _Flight, errand: Errand) -> Image:
        """Under the lease."""
        found = await self._found(errand)
        if found is not None:
            return found
        if self._draining.is_set():
            raise _stopping()
        flight.copied_since = self._clock()
        flight.copying = self._copying(errand)
        return await flight.copying.run()

    async def _tidied(self, flight: _Flight, errand: Errand, lease: str) -> None:
        """Delete what is left of failed copies where no other follows that would, unless one runs now."""
        now, left = self._clock(), noted(self._store.peek(errand.note))
        if any(seen == OURS or is_over(seen, errand.size, now) for seen in left.values()):
            with suppress(Taken):
                await self._leases.hold(lease, self._copying(errand).clear, self._under_way(flight))

    def _copying(self, errand: Errand) -> Copying:
        return Copying(errand, self._upstreams, self._store, self._clock)

    async def _keep(self, errand: Errand, found: Image) -> None:
        """Keep what answers have to show."""
        source, target = _place(errand.source.endpoint), _place(errand.target.endpoint)
        if self._shown(source, target, found.id) != errand.original.id:
            key = _shown_key(source, target, found.id)
            await self._store.put(key, errand.original.id.encode(), until=self._clock() + KNOWN_FOR)

    def _shown(self, source: str, target: str, image: str) -> str | None:
        asked = self._store.peek(_shown_key(source, target, image))
        return None if asked is None else asked.decode("ascii", "replace")

    def _service(self, forward: Forward) -> ImageService:
        return ImageService(forward, self._upstreams, self._users, self._pseudonym)

    def _under_way(self, flight: _Flight) -> StagingUnderWay:
        source, target = flight.stage.source.route.cloud, flight.stage.target.route.cloud
        passed = flight.copying.pipe.passed if flight.copying is not None else 0
        seconds = self._seconds_left(flight, passed)
        so_far = f" ({passed // _MIB} of {flight.size // _MIB} MiB)" if passed and flight.size else ""
        return StagingUnderWay(
            f"The image {flight.image} is on its way from {source} to {target}{so_far}. Ask again in "
            f"{seconds} seconds: the same request then finds it there, or goes on waiting for it.",
            fields={"Retry-After": str(seconds)},
        )

    def _seconds_left(self, flight: _Flight, passed: int) -> int:
        spent = self._clock() - flight.copied_since
        if not passed or not flight.size or spent <= 0:
            return SOON
        return round(min(LATER, max(SOON, (flight.size - passed) * spent / passed)))


def _place(endpoint: Endpoint) -> str:
    """A cloud may have an image service in each region."""
    return f"{endpoint.cloud}@{endpoint.region}"


def _names(stage: Stage) -> tuple[_Name | None, ...]:
    """All tokens that say who the user is: its own, and those that came for either cloud."""
    tokens = (stage.source.token, stage.source.carried, stage.target.carried)
    return tuple(token.key if token is not None else None for token in tokens)


def _stopping() -> Draining:
    return Draining(
        "This proxy is about to stop: ask again, then another one brings the image.",
        fields={"Retry-After": str(SOON)},
    )


def _shown_key(source: str, target: str, image: str) -> str:
    return f"stage/shown/{target}/{source}/{image}"


def _raise_for(task: asyncio.Task[str]) -> None:
    """What a request is told of a flight's end."""
    if task.cancelled():
        raise _stopping()
    error = task.exception()
    if error is not None:
        raise error

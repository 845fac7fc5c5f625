"""Brings images to a direct cloud whose services cannot fetch them from where they are (docs/staging.md).

Theory of operation. A *flight* brings one image to one cloud for one token; requests that ask for the same
join it, and one that leaves leaves it flying. A flight first looks for an image that the user has there
already. If there is none it takes the lease of this image and cloud, which all workers share, looks again
(the holder before may have brought it), and copies.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, Draining, ImageUnusable, OidproxyError, Overloaded, StagingUnderWay
from oidproxy.manyclouds.asking import ImageService, Users
from oidproxy.manyclouds.copying import Copying, Errand
from oidproxy.manyclouds.image import BOUND, PARTS, Image
from oidproxy.manyclouds.leasing import Leases

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

AT_ONCE = 8
"""Copies of one worker; each takes a connection from either cloud's pool for as long as it lasts."""

FLIGHTS_AT_MOST = 256
"""Of one worker, those that wait for others among them: each of these looks at the store every so often."""

IMAGES_AT_MOST = 16
"""Of one request."""

KNOWN_FOR = 10 * 365 * 24 * 3600.0
"""Seconds for which an answer shows the id that was asked: servers live long."""

SOON, LATER = 5, 60
"""Bounds of Retry-After, in seconds."""

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_MIB = 1 << 20

_log = logging.getLogger("oidproxy.manyclouds")

_Key = tuple[str, str, str, tuple[str, bytes], bool]


@dataclass(slots=True)
class _Flight:
    """One image on its way to one cloud for one token."""

    stage: Stage
    image: str
    part: bool
    """It belongs to another image."""
    task: asyncio.Task[str] = field(init=False)
    size: int | None = None
    copying: Copying | None = None
    copied_since: float = 0.0


class Staging:
    """One worker's staging. Made on the event loop that it serves; `clock` gives seconds since the epoch."""

    __slots__ = (
        "_clock",
        "_closed",
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
        self._leases = Leases(store, f"{pseudonym}-{os.urandom(8).hex()}", clock)
        self._flights: dict[_Key, _Flight] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
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
        flights = [self._flight(stage, image) for image in stage.images]
        done, _ = await asyncio.wait(
            [flight.task for flight in flights], timeout=self._wait, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            _raise_for(task)
        for flight in flights:
            if not flight.task.done():
                raise self._under_way(flight)
        return {flight.image: flight.task.result() for flight in flights}

    def shown(self, stage: Stage) -> Callable[[str], str | None]:
        """What tells the id to be shown for an id of the cloud that answers; None: its own.

        For one answer; it remembers what it was asked.
        """
        source, target = _place(stage.source.route.endpoint), _place(stage.target.route.endpoint)
        known: dict[str, str | None] = {}

        def look(image: str) -> str | None:
            if image not in known:
                known[image] = self._shown(source, target, image) if _ID.match(image) else None
            return known[image]

        return look

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

    def _flight(self, stage: Stage, image: str, *, part: bool = False) -> _Flight:
        if self._closed:
            raise Draining("This proxy is about to stop.", fields={"Retry-After": "1"})
        token = stage.source.token
        source, target = _place(stage.source.route.endpoint), _place(stage.target.route.endpoint)
        key = (source, target, image, token.key if token else ("", b""), part)
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= FLIGHTS_AT_MOST:
                raise Overloaded("Too many images are on their way now.", fields={"Retry-After": str(SOON)})
            flight = self._flights[key] = _Flight(stage, image, part)
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
        flight.size = errand.original.size
        found = await self._found(errand)
        if found is None:
            places = f"{_place(errand.target.endpoint)}/{_place(errand.source.endpoint)}"
            found = await self._leases.hold(
                f"stage/lease/{places}/{flight.image}",
                lambda: self._brought(flight, errand),
                self._under_way(flight),
            )
        await self._keep(flight, errand, found)
        return found.id

    async def _errand(self, flight: _Flight) -> Errand:
        source, target = self._service(flight.stage.source), self._service(flight.stage.target)
        original, owner = await asyncio.gather(self._original(source, flight.image), target.owner())
        original = await self._with_parts(flight, original)
        places = f"{_place(target.endpoint)}/{owner}/{_place(source.endpoint)}"
        return Errand(original, source, target, owner, f"stage/half/{places}/{flight.image}")

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
        bound = sorted(BOUND & image.properties.keys())
        if bound:
            raise ImageUnusable(
                f"The image {image_id} cannot leave {source.cloud}: its {', '.join(bound)} names a secret "
                "there."
            )
        return image

    async def _with_parts(self, flight: _Flight, image: Image) -> Image:
        """The image, its kernel and ramdisk brought before it."""
        parts = {
            name: value
            for name in PARTS
            if isinstance(value := image.properties.get(name), str) and _ID.match(value)
        }
        if not parts:
            return image
        if flight.part:
            raise ImageUnusable(f"The image {flight.image} is part of another one and has parts itself.")
        flights = {name: self._flight(flight.stage, value, part=True) for name, value in parts.items()}
        brought = {name: await asyncio.shield(part.task) for name, part in flights.items()}
        return replace(image, properties=MappingProxyType({**image.properties, **brought}))

    async def _found(self, errand: Errand) -> Image | None:
        """An image that the user has there already."""
        original = errand.original
        owned = await errand.target.owned(errand.owner, original.hash_algorithm, original.hash_value)
        usable = [image for image in owned if image.serves_for(original)]
        # The copy that was made of this very image before any other that is as good.
        usable.sort(key=lambda image: (image.source != errand.origin, image.id))
        return usable[0] if usable else None

    async def _brought(self, flight: _Flight, errand: Errand) -> Image:
        """Under the lease."""
        async with self._turns:
            found = await self._found(errand)
            if found is not None:
                return found
            flight.copied_since = self._clock()
            flight.copying = Copying(errand, self._upstreams, self._store, self._clock)
            return await flight.copying.run()

    async def _keep(self, flight: _Flight, errand: Errand, found: Image) -> None:
        """Keep what answers have to show."""
        source, target = _place(errand.source.endpoint), _place(errand.target.endpoint)
        if self._shown(source, target, found.id) != flight.image:
            key = _shown_key(source, target, found.id)
            await self._store.put(key, flight.image.encode(), until=self._clock() + KNOWN_FOR)

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


def _shown_key(source: str, target: str, image: str) -> str:
    return f"stage/shown/{target}/{source}/{image}"


def _raise_for(task: asyncio.Task[str]) -> None:
    """What a request is told of a flight's end."""
    if task.cancelled():
        raise Draining("This proxy is about to stop.", fields={"Retry-After": "1"})
    error = task.exception()
    if error is not None:
        raise error

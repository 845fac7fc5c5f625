"""One image brought from one cloud to another: made, filled, verified; or taken back.

What is made is noted in the store before it is made, with an id of our own choice (Image API v2: create
image). So whatever happens to this process, the next one that brings the same image for the same project
finds what is left of it, and knows that nobody fills it: it holds the lease that a copy needs.

Images that say of themselves that they are such copies, but are not noted, are of a proxy whose state was
lost, or of another one that may be filling them now. These are deleted when the slowest copy that is not
given up would be over.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from oidproxy.errors import (
    ImageCorrupted,
    ImageUnusable,
    OidproxyError,
    StagingForbidden,
    StagingOverQuota,
    TokenRefused,
    UpstreamError,
)
from oidproxy.http.head import NoBody
from oidproxy.manyclouds.asking import OCTETS, PATIENCE, ImageService, Said
from oidproxy.manyclouds.image import HALF, NOT_TAKEN
from oidproxy.manyclouds.piping import SLOWEST, Pipe, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from oidproxy.http.head import Framing
    from oidproxy.manyclouds.image import Image
    from oidproxy.store.terms import Store
    from oidproxy.upstream.call import Request
    from oidproxy.upstream.pools import Upstreams

REMEMBERED = 30 * 24 * 3600.0
"""Seconds for which a half image is known to be one."""

LEFT_OUT_AT_MOST = 16
"""Properties that a cloud may refuse, one after the other, before the image itself counts as refused."""

TRIES = 5
"""To delete a half image: its Glance may still be busy with the upload that ended."""

TRIED_AGAIN_AFTER = 0.4

STORED_WITHIN = 1800.0
"""Seconds that the second cloud may take after the last byte: some store an image once they have it all."""

GRACE = STORED_WITHIN + 600.0
"""Seconds that a copy may take besides its data, with some for clocks that differ."""

OURS = 0.0
"""In a note: whoever holds the lease may delete this one. Another number is when it was seen first."""

_QUOTED = re.compile(r"'([^']+)'")
_GONE = frozenset({204, 404, 410})

_log = logging.getLogger("oidproxy.manyclouds")


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be brought, where from and where to, and to whom."""

    original: Image
    """With properties as the copy is to have them."""
    source: ImageService
    target: ImageService
    owner: str
    """The user's project at the target."""
    size: int
    """Bytes of data."""
    note: str
    """The store's key for what is left of failed copies."""

    @property
    def origin(self) -> str:
        """What the copy says of where it came from."""
        return f"{self.source.cloud}/{self.original.id}"


class Copying:
    """One copy. `pipe` tells how far it has come."""

    __slots__ = ("_clock", "_errand", "_store", "pipe")

    def __init__(
        self, errand: Errand, upstreams: Upstreams, store: Store, clock: Callable[[], float]
    ) -> None:
        self._errand = errand
        self._store = store
        self._clock = clock
        self.pipe = Pipe(upstreams, asyncio.get_running_loop(), errand.size)

    async def run(self) -> Image:
        """Bring it. Under the lease of this image.

        Raises:
            OidproxyError: it could not be; nothing is left of it, or a note of what is.
        """
        errand, made = self._errand, str(uuid4())
        halves = await errand.target.halves(errand.owner, errand.origin)
        await self._note({half.id: self._clock() for half in halves})
        await self.clear()
        # The wait for lease and turn may have been long: may the user still do this?
        await errand.source.check("GET", self._data)
        await errand.target.check("POST", "/v2/images")
        await self._note({made: OURS})
        try:
            copy = await self._copy(made)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                _log.warning("the copy of %s to %s failed: %s", *self._names(), error)
            await self._clear({made: OURS})
            raise
        await self._forget({made})
        return copy

    async def clear(self) -> None:
        """Delete what is left of copies that failed. Under the lease of this image."""
        await self._clear(noted(await self._store.get(self._errand.note)))

    @property
    def _data(self) -> str:
        return f"/v2/images/{self._errand.original.id}/file"

    async def _copy(self, made: str) -> Image:
        errand = self._errand
        left_out = await self._create(made)
        if left_out:
            _log.warning("%s of %s left out: %s takes them not", ", ".join(sorted(left_out)), *self._names())
        _log.info("%s is copied to %s as %s", *self._names(), made)
        said = await self._fill(made)
        if said.status != 204:
            raise _refusal(errand.target, said)
        return await self._verified(made)

    async def _create(self, made: str) -> frozenset[str]:
        """Make the image; the properties that the cloud keeps to itself are left out, and said which."""
        errand = self._errand
        left_out = NOT_TAKEN & errand.original.properties.keys()
        while True:
            said = await errand.target.create(errand.original.as_new(made, errand.origin, left_out))
            if said.status == 201:
                return left_out
            reserved = {*_QUOTED.findall(said.text)} & (errand.original.properties.keys() - left_out)
            if said.status != 403 or not reserved or len(left_out) >= LEFT_OUT_AT_MOST:
                raise _refusal(errand.target, said)
            left_out |= reserved

    async def _fill(self, made: str) -> Said:
        errand = self._errand
        get = await errand.source.request("GET", self._data, NoBody(), OCTETS, first_byte=PATIENCE)

        async def put(framing: Framing) -> Request:
            path = f"/v2/images/{made}/file"
            return await errand.target.request("PUT", path, framing, OCTETS, first_byte=STORED_WITHIN)

        try:
            return await self.pipe.run(get, put)
        except Refused as refused:
            raise _not_given(errand.source, errand.original, refused.said) from None

    async def _verified(self, made: str) -> Image:
        errand = self._errand
        copy = await errand.target.image(made, late=True)
        if copy is None or copy.status != "active":
            state = "gone" if copy is None else copy.status or "without a status"
            raise UpstreamError(
                f"{errand.target.cloud} took all of the image, which is {state} now.",
                cloud=errand.target.cloud,
                sent=True,
            )
        if copy.hash_algorithm != errand.original.hash_algorithm:
            raise ImageUnusable(
                f"{errand.target.cloud} hashes images with {copy.hash_algorithm or 'nothing'}, "
                f"{errand.source.cloud} with {errand.original.hash_algorithm}: the copy cannot be verified."
            )
        if not copy.same_data(errand.original):
            raise ImageCorrupted(
                f"What {errand.target.cloud} stored of the image {errand.original.id} is not what "
                f"{errand.source.cloud} has: the hashes differ.",
                cloud=errand.target.cloud,
                sent=True,
            )
        return copy

    # What is left of copies that failed.

    async def _note(self, ids: Mapping[str, float]) -> None:
        """Note these, too; what is noted already stays as it is."""
        if ids:
            before = noted(await self._store.get(self._errand.note))
            await self._put({**ids, **before})

    async def _forget(self, ids: Collection[str]) -> None:
        """Others may have been noted meanwhile, if the lease was lost."""
        before = noted(await self._store.get(self._errand.note))
        await self._put({one: seen for one, seen in before.items() if one not in ids})

    async def _put(self, ids: Mapping[str, float]) -> None:
        if ids:
            value = json.dumps(ids).encode()
            await self._store.put(self._errand.note, value, until=self._clock() + REMEMBERED)
        else:
            await self._store.drop(self._errand.note)

    async def _clear(self, ids: Mapping[str, float]) -> None:
        """Delete noted images, and forget those of which nothing is left."""
        gone = {one for one, seen in ids.items() if await self._deleted(one, seen)}
        if gone:
            await self._forget(gone)

    async def _deleted(self, half: str, seen: float) -> bool:
        """Whether nothing is left of it that is ours to delete."""
        target = self._errand.target
        try:
            found = await target.image(half, late=True)
            if found is None or not self._is_half(found):
                return True
            if seen != OURS and found.status not in HALF:
                return True
            if seen != OURS and not self._is_over(found.changed or seen):
                return False
            for _ in range(TRIES):
                said = await target.delete(half)
                if said.status in _GONE:
                    return True
                await asyncio.sleep(TRIED_AGAIN_AFTER)
        except OidproxyError as error:
            _log.warning("%s could not be deleted at %s yet: %s", half, target.cloud, error)
            return False
        _log.warning("%s could not be deleted at %s yet: %s", half, target.cloud, said.text)
        return False

    def _is_over(self, since: float) -> bool:
        """Whether a copy that began then is over, whoever made it: a slower one is given up."""
        return is_over(since, self._errand.size, self._clock())

    def _is_half(self, found: Image) -> bool:
        """Whether it is ours, and of no use: one that is complete may be in use by now."""
        errand = self._errand
        ours = (found.owner, found.source) == (errand.owner, errand.origin)
        return ours and not (found.status == "active" and found.same_data(errand.original))

    def _names(self) -> tuple[str, str]:
        return self._errand.origin, self._errand.target.cloud


def noted(note: bytes | None) -> dict[str, float]:
    """The ids of a note, and when each was first seen, or that it is ours."""
    return {} if note is None else {str(one): float(seen) for one, seen in json.loads(note).items()}


def is_over(since: float, size: int, now: float) -> bool:
    """Whether a copy of so many bytes that began then is over, done or given up."""
    return since + GRACE + size / SLOWEST <= now


def _refusal(target: ImageService, said: Said) -> OidproxyError:
    """Why a cloud does not take an image, in its own words."""
    reason = f": {said.text}" if said.text else "."
    match said.status:
        case 401:
            target.refused()
            return TokenRefused(f"The image service of {target.cloud} does not accept this token.")
        case 403:
            return StagingForbidden(f"{target.cloud} does not let this user store the image{reason}")
        case 413:
            return StagingOverQuota(f"The image is too large for this user at {target.cloud}{reason}")
        case 400 | 409 | 415:
            return ImageUnusable(f"{target.cloud} does not take the image{reason}")
        case _:
            return target.failed(said)


def _not_given(source: ImageService, image: Image, said: Said) -> OidproxyError:
    reason = f": {said.text}" if said.text else "."
    match said.status:
        case 401:
            source.refused()
            return TokenRefused(f"The image service of {source.cloud} does not accept this token.")
        case 204 | 403 | 404:
            return ImageUnusable(
                f"{source.cloud} does not give the data of the image {image.id} to this user{reason}"
            )
        case _:
            return source.failed(said)

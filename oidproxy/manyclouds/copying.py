"""One image brought from one cloud to another: made, filled, verified; or taken back.

What is made is noted in the store before it is made, with an id of our own choice (Image API v2: create
image). So whatever happens to this process, the next one that brings the same image for the same project
finds what is left of it. Nothing that is not noted is ever deleted.
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
from oidproxy.manyclouds.asking import OCTETS, ImageService, Said
from oidproxy.manyclouds.piping import Pipe, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.pipe = Pipe(upstreams, asyncio.get_running_loop())

    async def run(self) -> Image:
        """Bring it. Under the lease of this image.

        Raises:
            OidproxyError: it could not be; nothing is left of it, or a note of what is.
        """
        left = await self._clear(await self._noted())
        made = str(uuid4())
        await self._note([*left, made])
        try:
            copy = await self._copy(made)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                _log.warning("the copy of %s to %s failed: %s", *self._names(), error)
            await self._note([*left, *await self._clear([made])])
            raise
        await self._note(left)
        return copy

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
        errand, left_out = self._errand, frozenset[str]()
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
        get = await errand.source.request("GET", f"/v2/images/{errand.original.id}/file", NoBody(), OCTETS)

        async def put(framing: Framing) -> Request:
            return await errand.target.request("PUT", f"/v2/images/{made}/file", framing, OCTETS)

        try:
            return await self.pipe.run(get, errand.original.size, put)
        except Refused as refused:
            raise _not_given(errand.source, errand.original, refused.said) from None

    async def _verified(self, made: str) -> Image:
        errand = self._errand
        copy = await errand.target.image(made)
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

    async def _noted(self) -> list[str]:
        note = await self._store.get(self._errand.note)
        return [] if note is None else [str(one) for one in json.loads(note)]

    async def _note(self, ids: list[str]) -> None:
        if ids:
            value = json.dumps(ids).encode()
            await self._store.put(self._errand.note, value, until=self._clock() + REMEMBERED)
        else:
            await self._store.drop(self._errand.note)

    async def _clear(self, ids: list[str]) -> list[str]:
        """Delete noted images; those that could not be."""
        return [one for one in ids if not await self._deleted(one)]

    async def _deleted(self, noted: str) -> bool:
        """Whether nothing is left of it that is ours to delete."""
        target = self._errand.target
        try:
            found = await target.image(noted)
            if found is None or not self._is_half(found):
                return True
            for _ in range(TRIES):
                said = await target.delete(noted)
                if said.status in _GONE:
                    return True
                await asyncio.sleep(TRIED_AGAIN_AFTER)
        except OidproxyError as error:
            _log.warning("%s could not be deleted at %s yet: %s", noted, target.cloud, error)
            return False
        _log.warning("%s could not be deleted at %s yet: %s", noted, target.cloud, said.text)
        return False

    def _is_half(self, found: Image) -> bool:
        """Whether it is ours, and of no use: one that is complete may be in use by now."""
        errand = self._errand
        ours = (found.owner, found.source) == (errand.owner, errand.origin)
        return ours and not (found.status == "active" and found.same_data(errand.original))

    def _names(self) -> tuple[str, str]:
        return self._errand.origin, self._errand.target.cloud


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

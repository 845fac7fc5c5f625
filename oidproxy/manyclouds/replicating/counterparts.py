"""What stands in each cloud for the resources that a request names: found before anything is sent.

Images are the same where their data are, flavors where their names are, everything else where it was made as
a replica. A cloud in which there is no counterpart is told of with the others, and nothing was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from oidproxy.manyclouds.replicating.groups import Groups, Place
from oidproxy.manyclouds.replicating.heard import id_of
from oidproxy.manyclouds.replicating.references import FLAVOR, IMAGE, Reference
from oidproxy.manyclouds.replicating.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from oidproxy.manyclouds.replicating.heard import Heard, Speaker
    from oidproxy.manyclouds.replicating.journal import Owner

AT_ONCE = 200
"""Clouds that are asked for one counterpart at one time."""

PAGE = 1000
PAGES_AT_MOST = 20

Ids = dict[str, dict[Reference, str]]
"""Cloud -> reference -> the id there."""

Bound = tuple[str, ...] | None
"""The clouds that a service is bound to; None where it is one for all, which any of the clouds asks."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A cloud that has no counterpart of a resource, or did not say."""

    cloud: str
    reference: Reference
    said: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class _Version:
    """What an image or a flavor is, whatever its id: equal ones stand for one another."""

    key: tuple[str, ...]


class Counterparts:
    """Finds them for one request. `bound` tells which clouds serve a service under its scope."""

    __slots__ = ("_bound", "_groups", "_owner", "_speaker")

    def __init__(self, speaker: Speaker, groups: Groups, owner: Owner, bound: Callable[[str], Bound]) -> None:
        self._speaker = speaker
        self._groups = groups
        self._owner = owner
        self._bound = bound

    async def of(
        self, references: Collection[Reference], clouds: Collection[str]
    ) -> tuple[Ids, tuple[Missing, ...]]:
        """The ids of these references at these clouds, and what is missing. Raises StoreUnavailable."""
        ids: Ids = {cloud: {} for cloud in clouds}
        missing: list[Missing] = []
        for reference in references:
            bound = self._bound(reference.named[0])
            # One cloud serves it to all of them, or another set of clouds does: its id is good as it is.
            wanted = [cloud for cloud in clouds if bound is not None and cloud in bound]
            if not wanted:
                continue
            found = await self._found(reference, wanted)
            for cloud in wanted:
                one = found[cloud]
                if isinstance(one, Missing):
                    missing.append(one)
                else:
                    ids[cloud][reference] = one
        return ids, tuple(missing)

    async def _found(self, reference: Reference, clouds: list[str]) -> Mapping[str, str | Missing]:
        if reference.named == IMAGE:
            return await self._alike(reference, clouds, self._image, self._images)
        if reference.named == FLAVOR:
            return await self._alike(reference, clouds, self._flavor, self._flavors)
        return await self._grouped(reference, clouds)

    # Replicas.

    async def _grouped(self, reference: Reference, clouds: list[str]) -> Mapping[str, str | Missing]:
        place = Place(self._owner.home, self._owner.project, *reference.named)
        group = await self._groups.of(place, reference.id)
        if group is None and len(clouds) == 1:
            # Then it can be that cloud's own alone, which says so if it is not.
            return {clouds[0]: reference.id}
        if group is None:
            why = f"{reference.id} is not known to be one of several replicas"
            return {cloud: Missing(cloud, reference, why) for cloud in clouds}
        why = f"{reference.id} has no replica there"
        return {cloud: group.ids.get(cloud) or Missing(cloud, reference, why) for cloud in clouds}

    # What is the same by what it is.

    async def _alike(
        self,
        reference: Reference,
        clouds: list[str],
        show: Callable[[str, str], Any],
        search: Callable[[str, _Version], Any],
    ) -> Mapping[str, str | Missing]:
        """Each cloud that has this id has to mean the same by it; the others may have it under another id."""
        answers = await together(lambda one: show(one, reference.id), clouds, at_most=AT_ONCE)
        shown = dict(zip(clouds, answers, strict=True))
        versions = {one for one in shown.values() if isinstance(one, _Version)}
        if len(versions) > 1:
            why = f"{reference.id} is not the same in each of the clouds"
            return {cloud: Missing(cloud, reference, why) for cloud in clouds}
        found: dict[str, str | Missing] = {}
        elsewhere: list[str] = []
        for cloud, one in shown.items():
            if isinstance(one, _Version):
                found[cloud] = reference.id
            elif isinstance(one, str):
                found[cloud] = Missing(cloud, reference, one, silent=True)
            elif versions:
                elsewhere.append(cloud)
            else:
                found[cloud] = Missing(cloud, reference, f"there is no {reference.id}")
        for cloud, other in zip(
            elsewhere,
            await together(lambda one: search(one, next(iter(versions))), elsewhere, at_most=AT_ONCE),
            strict=True,
        ):
            found[cloud] = (
                other if isinstance(other, str) else Missing(cloud, reference, other[0], silent=other[1])
            )
        return found

    async def _image(self, cloud: str, image: str) -> _Version | str | None:
        """What an image is; None: it is not there; a text: why that is unknown."""
        heard = await self._speaker.call(cloud, "image", "GET", f"/v2/images/{quote(image, safe='')}")
        document = heard.document
        if heard.fine and isinstance(document, dict):
            return _image(document) or f"{cloud} has no hash of the data of this image"
        return None if heard.missing else _why(heard)

    async def _images(self, cloud: str, version: _Version) -> str | tuple[str, bool]:
        query = urlencode({"os_hash_value": version.key[1], "status": "active", "limit": PAGE})
        heard = await self._speaker.call(cloud, "image", "GET", f"/v2/images?{query}")
        rows = heard.document.get("images") if heard.fine and isinstance(heard.document, dict) else None
        if not isinstance(rows, list):
            return _why(heard), True
        same = sorted(
            found
            for row in rows
            if isinstance(row, dict) and _image(row) == version and (found := id_of(row))
        )
        return same[0] if same else ("there is no image with the same data", False)

    async def _flavor(self, cloud: str, flavor: str) -> _Version | str | None:
        heard = await self._speaker.call(cloud, "compute", "GET", f"/v2.1/flavors/{quote(flavor, safe='')}")
        document = heard.document
        found = document.get("flavor") if heard.fine and isinstance(document, dict) else None
        if isinstance(found, dict) and isinstance(found.get("name"), str):
            return _Version((found["name"],))
        return None if heard.missing else _why(heard)

    async def _flavors(self, cloud: str, version: _Version) -> str | tuple[str, bool]:
        marker = ""
        for _ in range(PAGES_AT_MOST):
            heard = await self._speaker.call(cloud, "compute", "GET", f"/v2.1/flavors?limit={PAGE}{marker}")
            rows = heard.document.get("flavors") if heard.fine and isinstance(heard.document, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) and id_of(row) for row in rows):
                return _why(heard), True
            for row in rows:
                if row.get("name") == version.key[0]:
                    return id_of(row)
            last = f"&marker={quote(id_of(rows[-1]), safe='')}" if rows else ""
            if last in {"", marker}:
                break
            marker = last
        return f"there is no flavor {version.key[0]}", False


def _image(document: Mapping[str, Any]) -> _Version | None:
    algorithm, value = document.get("os_hash_algo"), document.get("os_hash_value")
    if not isinstance(algorithm, str) or not isinstance(value, str):
        return None
    return _Version((algorithm, value, str(document.get("size"))))


def _why(heard: Heard) -> str:
    return heard.said or f"status {heard.status}, without what was asked for"

"""Images of one Glance: their states, who may see and change them. The bytes are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Content
    from oidproxy.sim.sources import Sources

TRANSITIONS = {
    ("queued", "upload"): "saving",
    ("saving", "complete"): "active",
    ("saving", "abandon"): "queued",
    ("active", "deactivate"): "deactivated",
    ("deactivated", "reactivate"): "active",
}
"""(status, event) -> status (docs.openstack.org/glance: image statuses). Whatever is not here is a
conflict."""
VISIBILITIES = frozenset({"public", "private", "shared", "community"})
MEMBER_STATUSES = frozenset({"pending", "accepted", "rejected"})


@dataclass(frozen=True, slots=True)
class Member:
    """A project that an image is shared with."""

    project_id: str
    status: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Image:
    """One image."""

    id: str
    owner: str
    created_at: float
    updated_at: float
    name: str | None = None
    status: str = "queued"
    visibility: str = "shared"
    protected: bool = False
    os_hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    tags: tuple[str, ...] = ()
    content: Content | None = None
    properties: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    members: Mapping[str, Member] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def blob(self) -> str:
        """The name its bytes are stored under."""
        return f"image-{self.id}"

    def seen_by(self, caller: Caller) -> bool:
        """Whether a caller may know of it."""
        if caller.is_admin or self.visibility in {"public", "community"} or self.owner == caller.project_id:
            return True
        return self.visibility == "shared" and caller.project_id in self.members

    def owned_by(self, caller: Caller) -> bool:
        """Whether a caller may change it."""
        return caller.is_admin or (bool(caller.project_id) and self.owner == caller.project_id)


class Glance:
    """Every image of one Glance. Each change makes a new value of the image."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._images: dict[str, Image] = {}

    def __iter__(self) -> Iterator[Image]:
        return iter(self._images.values())

    def create(self, owner: str, identity: str | None = None, **attributes: Any) -> Image:
        """A new image without data; 409 for an id that is taken."""
        now = self.sources.now()
        image = Image(identity or self.sources.uuid(), owner, now, now, **attributes)
        if image.id in self._images:
            raise ApiError(409, f"Image ID {image.id} already exists!")
        self._images[image.id] = image
        return image

    def get(self, caller: Caller, identity: str) -> Image:
        """An image that the caller may see; else 404."""
        image = self._images.get(identity)
        if image is None or not image.seen_by(caller):
            raise ApiError(404, f"No image found with ID {identity}")
        return image

    def get_own(self, caller: Caller, identity: str) -> Image:
        """An image that the caller may change; 403 for one that it may only see."""
        image = self.get(caller, identity)
        if not image.owned_by(caller):
            raise ApiError(403, "You are not permitted to modify this image.")
        return image

    def change(self, image: Image, **values: Any) -> Image:
        """Replace some attributes."""
        changed = replace(image, updated_at=self.sources.now(), **values)
        self._images[image.id] = changed
        return changed

    def move(self, identity: str, event: str, **values: Any) -> Image:
        """Let an event happen to an image; 409 when its state does not allow it, 410 when it is gone."""
        image = self._images.get(identity)
        if image is None:
            raise ApiError(410, f"Image {identity} could not be found after upload.")
        status = TRANSITIONS.get((image.status, event))
        if status is None:
            raise ApiError(409, f"Image status transition from {image.status} by {event} is not allowed")
        return self.change(image, status=status, **values)

    def delete(self, image: Image) -> None:
        """Forget an image; 403 for a protected one."""
        if image.protected:
            raise ApiError(403, f"Image {image.id} is protected and cannot be deleted.")
        del self._images[image.id]

    def share(self, image: Image, project_id: str) -> Member:
        """Offer an image to a project; 403 unless it is a shared one, 409 when it was offered before."""
        if image.visibility != "shared":
            raise ApiError(403, "Only shared images have members.")
        if project_id in image.members:
            raise ApiError(
                409, f"The target member {project_id} is already associated with image {image.id}."
            )
        now = self.sources.now()
        return self._keep(image, Member(project_id, "pending", now, now))

    def respond(self, image: Image, project_id: str, status: str) -> Member:
        """A project accepts or rejects an image."""
        if status not in MEMBER_STATUSES:
            raise ApiError(400, f"Invalid member status: {status!r}")
        return self._keep(
            image, replace(self.member(image, project_id), status=status, updated_at=self.sources.now())
        )

    def member(self, image: Image, project_id: str) -> Member:
        """A project's share of an image; 404 when it has none."""
        try:
            return image.members[project_id]
        except KeyError:
            raise ApiError(
                404, f"{project_id} not found in the member list of the image {image.id}."
            ) from None

    def unshare(self, image: Image, project_id: str) -> None:
        """Take an offer back."""
        gone = self.member(image, project_id)
        rest = {key: member for key, member in image.members.items() if member is not gone}
        self.change(image, members=MappingProxyType(rest))

    def _keep(self, image: Image, member: Member) -> Member:
        self.change(image, members=MappingProxyType({**image.members, member.project_id: member}))
        return member

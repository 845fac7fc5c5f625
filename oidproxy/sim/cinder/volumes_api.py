"""Volumes at Cinder's API."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim import body
from oidproxy.sim.cinder import views
from oidproxy.sim.cinder.model import Cinder, Volume
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.paging import in_order, limit_of, next_href, page, truth
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.steps import Discard, Procedure, Spawn
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.cinder.process import Images
    from oidproxy.sim.cinder.worker import Worker

GIB = 1 << 30
SORT_KEYS = {"created_at": "created", "updated_at": "updated", "display_name": "name"}
Action = Callable[[Exchange, Volume, Any], Procedure[Response]]


class VolumesApi:
    """Handlers of `/volumes`."""

    def __init__(self, cinder: Cinder, images: Images, worker: Worker) -> None:
        self._cinder = cinder
        self._images = images
        self._worker = worker
        self._actions: dict[str, Action] = {
            "os-begin_detaching": self._event("begin_detaching"),
            "os-roll_detaching": self._event("roll_detaching"),
            "os-reserve": self._event("reserve"),
            "os-unreserve": self._event("detach"),
            "os-extend": self._extend,
            "os-set_bootable": self._set_bootable,
            "os-reset_status": self._reset_status,
            "os-volume_upload_image": self._upload_image,
        }

    def routes(self) -> tuple[Route, ...]:
        """Path by path, below `/v3` and below `/v3/{project_id}`."""
        return (
            Route("POST", "/volumes", self.create),
            Route("GET", "/volumes", self.list),
            Route("GET", "/volumes/detail", self.list_detail),
            Route("GET", "/volumes/{id}", self.show),
            Route("PUT", "/volumes/{id}", self.update),
            Route("DELETE", "/volumes/{id}", self.delete),
            Route("POST", "/volumes/{id}/action", self.act),
            Route("GET", "/volumes/{id}/metadata", self.metadata),
            Route("POST", "/volumes/{id}/metadata", self.set_metadata),
        )

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """POST: empty, of an image, of a snapshot, or of another volume."""
        given = yield from body.member(exchange, "volume")
        caller = exchange.caller
        image_id = given.get("imageRef") or given.get("image_id") or ""
        image: Document = {}
        if image_id:
            image = yield from self._images.show(caller, str(image_id), schema=True)
        volume = self._volume(caller, given, image)
        yield Spawn(self._worker.fill(caller, volume.id, image))
        return json_response(202, {"volume": views.detail(exchange, self._cinder, volume)})

    def _volume(self, caller: Caller, given: Document, image: Document) -> Volume:
        cinder, now = self._cinder, self._cinder.sources.now()
        source = cinder.seen(caller, given["source_volid"]) if given.get("source_volid") else None
        snapshot = cinder.snapshot_of(caller, given["snapshot_id"]) if given.get("snapshot_id") else None
        least = source.size if source else (snapshot["size"] if snapshot else 0)
        kind = given.get("volume_type") or "lvmdriver-1"
        if not cinder.types.find(name=kind) and not cinder.types.find(id=kind):
            raise ApiError(404, f"Volume type with name {kind} could not be found.")
        volume = Volume(
            id=cinder.sources.uuid(),
            project_id=caller.project_id,
            user_id=caller.user_id,
            size=_size(given.get("size") or least, least, image),
            created=now,
            updated=now,
            name=given.get("name") or "",
            description=given.get("description"),
            volume_type=(cinder.types.find(id=kind) or {"name": kind})["name"],
            metadata=MappingProxyType(dict(given.get("metadata") or {})),
            snapshot_id=snapshot["id"] if snapshot else None,
            source_id=source.id if source else None,
            bootable=source.bootable if source else False,
        )
        return cinder.add(volume)

    def list(self, exchange: Exchange) -> Response:
        """Names and ids."""
        return self._listing(exchange, lambda volume: views.brief(exchange, volume))

    def list_detail(self, exchange: Exchange) -> Response:
        """With detail."""
        return self._listing(exchange, lambda volume: views.detail(exchange, self._cinder, volume))

    def _listing(self, exchange: Exchange, view: Callable[[Volume], Document]) -> Response:
        request, caller = exchange.request, exchange.caller
        everywhere = caller.is_admin and truth(request.parameter("all_tenants", "false"))
        rows = [
            one
            for one in self._cinder.volumes()
            if (everywhere or one.project_id == caller.project_id) and _passes(one, exchange)
        ]
        found = page(
            in_order(rows, _order(exchange), getattr),
            lambda volume: volume.id,
            request.parameter("marker"),
            limit_of(request, default=1000),
        )
        document: Document = {"volumes": [view(volume) for volume in found.items]}
        if found.more:
            href = next_href(request, found.items[-1].id)
            document["volumes_links"] = [{"rel": "next", "href": href}]
        if truth(request.parameter("with_count", "false")):
            document["count"] = len(rows)
        return json_response(200, document)

    def show(self, exchange: Exchange) -> Response:
        """One volume."""
        return json_response(200, {"volume": views.detail(exchange, self._cinder, self._seen(exchange))})

    def update(self, exchange: Exchange) -> Procedure[Response]:
        """PUT: name, description, metadata."""
        volume = self._seen(exchange)
        given = yield from body.member(exchange, "volume")
        changes: Document = {key: given[key] for key in ("name", "description") if key in given}
        if "metadata" in given:
            changes["metadata"] = MappingProxyType(dict(given["metadata"]))
        changed = self._cinder.change(volume.id, **changes)
        return json_response(200, {"volume": views.detail(exchange, self._cinder, changed)})

    def delete(self, exchange: Exchange) -> Procedure[Response]:
        """DELETE: refused while a server uses it."""
        volume = self._seen(exchange)
        if any(row["volume_id"] == volume.id for row in self._cinder.snapshots):
            raise ApiError(400, f"Invalid volume: Volume {volume.id} has dependent snapshots.")
        if truth(exchange.request.parameter("force", "false")) and exchange.caller.is_admin:
            self._cinder.change(volume.id, status="error")
        self._cinder.move(volume.id, "delete")
        self._cinder.remove(volume.id)
        if volume.blob:
            yield Discard(volume.blob)
        return empty(202)

    def metadata(self, exchange: Exchange) -> Response:
        """A volume's metadata."""
        return json_response(200, {"metadata": dict(self._seen(exchange).metadata)})

    def set_metadata(self, exchange: Exchange) -> Procedure[Response]:
        """Add to a volume's metadata."""
        volume = self._seen(exchange)
        given = yield from body.member(exchange, "metadata")
        changed = self._cinder.change(volume.id, metadata=MappingProxyType({**volume.metadata, **given}))
        return json_response(200, {"metadata": dict(changed.metadata)})

    def act(self, exchange: Exchange) -> Procedure[Response]:
        """One action, named by the only member of the body."""
        given = yield from body.document(exchange)
        volume = self._seen(exchange)
        name = next(iter(given), "")
        action = self._actions.get(name)
        if action is None or len(given) != 1:
            raise ApiError(400, f"There is no such action: {name}")
        return (yield from action(exchange, volume, given[name]))

    def _event(self, event: str) -> Action:
        def action(_exchange: Exchange, volume: Volume, _given: Any) -> Procedure[Response]:
            yield from ()
            self._cinder.move(volume.id, event)
            return empty(202)

        return action

    def _extend(self, _exchange: Exchange, volume: Volume, given: Any) -> Procedure[Response]:
        yield from ()
        size = int(given.get("new_size") or 0)
        if size <= volume.size:
            raise ApiError(
                400, "Invalid input received: New size for extend must be greater than current size."
            )
        self._cinder.move(volume.id, "extend", size=size)
        return empty(202)

    def _set_bootable(self, _exchange: Exchange, volume: Volume, given: Any) -> Procedure[Response]:
        yield from ()
        self._cinder.change(volume.id, bootable=bool(given.get("bootable")))
        return empty(200)

    def _reset_status(self, exchange: Exchange, volume: Volume, given: Any) -> Procedure[Response]:
        yield from ()
        if not exchange.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow volume_extension:volume_admin_actions:reset_status.")
        self._cinder.change(volume.id, status=str(given.get("status") or volume.status))
        return empty(202)

    def _upload_image(self, exchange: Exchange, volume: Volume, given: Any) -> Procedure[Response]:
        """Make an image of a volume: the image at once, its data behind it."""
        if not isinstance(given, dict) or not given.get("image_name"):
            raise ApiError(400, "Invalid input for field/attribute image_name.")
        self._cinder.move(volume.id, "upload")
        attributes = {
            "name": given["image_name"],
            "container_format": given.get("container_format", "bare"),
            "disk_format": given.get("disk_format", "raw"),
            "visibility": given.get("visibility") or "private",
        }
        try:
            image = yield from self._images.create(exchange.caller, attributes)
        except Exception:
            self._cinder.move(volume.id, "uploaded")
            raise
        yield Spawn(self._worker.upload(exchange.caller, volume.id, image["id"]))
        answer = {
            "id": volume.id,
            "updated_at": micro(volume.updated),
            "status": "uploading",
            "display_description": volume.description,
            "size": volume.size,
            "volume_type": volume.volume_type,
            "image_id": image["id"],
            "image_name": attributes["name"],
            "container_format": attributes["container_format"],
            "disk_format": attributes["disk_format"],
            "visibility": attributes["visibility"],
            "protected": False,
        }
        return json_response(202, {"os-volume_upload_image": answer})

    def _seen(self, exchange: Exchange) -> Volume:
        return self._cinder.seen(exchange.caller, exchange.params["id"])


def _size(wanted: Any, least: int, image: Document) -> int:
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if not isinstance(wanted, int) or wanted <= 0:
        raise ApiError(
            400,
            f"Invalid volume size provided for create request: {wanted} (size argument must be an integer)",
        )
    if wanted < least:
        raise ApiError(400, f"Invalid input received: Volume size {wanted}GB must be at least {least}GB.")
    image_size = -(-(image.get("size") or 0) // GIB)
    if wanted < max(image_size, image.get("min_disk") or 0):
        raise ApiError(
            400,
            f"Invalid input received: Size of image {image_size}GB is larger than volume size {wanted}GB.",
        )
    if image and image["status"] != "active":
        raise ApiError(400, f"Invalid input received: Image {image['id']} is not active.")
    return wanted


def _order(exchange: Exchange) -> list[tuple[str, bool]]:
    text = exchange.request.parameter("sort")
    if not text:
        keys, directions = exchange.request.parameters("sort_key"), exchange.request.parameters("sort_dir")
        text = ",".join(f"{key}:{direction}" for key, direction in zip(keys, directions, strict=False))
    pairs = [part.partition(":") for part in text.split(",") if part]
    known = Volume.__dataclass_fields__
    named = [(SORT_KEYS.get(key, key), direction != "asc") for key, _, direction in pairs]
    return [(key, descending) for key, descending in named if key in known]


def _passes(volume: Volume, exchange: Exchange) -> bool:
    held = {
        "name": volume.name,
        "display_name": volume.name,
        "status": volume.status,
        "id": volume.id,
        "volume_type": volume.volume_type,
        "bootable": "true" if volume.bootable else "false",
        "project_id": volume.project_id,
    }
    return all(
        not exchange.request.parameter(key) or exchange.request.parameter(key) == value
        for key, value in held.items()
    )

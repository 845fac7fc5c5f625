"""Attachments and snapshots at Cinder's API."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.cinder import views
from oidproxy.sim.cinder.model import Attachment, Cinder
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from oidproxy.sim.cinder.process import Servers
    from oidproxy.sim.steps import Procedure


class AttachmentsApi:
    """Handlers of `/attachments`."""

    def __init__(self, cinder: Cinder, servers: Servers) -> None:
        self._cinder = cinder
        self._servers = servers

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("POST", "/attachments", self.create),
            Route("GET", "/attachments", self.list),
            Route("GET", "/attachments/detail", self.list),
            Route("GET", "/attachments/{id}", self.show),
            Route("PUT", "/attachments/{id}", self.update),
            Route("DELETE", "/attachments/{id}", self.delete),
            Route("POST", "/attachments/{id}/action", self.act),
        )

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """Reserve a volume for a server; with a connector, attach it."""
        given = yield from body.member(exchange, "attachment")
        volume = self._cinder.seen(exchange.caller, str(given.get("volume_uuid")))
        self._cinder.move(volume.id, "reserve")
        sources = self._cinder.sources
        attachment = Attachment(
            sources.uuid(), volume.id, str(given.get("instance_uuid") or ""), sources.now()
        )
        self._cinder.keep(attachment)
        connector = given.get("connector")
        if connector:
            attachment = self._connect(attachment, connector)
        return json_response(200, {"attachment": views.attachment_view(attachment)})

    def _connect(self, attachment: Attachment, connector: Document) -> Attachment:
        if self._cinder.get(attachment.volume_id).status != "attaching":
            self._cinder.move(attachment.volume_id, "connect")
        return self._cinder.keep(
            replace(
                attachment,
                status="attaching",
                host=str(connector.get("host") or ""),
                device=str(connector.get("mountpoint") or ""),
                connector=MappingProxyType(dict(connector)),
            )
        )

    def list(self, exchange: Exchange) -> Response:
        """Those of the caller's project."""
        caller = exchange.caller
        rows = [
            views.attachment_view(one)
            for one in self._cinder.attachments(exchange.request.parameter("volume_id"))
            if self._cinder.get(one.volume_id).project_id == caller.project_id or caller.is_admin
        ]
        return json_response(200, {"attachments": rows})

    def show(self, exchange: Exchange) -> Response:
        """One attachment."""
        return json_response(200, {"attachment": views.attachment_view(self._seen(exchange))})

    def update(self, exchange: Exchange) -> Procedure[Response]:
        """PUT: the host that uses the volume."""
        attachment = self._seen(exchange)
        given = yield from body.member(exchange, "attachment")
        connector = given.get("connector")
        if not isinstance(connector, dict):
            raise ApiError(400, "Invalid input for field/attribute connector.")
        return json_response(200, {"attachment": views.attachment_view(self._connect(attachment, connector))})

    def act(self, exchange: Exchange) -> Procedure[Response]:
        """`os-complete`: the host uses the volume now."""
        attachment = self._seen(exchange)
        given = yield from body.document(exchange)
        if "os-complete" not in given:
            raise ApiError(400, "There is no such action")
        self._cinder.move(attachment.volume_id, "complete")
        self._cinder.keep(replace(attachment, status="attached"))
        return empty(204)

    def delete(self, exchange: Exchange) -> Procedure[Response]:
        """DELETE. Without a service token Nova is asked first, so that no user takes a disk from a running
        server.

        (cinder.volume.api.attachment_deletion_allowed, CVE-2023-2088)
        """
        attachment = self._seen(exchange)
        if "service" not in exchange.caller.service_roles and attachment.server_id:
            used = yield from self._servers.attachment_of(
                exchange.caller, attachment.server_id, attachment.volume_id
            )
            if used == attachment.id:
                raise ApiError(
                    409, f"Detach volume from instance {attachment.server_id} using the Compute API"
                )
        self._cinder.detach(attachment)
        rest = [views.attachment_view(one) for one in self._cinder.attachments(attachment.volume_id)]
        return json_response(200, {"attachments": rest})

    def _seen(self, exchange: Exchange) -> Attachment:
        return self._cinder.attachment(exchange.caller, exchange.params["id"])


class SnapshotsApi:
    """Handlers of `/snapshots`."""

    def __init__(self, cinder: Cinder) -> None:
        self._cinder = cinder

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("POST", "/snapshots", self.create),
            Route("GET", "/snapshots", self.list),
            Route("GET", "/snapshots/detail", self.list),
            Route("GET", "/snapshots/{id}", self.show),
            Route("DELETE", "/snapshots/{id}", self.delete),
        )

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """POST: of a volume that is free, or of any with `force`."""
        given = yield from body.member(exchange, "snapshot")
        volume = self._cinder.seen(exchange.caller, str(given.get("volume_id")))
        if volume.status != "available" and not given.get("force"):
            raise ApiError(
                400,
                f"Invalid volume: Volume {volume.id} status must be available, but is {volume.status}.",
            )
        now = micro(self._cinder.sources.now())
        row = {
            "id": self._cinder.sources.uuid(),
            "name": given.get("name"),
            "description": given.get("description"),
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "status": "available",
            "size": volume.size,
            "metadata": dict(given.get("metadata") or {}),
            "created_at": now,
            "updated_at": now,
        }
        self._cinder.snapshots.add(row)
        return json_response(202, {"snapshot": {**views.snapshot(row), "status": "creating"}})

    def list(self, exchange: Exchange) -> Response:
        """Those of the caller's project, newest first."""
        name, volume_id = exchange.request.parameter("name"), exchange.request.parameter("volume_id")
        rows = [
            views.snapshot(row)
            for row in reversed(self._cinder.snapshots.where(project_id=exchange.caller.project_id))
            if name in {"", row["name"]} and volume_id in {"", row["volume_id"]}
        ]
        return json_response(200, {"snapshots": rows})

    def show(self, exchange: Exchange) -> Response:
        """One snapshot."""
        row = self._cinder.snapshot_of(exchange.caller, exchange.params["id"])
        return json_response(200, {"snapshot": views.snapshot(row)})

    def delete(self, exchange: Exchange) -> Response:
        """DELETE."""
        row = self._cinder.snapshot_of(exchange.caller, exchange.params["id"])
        self._cinder.snapshots.remove(row["id"])
        return empty(202)

"""Cinder's answers: volumes, attachments, snapshots, errors, version documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.messages import Document, Request, Response, json_response
from oidproxy.sim.microversions import Microversions
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from oidproxy.sim.cinder.model import Attachment, Cinder, Volume
    from oidproxy.sim.faults import ApiError
    from oidproxy.sim.routes import Exchange

VERSIONS = Microversions("volume", (3, 0), (3, 71))
FAULTS = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 501: "notImplemented",
}  # fmt: skip


def links(exchange: Exchange, collection: str, identity: str) -> list[Document]:
    """Absolute links to a resource, with the project in them."""
    origin, project = exchange.request.origin, exchange.caller.project_id
    return [
        {"rel": "self", "href": f"{origin}/v3/{project}/{collection}/{identity}"},
        {"rel": "bookmark", "href": f"{origin}/{project}/{collection}/{identity}"},
    ]


def brief(exchange: Exchange, volume: Volume) -> Document:
    """A volume in a list without detail."""
    return {"id": volume.id, "name": volume.name, "links": links(exchange, "volumes", volume.id)}


def detail(exchange: Exchange, cinder: Cinder, volume: Volume) -> Document:
    """A volume."""
    document: Document = {
        **brief(exchange, volume),
        "description": volume.description,
        "size": volume.size,
        "status": volume.status,
        "attachments": [_use(one) for one in cinder.attachments(volume.id) if one.host],
        "availability_zone": "nova",
        "bootable": "true" if volume.bootable else "false",
        "consistencygroup_id": None,
        "created_at": micro(volume.created),
        "updated_at": micro(volume.updated),
        "encrypted": False,
        "metadata": dict(volume.metadata),
        "multiattach": False,
        "replication_status": None,
        "snapshot_id": volume.snapshot_id,
        "source_volid": volume.source_id,
        "user_id": volume.user_id,
        "volume_type": volume.volume_type,
        "os-vol-tenant-attr:tenant_id": volume.project_id,
    }
    if volume.image_metadata:
        document["volume_image_metadata"] = dict(volume.image_metadata)
    if exchange.caller.is_admin:
        document |= {
            "os-vol-host-attr:host": "host@lvmdriver-1#lvmdriver-1",
            "os-vol-mig-status-attr:migstat": None,
            "os-vol-mig-status-attr:name_id": None,
        }
    if exchange.version >= (3, 48):
        document |= {"service_uuid": None, "shared_targets": False}
    if exchange.version >= (3, 63):
        kind = cinder.types.find(name=volume.volume_type)
        document["volume_type_id"] = kind["id"] if kind else None
    return document


def _use(attachment: Attachment) -> Document:
    return {
        "id": attachment.volume_id,
        "attachment_id": attachment.id,
        "volume_id": attachment.volume_id,
        "server_id": attachment.server_id,
        "host_name": attachment.host,
        "device": attachment.device,
        "attached_at": micro(attachment.created),
    }


def attachment_view(attachment: Attachment) -> Document:
    """An attachment; its connection is that of a volume that needs no wires."""
    connection = {"driver_volume_type": "fake", "access_mode": "rw", "attachment_id": attachment.id}
    return {
        "id": attachment.id,
        "volume_id": attachment.volume_id,
        "instance": attachment.server_id,
        "status": attachment.status,
        "attach_mode": "rw",
        "attached_at": micro(attachment.created),
        "detached_at": "",
        "connection_info": connection if attachment.host else {},
    }


def snapshot(row: Document) -> Document:
    """A snapshot."""
    return {
        key: row[key]
        for key in (
            "id",
            "name",
            "description",
            "volume_id",
            "status",
            "size",
            "created_at",
            "updated_at",
            "metadata",
        )
    } | {
        "os-extended-snapshot-attributes:project_id": row["project_id"],
        "os-extended-snapshot-attributes:progress": "100%",
    }


def error(fault: ApiError, _request: Request, _request_id: str) -> Response:
    """Cinder's error answers."""
    name = FAULTS.get(fault.status, "computeFault")
    return json_response(fault.status, {name: {"code": fault.status, "message": fault.message}})


def versions(request: Request) -> Document:
    """The version document; links are absolute."""
    described = {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}
    media = {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": "3.71",
        "min_version": "3.0",
        "updated": "2023-08-31T00:00:00Z",
        "links": [described, {"rel": "self", "href": f"{request.origin}/v3/"}],
        "media-types": [media],
    }
    return {"versions": [version]}

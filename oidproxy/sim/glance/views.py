"""Glance's answers: images, members, errors, version documents."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError, title
from oidproxy.sim.messages import JSON, Document, Request, Response, json_response
from oidproxy.sim.timestamps import zulu

if TYPE_CHECKING:
    from oidproxy.sim.glance.model import Image, Member

VERSIONS = (
    ("v2.17", "CURRENT"),
    *((f"v2.{minor}", "SUPPORTED") for minor in (16, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)),
)


def plain(image: Image) -> Document:
    """An image as clients see it; links are root-relative."""
    content = image.content
    return {
        **image.properties,
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": image.visibility,
        "owner": image.owner,
        "protected": image.protected,
        "os_hidden": image.os_hidden,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "size": content.size if content else None,
        "virtual_size": None,
        "checksum": content.md5 if content else None,
        "os_hash_algo": "sha512" if content else None,
        "os_hash_value": content.sha512 if content else None,
        "tags": sorted(image.tags),
        "created_at": zulu(image.created_at),
        "updated_at": zulu(image.updated_at),
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }


def member_view(image: Image, member: Member) -> Document:
    """A project's share of an image."""
    return {
        "member_id": member.project_id,
        "image_id": image.id,
        "status": member.status,
        "created_at": zulu(member.created_at),
        "updated_at": zulu(member.updated_at),
        "schema": "/v2/schemas/member",
    }


def versions(request: Request) -> Document:
    """Every version; links are absolute."""
    links = [{"rel": "self", "href": f"{request.origin}/v2/"}]
    return {"versions": [{"id": name, "status": status, "links": links} for name, status in VERSIONS]}


def error(fault: ApiError, request: Request, _request_id: str) -> Response:
    """WebOb's error pages: HTML unless JSON was asked for by name."""
    name = title(fault.status)
    if JSON in request.field("accept"):
        body = {
            "message": f"{fault.message}<br /><br />\n\n\n",
            "code": f"{fault.status} {name}",
            "title": name,
        }
        return json_response(fault.status, body)
    heading = f"{fault.status} {name}"
    page = (
        f"<html>\n <head>\n  <title>{heading}</title>\n </head>\n <body>\n  <h1>{heading}</h1>\n  "
        f"{escape(fault.message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return Response(fault.status, (("Content-Type", "text/html; charset=UTF-8"),), page.encode())

"""Nova's answers: servers, flavors, keypairs, errors, version documents."""

from __future__ import annotations

from hashlib import sha224
from typing import TYPE_CHECKING

from oidproxy.sim.messages import Document, Request, Response, json_response
from oidproxy.sim.microversions import Microversions, Version
from oidproxy.sim.nova.server import POWER, Server
from oidproxy.sim.timestamps import micro, zulu

if TYPE_CHECKING:
    from oidproxy.sim.faults import ApiError
    from oidproxy.sim.routes import Exchange

VERSIONS = Microversions("compute", (2, 1), (2, 96), "X-OpenStack-Nova-API-Version")
FAULTS = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
    503: "serviceUnavailable",
}  # fmt: skip


def links(request: Request, collection: str, identity: str) -> list[Document]:
    """Absolute links to a resource."""
    return [
        {"rel": "self", "href": f"{request.origin}/v2.1/{collection}/{identity}"},
        {"rel": "bookmark", "href": f"{request.origin}/{collection}/{identity}"},
    ]


def brief(request: Request, server: Server) -> Document:
    """A server in a list without detail."""
    return {"id": server.id, "name": server.name, "links": links(request, "servers", server.id)}


def detail(exchange: Exchange, server: Server, groups: list[str]) -> Document:
    """A server with all that this caller may see in this microversion."""
    request, version = exchange.request, exchange.version
    document: Document = {
        **brief(request, server),
        "status": server.status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": dict(server.metadata),
        "hostId": sha224((server.project_id + server.host).encode()).hexdigest() if server.host else "",
        "image": _image(request, server),
        "flavor": _flavor_of(request, server, version),
        "created": zulu(server.created),
        "updated": zulu(server.updated),
        "addresses": addresses(server),
        "accessIPv4": server.access[0],
        "accessIPv6": server.access[1],
        "OS-DCF:diskConfig": server.disk_config,
        "OS-EXT-AZ:availability_zone": "nova" if server.host else "",
        "config_drive": server.config_drive,
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": micro(server.launched) if server.launched else None,
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": POWER.get(server.vm_state, 0),
        "os-extended-volumes:volumes_attached": _volumes(server, version),
    }
    if server.status in {"ACTIVE", "BUILD", "REBOOT"}:
        document["progress"] = 0
    if groups:
        document["security_groups"] = [{"name": name} for name in groups]
    if server.fault and server.vm_state in {"error", "deleted"}:
        document["fault"] = server.fault
    document |= _of_version(server, version)
    if exchange.caller.is_admin:
        document |= _of_admin(server, version)
    return document


def _image(request: Request, server: Server) -> Document | str:
    if not server.image_id:
        return ""
    href = f"{request.origin}/images/{server.image_id}"
    return {"id": server.image_id, "links": [{"rel": "bookmark", "href": href}]}


def _flavor_of(request: Request, server: Server, version: Version) -> Document:
    flavor = server.flavor
    if version < (2, 47):
        href = f"{request.origin}/flavors/{flavor['id']}"
        return {"id": flavor["id"], "links": [{"rel": "bookmark", "href": href}]}
    return {
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "ephemeral": flavor["OS-FLV-EXT-DATA:ephemeral"],
        "swap": flavor["swap"] or 0,
        "original_name": flavor["name"],
        "extra_specs": flavor["extra_specs"],
    }


def addresses(server: Server) -> Document:
    """A server's addresses by network."""
    found: Document = {}
    for interface in server.interfaces:
        rows = found.setdefault(interface.network, [])
        rows += [
            {
                "version": 6 if ":" in address else 4,
                "addr": address,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": interface.mac,
            }
            for address in interface.addresses
        ]
    return found


def _volumes(server: Server, version: Version) -> list[Document]:
    if version < (2, 3):
        return [{"id": one.volume_id} for one in server.attachments]
    return [
        {"id": one.volume_id, "delete_on_termination": one.delete_on_termination}
        for one in server.attachments
    ]


def _of_version(server: Server, version: Version) -> Document:
    """What later microversions add for everybody."""
    later: tuple[tuple[Version, str, object], ...] = (
        ((2, 9), "locked", server.locked),
        ((2, 19), "description", server.description),
        ((2, 26), "tags", list(server.tags)),
        ((2, 63), "trusted_image_certificates", None),
        ((2, 71), "server_groups", []),
        ((2, 73), "locked_reason", None),
        ((2, 90), "OS-EXT-SRV-ATTR:hostname", server.name.lower()),
        ((2, 96), "pinned_availability_zone", server.pinned_zone),
    )
    return {name: value for since, name, value in later if version >= since}


def _of_admin(server: Server, version: Version) -> Document:
    document: Document = {
        "OS-EXT-SRV-ATTR:host": server.host or None,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host or None,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server.id[:8]}",
    }
    if version >= (2, 3):
        document |= {
            "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
            "OS-EXT-SRV-ATTR:launch_index": server.launch_index,
            "OS-EXT-SRV-ATTR:hostname": server.name.lower(),
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
            "OS-EXT-SRV-ATTR:user_data": server.user_data,
        }
    if version >= (2, 16):
        document["host_status"] = "UP" if server.host else ""
    return document


def flavor(exchange: Exchange, row: Document) -> Document:
    """A flavor with detail."""
    request, version = exchange.request, exchange.version
    hidden = {"extra_specs", "description", "projects"}
    document = {key: value for key, value in row.items() if key not in hidden}
    document["links"] = links(request, "flavors", row["id"])
    if version >= (2, 55):
        document["description"] = row["description"]
    if version >= (2, 61):
        document["extra_specs"] = row["extra_specs"]
    if version >= (2, 75):
        document["swap"] = row["swap"] or 0
    return document


def keypair(row: Document, version: Version, *, shown: bool) -> Document:
    """A keypair in a list, or shown by itself."""
    document = {"name": row["name"], "public_key": row["public_key"], "fingerprint": row["fingerprint"]}
    if version >= (2, 2):
        document["type"] = row["type"]
    if shown:
        document |= {
            key: row[key] for key in ("id", "user_id", "created_at", "deleted", "deleted_at", "updated_at")
        }
    return document


def error(fault: ApiError, _request: Request, _request_id: str) -> Response:
    """Nova's error answers."""
    name = FAULTS.get(fault.status, "computeFault")
    message = fault.message
    if fault.status == 500 and message == "Internal Server Error":
        message = "Unexpected API Error. Please report this and attach the Nova API log if possible."
    return json_response(fault.status, {name: {"code": fault.status, "message": message}})


def versions(request: Request) -> list[Document]:
    """Both versions."""
    return [
        {
            "id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "",
            "updated": "2011-01-21T11:33:21Z",
            "links": [{"rel": "self", "href": f"{request.origin}/v2/"}],
        },
        {
            "id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{request.origin}/v2.1/"}],
        },
    ]  # fmt: skip


def version_detail(request: Request) -> Document:
    """What `/v2.1/` says of itself."""
    described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    document = versions(request)[1]
    media = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    return {**document, "links": [*document["links"], described], "media-types": [media]}

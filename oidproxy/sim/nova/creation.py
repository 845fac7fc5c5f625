"""`POST /servers`: from the request to servers that are being built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, json_response
from oidproxy.sim.nova import views
from oidproxy.sim.nova.compute import Compute, Mapping, Order
from oidproxy.sim.nova.images import Images
from oidproxy.sim.nova.networks import Networks, Requested, Wanted
from oidproxy.sim.nova.server import Server
from oidproxy.sim.nova.volumes import Volumes
from oidproxy.sim.steps import Procedure, Spawn

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.nova.process import Process
    from oidproxy.sim.routes import Exchange

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class _Disk:
    """What a new server boots from."""

    image: Document | None
    mappings: tuple[Mapping, ...]


class Creation:
    """nova-api's part of building servers."""

    def __init__(self, nova: Nova, process: Process, compute: Compute) -> None:
        self._nova = nova
        self._compute = compute
        self._images = Images(process)
        self._networks = Networks(process)
        self._volumes = Volumes(process)

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """Check what is asked for at the services that it concerns, answer 202, and build."""
        given = yield from body.member(exchange, "server")
        user = exchange.caller
        flavor = self._flavor(given)
        self._check_key(user, given)
        disk = yield from self._disk(user, given, flavor)
        wanted = _wanted(given, exchange.version)
        networks = yield from self._networks.validate(user, wanted, _count(given), self._nova.sources.now())
        servers = self._servers(user, given, flavor, disk.image)
        for server in servers:
            mappings = yield from self._reserve(user, server, disk.mappings)
            yield Spawn(self._compute.build(user, Order(server.id, networks, mappings)))
        return self._accepted(exchange, servers, given)

    def _accepted(self, exchange: Exchange, servers: list[Server], given: Document) -> Response:
        server = servers[0]
        if given.get("return_reservation_id"):
            return json_response(202, {"reservation_id": server.reservation_id})
        own = views.links(exchange.request, "servers", server.id)
        password = given.get("adminPass") or self._nova.sources.octets(6).hex()
        document = {
            "id": server.id,
            "links": own,
            "OS-DCF:diskConfig": server.disk_config,
            "security_groups": [{"name": name} for name in server.security_groups],
            "adminPass": password,
        }
        return json_response(202, {"server": document}, ("Location", own[0]["href"]))

    def _flavor(self, given: Document) -> Document:
        name = given.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= 255:
            raise ApiError(
                400, "Invalid input for field/attribute name. A name of 1 to 255 characters is required."
            )
        try:
            return self._nova.flavor(str(given.get("flavorRef", "")))
        except ApiError as error:
            raise ApiError(400, error.message) from None

    def _check_key(self, user: Caller, given: Document) -> None:
        name = given.get("key_name")
        if name and not self._nova.keypairs.find(user_id=user.user_id, name=name):
            raise ApiError(400, "Invalid key_name provided.")

    def _disk(self, user: Caller, given: Document, flavor: Document) -> Procedure[_Disk]:
        """The image is asked of the Glance that the user's catalog names, with the user's token."""
        image_id = str(given.get("imageRef") or "").rsplit("/", 1)[-1]
        image: Document | None = None
        if image_id:
            image = yield from self._images.show(user, image_id, schema=True)
            _check_image(image, flavor)
        mappings: list[Mapping] = []
        for entry in given.get("block_device_mapping_v2") or ():
            mapping = yield from self._mapping(user, entry)
            mappings += [mapping] if mapping else []
        if image is None and not mappings:
            raise ApiError(400, "Invalid imageRef provided.")
        return _Disk(image, tuple(mappings))

    def _mapping(self, user: Caller, entry: Document) -> Procedure[Mapping | None]:
        source, target = entry.get("source_type"), entry.get("destination_type")
        ends = bool(entry.get("delete_on_termination", False))
        if source == "volume":
            volume = yield from self._volumes.show(user, entry["uuid"])
            if volume["status"] != "available":
                raise ApiError(
                    400, f"Block Device Mapping is Invalid: volume {volume['id']} is {volume['status']}."
                )
            return Mapping(volume_id=volume["id"], delete_on_termination=ends)
        if source == "image" and target == "volume":
            image = yield from self._images.show(user, entry["uuid"], schema=True)
            size = int(entry.get("volume_size") or max(1, -(-(image.get("size") or 0) // GIB)))
            return Mapping(image_id=image["id"], size=size, delete_on_termination=ends)
        if source == "image" and target == "local":
            return None
        raise ApiError(
            400, "Block Device Mapping is Invalid: only volumes and images are supported as sources."
        )

    def _reserve(
        self, user: Caller, server: Server, mappings: tuple[Mapping, ...]
    ) -> Procedure[tuple[Mapping, ...]]:
        """Reserve the volumes that are there already for this server."""
        found: list[Mapping] = []
        for mapping in mappings:
            if mapping.volume_id:
                attachment_id = yield from self._volumes.reserve(user, server.id, mapping.volume_id)
                found.append(replace(mapping, attachment_id=attachment_id))
            else:
                found.append(mapping)
        return tuple(found)

    def _servers(
        self, user: Caller, given: Document, flavor: Document, image: Document | None
    ) -> list[Server]:
        """The servers of one request: alike but for id, name and place."""
        template = self._template(user, given, flavor, image["id"] if image else "")
        count = _count(given)
        if count == 1:
            return [self._nova.add(template)]
        return [
            self._nova.add(
                replace(
                    template,
                    id=self._nova.sources.uuid(),
                    name=f"{template.name}-{place + 1}",
                    launch_index=place,
                )
            )
            for place in range(count)
        ]

    def _template(self, user: Caller, given: Document, flavor: Document, image_id: str) -> Server:
        sources = self._nova.sources
        now = sources.now()
        names = tuple(group["name"] for group in given.get("security_groups") or ({"name": "default"},))
        return Server(
            id=sources.uuid(),
            name=given["name"],
            project_id=user.project_id,
            user_id=user.user_id,
            flavor=flavor,
            image_id=image_id,
            created=now,
            updated=now,
            reservation_id=f"r-{sources.octets(4).hex()}",
            description=given.get("description"),
            key_name=given.get("key_name"),
            metadata=MappingProxyType(dict(given.get("metadata") or {})),
            tags=tuple(given.get("tags") or ()),
            user_data=given.get("user_data"),
            config_drive="True" if given.get("config_drive") else "",
            disk_config=given.get("OS-DCF:diskConfig", "MANUAL"),
            access=(given.get("accessIPv4") or "", given.get("accessIPv6") or ""),
            pinned_zone=given.get("availability_zone"),
            security_groups=tuple(dict.fromkeys(names)),
        )


def _count(given: Document) -> int:
    """How many servers: `min_count` at least, and the cloud always has room for `max_count`."""
    try:
        least = int(given.get("min_count") or 1)
        most = int(given.get("max_count") or least)
    except (TypeError, ValueError):
        raise ApiError(400, "Invalid input for field/attribute min_count.") from None
    if not 1 <= least <= most:
        raise ApiError(400, "min_count must be <= max_count")
    return most


def _check_image(image: Document, flavor: Document) -> None:
    """What Nova refuses before it builds anything."""
    if image["status"] != "active":
        raise ApiError(400, f"Image {image['id']} is not active.")
    if (image.get("min_ram") or 0) > flavor["ram"]:
        raise ApiError(400, "Flavor's memory is too small for requested image.")
    disk = flavor["disk"]
    if disk and ((image.get("min_disk") or 0) > disk or (image.get("size") or 0) > disk * GIB):
        raise ApiError(400, "Flavor's disk is too small for requested image.")


def _wanted(given: Document, version: tuple[int, int]) -> Wanted:
    """The networks of a request; without any, what is available is attached."""
    networks: Any = given.get("networks")
    if networks is None:
        if version >= (2, 37):
            raise ApiError(400, "Invalid input for field/attribute server. 'networks' is a required property")
        return "auto"
    if networks in ("auto", "none"):
        return str(networks)
    if not isinstance(networks, list):
        raise ApiError(400, "Invalid input for field/attribute networks.")
    return tuple(_requested(entry) for entry in networks) or "auto"


def _requested(entry: Document) -> Requested:
    if not entry.get("uuid") and not entry.get("port"):
        raise ApiError(400, "Invalid input for field/attribute networks: uuid or port is required.")
    return Requested(entry.get("uuid") or "", entry.get("port") or "", entry.get("fixed_ip") or "")

"""What happens to a server after the API has answered: scheduler and compute build it, snapshot it, tear it
down.

The calls and their order are those of the real services, as recorded beside a real cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.nova.images import Images
from oidproxy.sim.nova.networks import Networks, Wanted
from oidproxy.sim.nova.resources import Resources
from oidproxy.sim.nova.server import Attachment, Server
from oidproxy.sim.nova.volumes import Volumes
from oidproxy.sim.steps import CallFailedError, Note, Procedure
from oidproxy.sim.timestamps import zulu

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Content, Document
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.nova.process import Processes

SNAPSHOT_SIZE = 1 << 20
"""Bytes of a snapshot: what stands in for the disk of a server."""
ATTACHED = ("vdb", "vdc", "vdd", "vde", "vdf", "vdg", "vdh", "vdi", "vdj", "vdk", "vdl", "vdm")


class UnwantedError(Exception):
    """The server was deleted while something was done for it."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A volume that a new server gets: one that is there, or one to be made of an image."""

    volume_id: str = ""
    image_id: str = ""
    size: int = 0
    attachment_id: str = ""
    delete_on_termination: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A server to be built."""

    server_id: str
    networks: Wanted
    mappings: tuple[Mapping, ...] = ()


class Compute:
    """Conductor, scheduler and compute of one Nova."""

    def __init__(self, nova: Nova, processes: Processes) -> None:
        self._nova = nova
        self._claims = Resources(processes.scheduler)
        self._resources = Resources(processes.compute)
        self._images = Images(processes.compute)
        self._networks = Networks(processes.compute)
        self._volumes = Volumes(processes.compute)
        self._building: set[str] = set()
        self._destroying: set[str] = set()

    def build(self, user: Caller, order: Order) -> Procedure[None]:
        """Build a server: ACTIVE in the end, or ERROR with a fault; or nothing at all when it was deleted
        meanwhile."""
        self._building.add(order.server_id)
        try:
            yield from self._build(user, order)
        except UnwantedError:
            pass
        except (ApiError, CallFailedError) as error:
            yield from self._fail(user, order.server_id, error)
        finally:
            self._building.discard(order.server_id)
        if not self._nova.is_wanted(order.server_id):
            yield from self.destroy(user, order.server_id)

    def _build(self, user: Caller, order: Order) -> Procedure[None]:
        identity = order.server_id
        yield from self._claims.schedule(user, self._nova.get(identity))
        server = self._nova.change(identity, host=self._nova.host)
        yield from self._resources.look(user, server)
        yield from self._resources.look_at_provider(user, self._nova.provider_id)
        yield from self._resources.look(user, server, times=4)
        self._step(identity, "network")
        interfaces = yield from self._networks.allocate(
            user, server, order.networks, self._nova.sources.now()
        )
        self._nova.change(identity, interfaces=interfaces)
        self._step(identity, "map")
        for mapping in order.mappings:
            yield from self._map(user, identity, mapping)
        self._step(identity, "spawn")
        yield from self._spawn(user, self._nova.get(identity))
        self._step(identity, "boot")

    def _step(self, identity: str, event: str) -> None:
        if not self._nova.is_wanted(identity):
            raise UnwantedError
        values = {"launched": self._nova.sources.now()} if event == "boot" else {}
        self._nova.move(identity, event, **values)

    def _map(self, user: Caller, identity: str, mapping: Mapping) -> Procedure[None]:
        attachment_id, volume_id = mapping.attachment_id, mapping.volume_id
        if not volume_id:
            volume_id = (yield from self._volumes.create(user, mapping.image_id, mapping.size))["id"]
        if not attachment_id:
            attachment_id = yield from self._volumes.reserve(user, identity, volume_id)
        boot = not self._nova.get(identity).attachments
        yield from self._attach(
            user, identity, Attachment(volume_id, attachment_id, "/dev/vda" if boot else ""), mapping
        )

    def _attach(
        self, user: Caller, identity: str, attachment: Attachment, mapping: Mapping
    ) -> Procedure[None]:
        server = self._nova.get(identity)
        device = attachment.device or _free_device(server)
        held = replace(attachment, device=device, delete_on_termination=mapping.delete_on_termination)
        self._nova.change(identity, attachments=(*server.attachments, held))
        yield from self._volumes.connect(user, held.attachment_id, held.volume_id, server.host, device)

    def _spawn(self, user: Caller, server: Server) -> Procedure[None]:
        """Read the image's data, as the driver does, and see that it is what Glance said it was."""
        if server.image_id:
            image = yield from self._images.show(user, server.image_id, schema=False)
            started = self._nova.sources.now()
            content = yield from self._images.download(user, server.image_id)
            yield self._note(server, image, content, started)
            if not _matches(image, content):
                raise ApiError(
                    500, f"Image {image['id']} is unacceptable: its data does not match its digest."
                )
        yield from self._networks.describe(user, server)

    def _note(self, server: Server, image: Document, content: Content, started: float) -> Note:
        """For whoever wants to know which bytes were read: a line in `downloads.jsonl`."""
        entry = {
            "at": started,
            "seconds": self._nova.sources.now() - started,
            "server_id": server.id,
            "server_name": server.name,
            "image_id": image["id"],
            "image_name": image["name"],
            "size": content.size,
            "md5": content.md5,
            "sha256": content.sha256,
            "sha512": content.sha512,
            "expected": image.get("os_hash_value"),
            "matches": _matches(image, content),
        }
        return Note("downloads", entry)

    def _fail(self, user: Caller, identity: str, error: ApiError | CallFailedError) -> Procedure[None]:
        if not self._nova.is_wanted(identity):
            return
        now = self._nova.sources.now()
        fault = {
            "code": 500,
            "created": zulu(now),
            "message": f"Build of instance {identity} aborted: {error}",
        }
        server = self._nova.move(identity, "fail", fault=fault)
        yield from self._give_up(user, server)
        self._nova.change(identity, interfaces=(), attachments=())

    def _give_up(self, user: Caller, server: Server) -> Procedure[None]:
        """Release what a server holds, as far as that is possible."""
        for attachment in server.attachments:
            yield from _tolerating(self._volumes.detach(user, attachment.attachment_id))
            if attachment.delete_on_termination:
                yield from _tolerating(self._volumes.delete(user, attachment.volume_id))
        yield from _tolerating(self._networks.release_all(user, server))
        if server.host:
            yield from _tolerating(self._resources.free(user, server))

    def refresh(self, user: Caller, identity: str) -> Procedure[None]:
        """Neutron says that something about a server's network changed: look."""
        if self._nova.is_wanted(identity):
            yield from _tolerating(self._networks.describe(user, self._nova.get(identity), again=True))

    def destroy(self, user: Caller, identity: str) -> Procedure[None]:
        """Delete a server; while it is being built, its builder does that as soon as it notices."""
        if identity in self._building | self._destroying or not self._nova.has(identity):
            return
        self._destroying.add(identity)
        try:
            yield from self._destroy(user, self._nova.get(identity))
        finally:
            self._destroying.discard(identity)

    def _destroy(self, user: Caller, server: Server) -> Procedure[None]:
        if server.host:
            yield from _tolerating(self._resources.look_at_provider(user, self._nova.provider_id))
            yield from _tolerating(self._resources.look(user, server, times=4))
        yield from self._give_up(user, server)
        self._nova.remove(server.id)

    def attach(self, user: Caller, identity: str, attachment: Attachment) -> Procedure[None]:
        """Attach a reserved volume to a running server."""
        mapping = Mapping(delete_on_termination=attachment.delete_on_termination)
        yield from _tolerating(self._attach(user, identity, attachment, mapping))

    def detach(self, user: Caller, identity: str, volume_id: str) -> Procedure[None]:
        """Detach a volume."""
        server = self._nova.get(identity)
        gone = next(one for one in server.attachments if one.volume_id == volume_id)
        yield from self._volumes.detach(user, gone.attachment_id)
        rest = tuple(one for one in self._nova.get(identity).attachments if one.volume_id != volume_id)
        self._nova.change(identity, attachments=rest)

    def snapshot(self, user: Caller, identity: str, image_id: str) -> Procedure[None]:
        """Upload a server's disk to its snapshot; a snapshot that failed is deleted."""
        try:
            self._nova.move(identity, "upload")
            yield from self._images.upload(user, image_id, identity, SNAPSHOT_SIZE)
        except (ApiError, CallFailedError):
            yield from _tolerating(self._images.delete(user, image_id))
        if self._nova.is_wanted(identity):
            self._nova.move(identity, "settle")


def _free_device(server: Server) -> str:
    taken = {attachment.device for attachment in server.attachments}
    names = [f"/dev/{name}" for name in ATTACHED]
    return next((name for name in names if name not in taken), names[-1])


def _matches(image: Document, content: Content) -> bool:
    """What glanceclient verifies while it reads: size, then the digest that the image names."""
    digests = MappingProxyType({"sha512": content.sha512, "sha256": content.sha256, "md5": content.md5})
    if image.get("size") != content.size:
        return False
    digest = digests.get(str(image.get("os_hash_algo")))
    if digest:
        return bool(image["os_hash_value"] == digest)
    return bool(image.get("checksum") == content.md5)


def _tolerating(procedure: Procedure[None]) -> Procedure[None]:
    """Go on when a call to another service fails: there is nobody left to tell."""
    try:
        yield from procedure
    except (ApiError, CallFailedError):
        return

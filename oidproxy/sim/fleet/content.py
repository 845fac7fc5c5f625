"""What the clouds of a fleet hold from the start, beside what any simulated cloud does: much to list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim.blobs import Blobs, Hasher, generated
from oidproxy.sim.cinder.model import Volume
from oidproxy.sim.neutron.kinds import NETWORK, PORT, SECURITY_GROUP
from oidproxy.sim.nova.server import Server
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from oidproxy.sim.cloud import Cloud
    from oidproxy.sim.glance.model import Image
    from oidproxy.sim.messages import Content

SYSTEMS = ("cirros", "debian-12", "ubuntu-24.04", "rocky-9", "fedora-42", "alpine-3.21", "freebsd-14")
IMAGE_SIZE = 4096
MONTH = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Owner:
    """A project that has resources in every cloud, and its user."""

    project_id: str
    user_id: str


def owner(cloud: Cloud, name: str = "demo") -> Owner:
    """A cloud's own user of this name, in its project of the same name."""
    project, user = cloud.keystone.projects.find(name=name), cloud.keystone.users.find(name=name)
    return Owner(project["id"] if project else "", user["id"] if user else "")


class Contents:
    """The bytes of images: the same image has the same ones in every cloud that has it."""

    def __init__(self, count: int) -> None:
        self.names = tuple(f"{SYSTEMS[number % len(SYSTEMS)]}-{number:03}" for number in range(count))
        self._contents = tuple(map(_content, self.names))

    def items(self) -> Iterator[tuple[str, Content]]:
        """Names, and what is known of their bytes."""
        return zip(self.names, self._contents, strict=True)


class GeneratedBlobs(Blobs):
    """A cloud's blobs, of which the images that it began with are generated when they are read."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._patterns: dict[str, str] = {}

    def put(self, image: Image) -> None:
        """Let an image's bytes be those of its name."""
        self._patterns[image.blob] = image.name or ""

    def size(self, name: str) -> int:
        """Its length."""
        return IMAGE_SIZE if name in self._patterns else super().size(name)

    def pieces(self, name: str) -> Generator[bytes]:
        """Its bytes, piece by piece."""
        pattern = self._patterns.get(name)
        return super().pieces(name) if pattern is None else _pieces(pattern)

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""
        if self._patterns.pop(name, None) is None:
            super().remove(name)


@dataclass(frozen=True, slots=True)
class Turn:
    """One of so many: a resource of each kind is made."""

    number: int
    count: int
    owner: Owner


def fill(cloud: Cloud, blobs: GeneratedBlobs, contents: Contents, owners: Sequence[Owner]) -> None:
    """As many of each kind as there are images; all but the images belong to the owners in turn."""
    admin = cloud.keystone.projects.find(name="admin")
    for number, (name, content) in enumerate(contents.items()):
        turn = Turn(number, len(contents.names), owners[number % len(owners)])
        image = _image(cloud, (name, content), admin["id"] if admin else "", turn)
        blobs.put(image)
        _server(cloud, image, turn)
        _volume(cloud, turn)
        _port(cloud, turn)
        _keypair(cloud, turn)


def _image(cloud: Cloud, known: tuple[str, Content], project_id: str, turn: Turn) -> Image:
    glance, (name, content) = cloud.glance, known
    image = glance.create(
        project_id,
        name=name,
        visibility="public",
        disk_format="raw",
        container_format="bare",
        properties=MappingProxyType({"os_distro": name.partition("-")[0], "hw_disk_bus": "virtio"}),
    )
    glance.move(image.id, "upload")
    image = glance.move(image.id, "complete", content=content)
    return glance.change(image, created_at=_moment(glance.sources.now(), image.id, turn))


def _server(cloud: Cloud, image: Image, turn: Turn) -> None:
    nova, number = cloud.nova, turn.number
    identity = nova.sources.uuid()
    made = _moment(nova.sources.now(), identity, turn)
    flavors = tuple(nova.flavors)
    nova.add(
        Server(
            id=identity,
            name=f"server-{number:03}",
            project_id=turn.owner.project_id,
            user_id=turn.owner.user_id,
            flavor=flavors[number % len(flavors)],
            image_id=image.id,
            created=made,
            updated=made,
            vm_state="active" if number % 5 else "stopped",
            task_state=None,
            host=nova.host,
            launched=made,
            metadata=MappingProxyType({"number": str(number)}),
        )
    )


def _volume(cloud: Cloud, turn: Turn) -> None:
    cinder, number, owner = cloud.cinder, turn.number, turn.owner
    identity = cinder.sources.uuid()
    made = _moment(cinder.sources.now(), identity, turn)
    volume = Volume(identity, owner.project_id, owner.user_id, 1 + number, made, made)
    cinder.add(replace(volume, name=f"volume-{number:03}", status="available"))
    if number % 4:
        return
    cinder.snapshots.add(
        {
            "id": cinder.sources.uuid(),
            "name": f"snapshot-{number:03}",
            "description": None,
            "volume_id": identity,
            "project_id": owner.project_id,
            "status": "available",
            "size": volume.size,
            "metadata": {},
            "created_at": micro(made),
            "updated_at": micro(made),
        }
    )


def _port(cloud: Cloud, turn: Turn) -> None:
    """In the network that all share: with one more, servers would have to be told which one they are for."""
    neutron, number, project_id = cloud.neutron, turn.number, turn.owner.project_id
    network = next(iter(neutron.table(NETWORK)))
    neutron.create(SECURITY_GROUP, project_id, {"name": f"group-{number:03}"})
    neutron.create(PORT, project_id, {"name": f"port-{number:03}", "network_id": network["id"]})


def _keypair(cloud: Cloud, turn: Turn) -> None:
    nova, name = cloud.nova, f"key-{turn.number:03}"
    digest = sha256(name.encode()).hexdigest()
    nova.keypairs.add(
        {
            "id": nova.sources.uuid(),
            "name": name,
            "user_id": turn.owner.user_id,
            "public_key": f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{digest[:43]} {name}",
            "fingerprint": ":".join(digest[place : place + 2] for place in range(0, 32, 2)),
            "type": "ssh",
            "created_at": micro(nova.sources.now()),
            "deleted": False,
            "deleted_at": None,
            "updated_at": None,
        }
    )


def _moment(now: float, identity: str, turn: Turn) -> float:
    """When a resource was made: within the last month, another moment for each, the first of them first."""
    place = turn.number + int(identity[:6], 16) / (1 << 24)
    return now - MONTH * (1 - place / turn.count)


def _content(pattern: str) -> Content:
    hasher = Hasher()
    for piece in _pieces(pattern):
        hasher.feed(piece)
    return hasher.content()


def _pieces(pattern: str) -> Generator[bytes]:
    # A generator, which whoever streams it closes.
    yield from generated(f"image {pattern}", IMAGE_SIZE)

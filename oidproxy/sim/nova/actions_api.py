"""`POST /servers/{id}/action`, and a server's volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.nova.images import Images
from oidproxy.sim.nova.server import Attachment, Server
from oidproxy.sim.nova.volumes import Volumes
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.steps import Pause, Procedure, Spawn

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.nova.compute import Compute
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.nova.process import Process

ONE = "/v2.1/servers/{id}"
ATTACHMENTS = f"{ONE}/os-volume_attachments"
Action = Callable[[Exchange, Server, Any], Procedure[Response]]


class ActionsApi:
    """Handlers of actions and volume attachments."""

    def __init__(self, nova: Nova, process: Process, compute: Compute) -> None:
        self._nova = nova
        self._compute = compute
        self._images = Images(process)
        self._volumes = Volumes(process)
        self._actions: dict[str, Action] = {
            "os-stop": self._cycle("stop", "stopped"),
            "os-start": self._cycle("start", "started"),
            "reboot": self._cycle("reboot", "rebooted"),
            "createImage": self._create_image,
            "os-getConsoleOutput": self._console_output,
            "lock": self._lock(locked=True),
            "unlock": self._lock(locked=False),
        }

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("POST", f"{ONE}/action", self.act),
            Route("GET", ATTACHMENTS, self.attachments),
            Route("POST", ATTACHMENTS, self.attach),
            Route("GET", f"{ATTACHMENTS}/{{volume}}", self.attachment),
            Route("DELETE", f"{ATTACHMENTS}/{{volume}}", self.detach),
        )

    def act(self, exchange: Exchange) -> Procedure[Response]:
        """One action, named by the only member of the body."""
        given = yield from body.document(exchange)
        server = self._seen(exchange)
        name = next(iter(given), "")
        action = self._actions.get(name)
        if action is None or len(given) != 1:
            raise ApiError(400, f"There is no such action: {name}")
        return (yield from action(exchange, server, given[name]))

    def _cycle(self, begin: str, end: str) -> Action:
        """An action that compute finishes a moment later."""

        def action(_exchange: Exchange, server: Server, _given: Any) -> Procedure[Response]:
            self._nova.move(server.id, begin)
            yield Spawn(self._finish(server.id, end))
            return empty(202)

        return action

    def _finish(self, identity: str, event: str) -> Procedure[None]:
        yield Pause(0)
        if self._nova.is_wanted(identity):
            self._nova.move(identity, event)

    def _lock(self, *, locked: bool) -> Action:
        def action(_exchange: Exchange, server: Server, _given: Any) -> Procedure[Response]:
            yield from ()
            self._nova.change(server.id, locked=locked)
            return empty(202)

        return action

    def _console_output(self, _exchange: Exchange, server: Server, _given: Any) -> Procedure[Response]:
        yield from ()
        return json_response(200, {"output": f"{server.name} login: \n"})

    def _create_image(self, exchange: Exchange, server: Server, given: Any) -> Procedure[Response]:
        """A snapshot: an image is made at once, its data follows."""
        if not isinstance(given, dict) or not given.get("name"):
            raise ApiError(400, "Invalid input for field/attribute createImage: a name is required.")
        self._nova.move(server.id, "snapshot")
        try:
            image = yield from self._images.create(exchange.caller, _snapshot(server, given))
        except Exception:
            self._nova.move(server.id, "settle")
            raise
        yield Spawn(self._compute.snapshot(exchange.caller, server.id, image["id"]))
        location = ("Location", f"{exchange.request.origin}/images/{image['id']}")
        if exchange.version >= (2, 45):
            return json_response(202, {"image_id": image["id"]}, location)
        return empty(202, location)

    def attachments(self, exchange: Exchange) -> Response:
        """A server's volumes."""
        server = self._seen(exchange)
        rows = [_view(exchange, server, one) for one in server.attachments]
        return json_response(200, {"volumeAttachments": rows})

    def attachment(self, exchange: Exchange) -> Response:
        """One volume of a server."""
        server = self._seen(exchange)
        return json_response(200, {"volumeAttachment": _view(exchange, server, _held(server, exchange))})

    def attach(self, exchange: Exchange) -> Procedure[Response]:
        """Reserve the volume at the Cinder that the user's catalog names, then attach it."""
        server = self._seen(exchange)
        given = yield from body.member(exchange, "volumeAttachment")
        if server.vm_state not in {"active", "stopped"} or server.task_state:
            raise ApiError(
                409, f"Cannot 'attach_volume' instance {server.id} while it is in vm_state {server.vm_state}"
            )
        attachment = yield from self._reserve(exchange.caller, server, given)
        yield Spawn(self._compute.attach(exchange.caller, server.id, attachment))
        return json_response(200, {"volumeAttachment": _view(exchange, server, attachment)})

    def _reserve(self, user: Caller, server: Server, given: Document) -> Procedure[Attachment]:
        volume_id = given.get("volumeId")
        if not isinstance(volume_id, str):
            raise ApiError(400, "Invalid input for field/attribute volumeAttachment: volumeId is required.")
        volume = yield from self._volumes.show(user, volume_id)
        if volume["status"] != "available":
            raise ApiError(
                400,
                f"Invalid volume: volume {volume_id} must be 'available', but is '{volume['status']}'",
            )
        attachment_id = yield from self._volumes.reserve(user, server.id, volume_id)
        ends = bool(given.get("delete_on_termination", False))
        return Attachment(volume_id, attachment_id, given.get("device") or "", ends)

    def detach(self, exchange: Exchange) -> Procedure[Response]:
        """Tell Cinder that it begins, answer 202, and detach."""
        server = self._seen(exchange)
        held = _held(server, exchange)
        yield from self._volumes.begin_detaching(exchange.caller, held.volume_id)
        yield Spawn(self._compute.detach(exchange.caller, server.id, held.volume_id))
        return empty(202)

    def _seen(self, exchange: Exchange) -> Server:
        return self._nova.seen(exchange.caller, exchange.params["id"])


def _held(server: Server, exchange: Exchange) -> Attachment:
    for one in server.attachments:
        if one.volume_id == exchange.params["volume"]:
            return one
    raise ApiError(404, f"Instance {server.id} is not attached to volume {exchange.params['volume']}")


def _view(exchange: Exchange, server: Server, one: Attachment) -> Document:
    document: Document = {"volumeId": one.volume_id, "serverId": server.id, "device": one.device or None}
    if exchange.version < (2, 89):
        document["id"] = one.volume_id
    else:
        document |= {"attachment_id": one.attachment_id, "bdm_uuid": one.attachment_id}
    if exchange.version >= (2, 70):
        document["tag"] = None
    if exchange.version >= (2, 79):
        document["delete_on_termination"] = one.delete_on_termination
    return document


def _snapshot(server: Server, given: Document) -> Document:
    """The attributes of a snapshot (nova.compute.utils.create_image)."""
    properties = {key: str(value) for key, value in (given.get("metadata") or {}).items()}
    return {
        **properties,
        "name": given["name"],
        "visibility": "private",
        "disk_format": "qcow2",
        "container_format": "bare",
        "min_disk": server.flavor["disk"],
        "instance_uuid": server.id,
        "user_id": server.user_id,
        "image_type": "snapshot",
        "image_location": "snapshot",
        "image_state": "available",
        "owner_id": server.project_id,
        "base_image_ref": server.image_id,
    }

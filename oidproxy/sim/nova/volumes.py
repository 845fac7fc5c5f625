"""Nova as a client of Cinder: volumes and their attachments, with the user's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.account import AuthenticationError
from oidproxy.sim.catalog import EndpointNotFoundError
from oidproxy.sim.client import Target
from oidproxy.sim.faults import ApiError
from oidproxy.sim.steps import CallFailedError, Pause, Procedure

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Answer, Document
    from oidproxy.sim.nova.process import Process

AGENT = "python-cinderclient"
VERSION = (("OpenStack-API-Version", "volume 3.44"),)
POLLS = 60
"""How often a volume that is being made is looked at, a second apart."""


class Volumes:
    """cinderclient in one of Nova's processes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def show(self, user: Caller, volume_id: str) -> Procedure[Document]:
        """A volume."""
        answer = yield from self._send(user, "GET", f"/volumes/{volume_id}")
        document: Document = answer.json()["volume"]
        return document

    def create(self, user: Caller, image_id: str, size: int) -> Procedure[Document]:
        """A volume made of an image, waited for until it can be used."""
        volume = {"size": size, "imageRef": image_id, "name": "", "description": ""}
        answer = yield from self._send(user, "POST", "/volumes", {"volume": volume})
        document: Document = answer.json()["volume"]
        for _ in range(POLLS):
            document = yield from self.show(user, document["id"])
            if document["status"] == "available":
                return document
            if document["status"] == "error":
                break
            yield Pause(1.0)
        raise ApiError(500, f"Volume {document['id']} did not finish being created: {document['status']}.")

    def reserve(self, user: Caller, server_id: str, volume_id: str) -> Procedure[str]:
        """An attachment without a connector: the volume is reserved for a server."""
        attachment = {"volume_uuid": volume_id, "instance_uuid": server_id, "mode": "rw"}
        answer = yield from self._send(user, "POST", "/attachments", {"attachment": attachment})
        return str(answer.json()["attachment"]["id"])

    def connect(
        self, user: Caller, attachment_id: str, volume_id: str, host: str, device: str
    ) -> Procedure[None]:
        """Tell Cinder which host uses the volume, and that it does now."""
        connector = {
            "host": host,
            "ip": "127.0.0.1",
            "initiator": f"iqn.1993-08.org.debian:{host}",
            "mountpoint": device,
        }
        attachment = {"attachment": {"connector": connector}}
        yield from self._send(user, "PUT", f"/attachments/{attachment_id}", attachment)
        yield from self.show(user, volume_id)
        yield from self._send(user, "POST", f"/attachments/{attachment_id}/action", {"os-complete": None})

    def begin_detaching(self, user: Caller, volume_id: str) -> Procedure[None]:
        """The volume is about to be detached."""
        yield from self._send(user, "POST", f"/volumes/{volume_id}/action", {"os-begin_detaching": None})

    def detach(self, user: Caller, attachment_id: str) -> Procedure[None]:
        """Delete an attachment; one that is gone already is as good."""
        answer = yield from self._call(user, "DELETE", f"/attachments/{attachment_id}", None)
        if not answer.ok and answer.status != 404:
            raise ApiError(500, f"Cinder answered {answer.status} to the detachment of a volume.")

    def delete(self, user: Caller, volume_id: str) -> Procedure[None]:
        """Delete a volume that goes with its server; best effort."""
        yield from self._call(user, "DELETE", f"/volumes/{volume_id}", None)

    def _send(self, user: Caller, method: str, path: str, document: object = None) -> Procedure[Answer]:
        answer = yield from self._call(user, method, path, document)
        if answer.ok:
            return answer
        if answer.status == 404:
            raise ApiError(404, f"Volume {path.split('/')[2]} could not be found.")
        if answer.status == 401:
            raise ApiError(401, "The request you have made requires authentication.")
        raise ApiError(min(500, answer.status), f"Invalid volume: Cinder answered {answer.status}")

    def _call(self, user: Caller, method: str, path: str, document: object) -> Procedure[Answer]:
        process = self._process
        target = Target("block-storage", AGENT, method, path, document, VERSION)
        try:
            return (yield from process.client.send(process.for_user(user), target))
        except (CallFailedError, AuthenticationError, EndpointNotFoundError) as error:
            raise ApiError(500, f"Cinder cannot be reached: {error}") from error

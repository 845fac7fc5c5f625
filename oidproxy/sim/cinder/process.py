"""Cinder's processes as clients of Glance and Nova, for a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from oidproxy.sim.account import ACCEPT, Account, AuthenticationError, Issued
from oidproxy.sim.caller import Caller
from oidproxy.sim.catalog import EndpointNotFoundError, find
from oidproxy.sim.client import Client, Sender, Target
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import JSON, Answer, Content, Document
from oidproxy.sim.steps import Call, CallFailedError, Procedure, call
from oidproxy.sim.timestamps import seconds

GLANCE = "python-glanceclient"


@dataclass(frozen=True, slots=True)
class Process:
    """`cinder-api` or `cinder-volume`."""

    client: Client
    agent: str
    """User-Agent of its own sessions."""
    service_user: Account = field(repr=False)
    """`[service_user]`."""

    def for_user(self, user: Caller) -> Sender:
        """With the user's token and a service token."""
        return Sender(user=user, service=self.service_user, request_id=user.request_id)


class Images:
    """glanceclient in one of Cinder's processes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def show(self, user: Caller, image_id: str, *, schema: bool = False) -> Procedure[Document]:
        """An image."""
        document: Document = (yield from self._send(user, "GET", f"/v2/images/{image_id}")).json()
        if schema:
            yield from self._send(user, "GET", "/v2/schemas/image")
        return document

    def download(self, user: Caller, image_id: str, blob: str) -> Procedure[Content]:
        """Read an image's data into a blob."""
        target = Target("image", GLANCE, "GET", f"/v2/images/{image_id}/file")
        fetched = yield from _guarded(
            self._process.client.download(self._process.for_user(user), target, blob)
        )
        _check(fetched.answer)
        content: Content = fetched.content
        return content

    def create(self, user: Caller, attributes: Document) -> Procedure[Document]:
        """A new image without data."""
        document: Document = (yield from self._send(user, "POST", "/v2/images", attributes)).json()
        return document

    def upload(self, user: Caller, image_id: str, *, blob: str, pattern: str, size: int) -> Procedure[None]:
        """Send a blob, or generated data."""
        octets = (("Content-Type", "application/octet-stream"),)
        target = Target("image", GLANCE, "PUT", f"/v2/images/{image_id}/file", fields=octets)
        sender = self._process.for_user(user)
        answer = yield from _guarded(
            self._process.client.upload(sender, target, blob=blob, pattern=pattern, size=size)
        )
        _check(answer)

    def _send(self, user: Caller, method: str, path: str, document: object = None) -> Procedure[Answer]:
        target = Target("image", GLANCE, method, path, document)
        answer: Answer = yield from _guarded(self._process.client.send(self._process.for_user(user), target))
        _check(answer)
        return answer


class Servers:
    """novaclient in cinder-api: with a token of its own, got by presenting the user's
    (cinder.compute.nova)."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def attachment_of(self, user: Caller, server_id: str, volume_id: str) -> Procedure[str]:
        """The attachment by which a server says it uses a volume; nothing when it does not."""
        fresh = yield from _guarded(self._reauthenticate(user))
        again = Caller(token=fresh.token, catalog=fresh.catalog, request_id=user.request_id)
        target = Target(
            "compute",
            "python-novaclient",
            "GET",
            f"/servers/{server_id}/os-volume_attachments/{volume_id}",
            None,
            (("X-OpenStack-Nova-API-Version", "2.89"), ("OpenStack-API-Version", "compute 2.89")),
            interfaces=("public",),
        )
        answer = yield from _guarded(self._process.client.send(self._process.for_user(again), target))
        if answer.status == 404:
            return ""
        _check(answer)
        return str(answer.json()["volumeAttachment"]["attachment_id"])

    def _reauthenticate(self, user: Caller) -> Procedure[Issued]:
        """keystoneauth's Token plugin: the token goes in the body and as X-Auth-Token of the same request."""
        url = find(user.catalog, frozenset({"identity"}), self._process.client.region, ("public",))
        process, agent = self._process.client.process, ("User-Agent", self._process.agent)
        yield from call(Call(process, "GET", url, (agent, *ACCEPT)))
        project = {"name": user.project_name, "domain": {"id": user.project_domain_id}}
        identity = {"methods": ["token"], "token": {"id": user.token}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        fields = (agent, *ACCEPT, ("X-Auth-Token", user.token), ("Content-Type", JSON))
        answer = yield from call(
            Call(process, "POST", f"{url}/auth/tokens", fields, msgspec.json.encode(body))
        )
        if answer.status != 201:
            raise AuthenticationError(answer.status)
        document = answer.json()["token"]
        return Issued(
            answer.fields["x-subject-token"],
            seconds(document["expires_at"]),
            tuple(document.get("catalog", ())),
        )


def _guarded(procedure: Procedure[Any]) -> Procedure[Any]:
    """A service that cannot be reached is a 500 of Cinder's."""
    try:
        return (yield from procedure)
    except (CallFailedError, AuthenticationError, EndpointNotFoundError) as error:
        raise ApiError(500, f"Another service cannot be reached: {error}") from error


def _check(answer: Answer) -> None:
    match answer.status:
        case 404:
            raise ApiError(400, "Invalid image identifier or unable to access requested image.")
        case 401 | 403:
            raise ApiError(403, "Not authorized.")
        case status if status >= 400:
            raise ApiError(500, f"Another service answered {status}.")

"""Nova as a client of Glance: the image of a server, its data, and snapshots, all with the user's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from oidproxy.sim.account import ACCEPT, AuthenticationError
from oidproxy.sim.catalog import EndpointNotFoundError
from oidproxy.sim.client import Target, Tokens
from oidproxy.sim.faults import ApiError
from oidproxy.sim.steps import Call, CallFailedError, Pause, Procedure, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Answer, Content, Document
    from oidproxy.sim.nova.process import Process

AGENT = "python-glanceclient"
ATTEMPTS = 4
"""`[glance] num_retries = 3`: after a 503 or a broken connection, a second apart."""
T = TypeVar("T")


class Images:
    """glanceclient in one of Nova's processes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._discovered: set[str] = set()

    def show(self, user: Caller, image_id: str, *, schema: bool) -> Procedure[Document]:
        """An image; with `schema` also the schema that glanceclient builds its model from."""
        if schema:
            yield from self._discover(user)
        answer = yield from self._send(user, Target("image", AGENT, "GET", f"/v2/images/{image_id}"))
        self._check(answer, image_id)
        if schema:
            yield from self._send(user, Target("image", AGENT, "GET", "/v2/schemas/image"))
        document: Document = answer.json()
        return document

    def download(self, user: Caller, image_id: str) -> Procedure[Content]:
        """Read an image's data to the end; ApiError when Glance does not give it."""
        target = Target("image", AGENT, "GET", f"/v2/images/{image_id}/file")

        def attempt() -> Procedure[tuple[Answer, Content]]:
            fetched = yield from self._process.client.download(self._process.for_user(user), target)
            return fetched.answer, fetched.content

        answer, content = yield from self._retrying(attempt, lambda outcome: outcome[0])
        self._check(answer, image_id)
        if answer.status == 204:
            raise ApiError(400, f"Image {image_id} is unacceptable: Image has no associated data")
        return content

    def create(self, user: Caller, attributes: Document) -> Procedure[Document]:
        """A new image without data, for a snapshot."""
        answer = yield from self._send(user, Target("image", AGENT, "POST", "/v2/images", attributes))
        self._check(answer, "new")
        document: Document = answer.json()
        return document

    def upload(self, user: Caller, image_id: str, pattern: str, size: int) -> Procedure[None]:
        """Send generated data."""
        octets = (("Content-Type", "application/octet-stream"),)
        target = Target("image", AGENT, "PUT", f"/v2/images/{image_id}/file", fields=octets)
        process = self._process
        answer = yield from process.client.upload(process.for_user(user), target, pattern=pattern, size=size)
        self._check(answer, image_id)

    def delete(self, user: Caller, image_id: str) -> Procedure[None]:
        """Delete an image: that of a snapshot that failed."""
        yield from self._send(user, Target("image", AGENT, "DELETE", f"/v2/images/{image_id}"))

    def _discover(self, user: Caller) -> Procedure[None]:
        """Ask an endpoint's versions, once, without a token (nova.utils.get_endpoint)."""
        tokens = Tokens(user.token, "", user.catalog)
        base = self._endpoint(tokens)
        if base in self._discovered:
            return
        step = Call(
            self._process.client.process, "GET", f"{base}/", (("User-Agent", self._process.agent), *ACCEPT)
        )
        answer = yield from call(step)
        if answer.status in {200, 300}:
            self._discovered.add(base)

    def _endpoint(self, tokens: Tokens) -> str:
        return self._process.client.endpoint(tokens, Target("image", AGENT, "GET", ""))

    def _send(self, user: Caller, target: Target) -> Procedure[Answer]:
        process = self._process
        return self._retrying(
            lambda: process.client.send(process.for_user(user), target), lambda answer: answer
        )

    @staticmethod
    def _retrying(attempt: Callable[[], Procedure[T]], answer_of: Callable[[T], Answer]) -> Procedure[T]:
        for remaining in reversed(range(ATTEMPTS)):
            try:
                outcome = yield from attempt()
            except CallFailedError as error:
                if not remaining:
                    raise ApiError(500, "Connection to glance host failed.") from error
            except (AuthenticationError, EndpointNotFoundError) as error:
                raise ApiError(500, f"Glance cannot be reached: {error}") from error
            else:
                if answer_of(outcome).status != 503 or not remaining:
                    return outcome
            yield Pause(1.0)
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def _check(answer: Answer, image_id: str) -> None:
        """Glance's refusals as Nova words them."""
        match answer.status:
            case 404:
                raise ApiError(400, "Can not find requested image")
            case 401 | 403:
                raise ApiError(400, f"Not authorized for image {image_id}.")
            case status if status >= 400:
                raise ApiError(500, f"Glance answered {status} for image {image_id}.")

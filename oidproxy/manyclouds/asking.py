"""One cloud's image service, asked as one user: small calls whose whole answers are read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from oidproxy.errors import BadAnswer, TokenRefused, UpstreamError
from oidproxy.http.head import Length, NoBody
from oidproxy.manyclouds.image import HALF, SOURCE, Image
from oidproxy.rewrite.lines import join
from oidproxy.tokens.presented import Form, Presented
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Endpoint
    from oidproxy.http.head import Framing
    from oidproxy.identity.service import Outgoing, Subject
    from oidproxy.routing.decision import Forward
    from oidproxy.upstream.pools import Upstreams

ANSWER_AT_MOST = 1 << 20
PATIENCE = 60.0
"""Seconds for an answer to a small call; the image service's own limit is meant for uploads."""

PAGE = 50
PAGES_AT_MOST = 20
"""Of images of one owner and one hash: more are not looked at."""

JSON = "application/json"
OCTETS = "application/octet-stream"

ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
"""What ids of images look like (Image API v2)."""

_MARKUP = re.compile(r"<[^<>]*>|\s+|[^ -~]+")
_SAID_AT_MOST = 300


class Users(Protocol):
    """What is asked of `identity.service.Identity`."""

    async def outgoing(self, forward: Forward, method: str) -> Outgoing:
        """The tokens to send."""
        ...

    def unaccepted(self, forward: Forward, sent: Outgoing) -> None:
        """The cloud answered 401 to them."""
        ...

    async def subject(self, token: Presented) -> Subject:
        """Who a token is."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of an image service."""

    status: int
    document: Any
    """None where it is no JSON."""
    text: str
    """Its error in one line, safe to be shown."""

    @classmethod
    def of(cls, status: int, body: bytes) -> Said:
        """The answer with this body."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        message = document.get("message") if isinstance(document, dict) else None
        text = message if isinstance(message, str) else body[:4096].decode("utf-8", "replace")
        return cls(status, document, _MARKUP.sub(" ", text).strip()[:_SAID_AT_MOST])


class ImageService:
    """The image service that a forward goes to; its path is replaced by those of these calls."""

    __slots__ = ("_forward", "_last", "_pseudonym", "_upstreams", "_users")

    def __init__(self, forward: Forward, upstreams: Upstreams, users: Users, pseudonym: str) -> None:
        self._forward = forward
        self._upstreams = upstreams
        self._users = users
        self._pseudonym = pseudonym
        self._last: Outgoing | None = None

    @property
    def cloud(self) -> str:
        """Whose it is."""
        return self._forward.route.cloud

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return self._forward.route.endpoint

    async def owner(self) -> str:
        """The user's project at this cloud, as its own Keystone says. The cloud is a direct one."""
        sent = await self._outgoing("GET", "/v2/images")
        if sent.token is None:
            raise TokenRefused("This request needs a token.")
        subject = await self._users.subject(Presented(Form.BARE, sent.token, sent.token, self.cloud))
        if subject.project_id is None:
            raise TokenRefused(f"Images of {self.cloud} are made in a project, and this token has none.")
        return subject.project_id

    async def check(self, method: str, path: str) -> None:
        """Whether the user may still ask this, as far as nobody but identity is asked."""
        await self._outgoing(method, path)

    async def image(self, image_id: str, *, late: bool = False) -> Image | None:
        """An image by its id; None if there is none that the user may see. `late` as in `call`."""
        said = await self.call("GET", f"/v2/images/{image_id}", late=late)
        if said.status in {403, 404}:
            return None
        image = self._image(said)
        # Paths are made of it from here on.
        if image.id.lower() != image_id.lower():
            raise self._nonsense()
        return image

    async def owned(self, owner: str, algorithm: str, value: str) -> list[Image]:
        """The active images that this project owns and whose data have this hash."""
        found = await self._listed({"owner": owner, "os_hash_value": value, "status": "active"})
        # A cloud that does not know a filter may leave it out.
        return [
            one
            for one in found
            if (one.owner, one.hash_algorithm, one.hash_value) == (owner, algorithm, value)
        ]

    async def halves(self, owner: str, origin: str) -> list[Image]:
        """The images of this project that say that they are copies of this origin, and are not complete."""
        found = await self._listed({"owner": owner, SOURCE: origin})
        return [
            one
            for one in found
            if (one.owner, one.source) == (owner, origin) and one.status in HALF and ID.match(one.id)
        ]

    async def _listed(self, filters: Mapping[str, str]) -> list[Image]:
        wanted = {**filters, "limit": str(PAGE)}
        found: list[Image] = []
        marker: dict[str, str] = {}
        for _ in range(PAGES_AT_MOST):
            page = self._page(await self.call("GET", "/v2/images", query=wanted | marker))
            found += page
            if len(page) < PAGE:
                break
            marker = {"marker": page[-1].id}
        return found

    async def create(self, document: Mapping[str, Any]) -> Said:
        """Make an image without data."""
        return await self.call("POST", "/v2/images", document=document)

    async def delete(self, image_id: str) -> Said:
        """Delete an image and its data, if need be with the token that made it."""
        return await self.call("DELETE", f"/v2/images/{image_id}", late=True)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
        late: bool = False,
    ) -> Said:
        """One call. A token that is not accepted is asked for anew once.

        `late` is for what ends a copy: where the user's token is not good any more, the one that was sent
        before is tried.

        Raises:
            TokenRefused: the token is not accepted. UpstreamError and what `outgoing` raises.
        """
        body = b"" if document is None else json.dumps(document).encode()
        framing = NoBody() if document is None else Length(len(body))
        target = path + (f"?{urlencode(query)}" if query else "")
        for _ in range(2):
            request = await self.request(method, target, framing, JSON, first_byte=PATIENCE, late=late)
            whole = await self._upstreams.fetch(request, body, limit=ANSWER_AT_MOST)
            if whole.head.status != 401:
                return Said.of(whole.head.status, whole.body)
            self.refused()
        raise TokenRefused(f"The image service of {self.cloud} does not accept this token.")

    async def request(
        self,
        method: str,
        target: str,
        framing: Framing,
        content_type: str,
        *,
        first_byte: float | None = None,
        late: bool = False,
    ) -> Request:
        """A request of the user's. Raises what `outgoing` does."""
        sent = await self._outgoing(method, target, late=late)
        endpoint = self.endpoint
        lines = [
            f"{method} {endpoint.root}{target} HTTP/1.1",
            f"Host: {endpoint.origin.authority}",
            f"Accept: {JSON if content_type == JSON else '*/*'}",
            "Accept-Encoding: identity",
            "User-Agent: oidproxy",
            # A cloud's address that leads back to this proxy is noticed by this.
            f"Via: 1.1 {self._pseudonym}",
        ]
        if sent.token is not None:
            lines.append(f"X-Auth-Token: {sent.token}")
        match framing:
            case Length(size):
                lines += [f"Content-Type: {content_type}", f"Content-Length: {size}"]
            case NoBody():
                pass
            case _:
                lines += [f"Content-Type: {content_type}", "Transfer-Encoding: chunked"]
        head = join([line.encode("latin-1") for line in lines])
        return Request(endpoint, method, head, framing, first_byte=first_byte)

    def refused(self) -> None:
        """The cloud answered 401 to what was sent last."""
        if self._last is not None:
            self._users.unaccepted(self._forward, self._last)
            self._last = None

    def failed(self, said: Said) -> UpstreamError:
        """What to say of an answer that should not have come."""
        reason = f": {said.text}" if said.text else ""
        return UpstreamError(
            f"The image service of {self.cloud} gave an answer of status {said.status}{reason}",
            cloud=self.cloud,
            sent=True,
        )

    async def _outgoing(self, method: str, target: str, *, late: bool = False) -> Outgoing:
        """The tokens of now. Only an end of the token itself is overlooked, and only `late`."""
        path = target.partition("?")[0]
        written = f"{self.endpoint.root}{target}".encode()
        route = replace(self._forward.route, rest=path.encode(), target=written)
        try:
            self._last = await self._users.outgoing(replace(self._forward, route=route), method)
        except TokenRefused:
            if not late or self._last is None:
                raise
        return self._last

    def _image(self, said: Said) -> Image:
        if said.status != 200:
            raise self.failed(said)
        image = Image.of(said.document)
        if image is None:
            raise self._nonsense()
        return image

    def _page(self, said: Said) -> list[Image]:
        if said.status != 200:
            raise self.failed(said)
        listed = said.document.get("images") if isinstance(said.document, dict) else None
        images = [Image.of(one) for one in listed] if isinstance(listed, list) else [None]
        if None in images:
            raise self._nonsense()
        return [image for image in images if image is not None]

    def _nonsense(self) -> BadAnswer:
        return BadAnswer(
            f"The image service of {self.cloud} sent no image where one belongs.", cloud=self.cloud, sent=True
        )

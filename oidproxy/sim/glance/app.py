"""Glance as a service: images, their data, their members."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.glance import attributes, schemas, views
from oidproxy.sim.glance.listing import listing
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.paging import next_query
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.service import Manner, Service
from oidproxy.sim.steps import BodyBrokenError, Discard, Procedure, read_body, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.sim.glance.model import Glance, Image
    from oidproxy.sim.middleware import AuthToken

ONE = "/v2/images/{id}"
OCTETS = "application/octet-stream"


def build(glance: Glance, guard: AuthToken) -> Service:
    """The service of this Glance."""
    return Service("glance", ImagesApi(glance).routes(), guard, Manner(views.error), glance.sources)


class ImagesApi:
    """Handlers of `/v2`."""

    def __init__(self, glance: Glance) -> None:
        self._glance = glance

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        return (
            Route("GET", "/", self.versions(300), open=True),
            Route("GET", "/versions", self.versions(200), open=True),
            Route("GET", "/v2/schemas/{name}", self.schema),
            Route("POST", "/v2/images", self.create),
            Route("GET", "/v2/images", self.list),
            Route("GET", ONE, self.show),
            Route("PATCH", ONE, self.update),
            Route("DELETE", ONE, self.delete),
            Route("PUT", f"{ONE}/file", self.upload),
            Route("GET", f"{ONE}/file", self.download),
            Route("PUT", f"{ONE}/tags/{{tag}}", self.add_tag),
            Route("DELETE", f"{ONE}/tags/{{tag}}", self.remove_tag),
            Route("POST", f"{ONE}/actions/{{action}}", self.act),
            Route("GET", f"{ONE}/members", self.members),
            Route("POST", f"{ONE}/members", self.share),
            Route("GET", f"{ONE}/members/{{member}}", self.member),
            Route("PUT", f"{ONE}/members/{{member}}", self.respond),
            Route("DELETE", f"{ONE}/members/{{member}}", self.unshare),
        )

    @staticmethod
    def versions(status: int) -> Callable[[Exchange], Response]:
        """`/` says 300, `/versions` 200."""
        return lambda exchange: json_response(status, views.versions(exchange.request))

    def schema(self, exchange: Exchange) -> Response:
        """One of the JSON schemas."""
        _require_user(exchange)
        try:
            return json_response(200, schemas.SCHEMAS[exchange.params["name"]])
        except KeyError:
            raise ApiError(404) from None

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """POST: an image without data."""
        _require_user(exchange)
        given = yield from body.document(exchange)
        caller = exchange.caller
        owner = given.get("owner", caller.project_id)
        image = self._glance.create(owner, given.get("id"), **attributes.of_new(caller, given))
        location = ("Location", f"{exchange.request.origin}/v2/images/{image.id}")
        return json_response(201, views.plain(image), location)

    def list(self, exchange: Exchange) -> Response:
        """A page of images; `next` and `first` are root-relative, as in the real one."""
        _require_user(exchange)
        page = listing(self._glance, exchange.caller, exchange.request)
        document: Document = {
            "images": [views.plain(image) for image in page.items],
            "first": _first(exchange),
            "schema": "/v2/schemas/images",
        }
        if page.more:
            document["next"] = f"/v2/images?{next_query(exchange.request, page.items[-1].id)}"
        return json_response(200, document)

    def show(self, exchange: Exchange) -> Response:
        """One image."""
        return json_response(200, views.plain(self._seen(exchange)))

    def update(self, exchange: Exchange) -> Procedure[Response]:
        """PATCH."""
        image = self._own(exchange)
        if exchange.request.field("content-type").partition(";")[0] not in attributes.PATCH_TYPES:
            raise ApiError(415)
        text = yield from read_body()
        try:
            operations = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise ApiError(400, "Malformed JSON in request body.") from None
        changed = attributes.patched(exchange.caller, image, operations)
        return json_response(200, views.plain(self._glance.change(image, **changed)))

    def delete(self, exchange: Exchange) -> Procedure[Response]:
        """DELETE: the image and its bytes."""
        image = self._own(exchange)
        self._glance.delete(image)
        yield Discard(image.blob)
        return empty()

    def upload(self, exchange: Exchange) -> Procedure[Response]:
        """PUT of the data: once, while the image is queued."""
        image = self._own(exchange)
        if exchange.request.field("content-type") != OCTETS:
            raise ApiError(415)
        self._glance.move(image.id, "upload")
        try:
            content = yield from store(image.blob)
        except BodyBrokenError:
            self._glance.move(image.id, "abandon")
            raise ApiError(400, "Error in store configuration or the upload was interrupted.") from None
        try:
            self._glance.move(image.id, "complete", content=content)
        except ApiError:
            # Deleted while it was being uploaded: nobody will ask for these bytes.
            yield Discard(image.blob)
            raise
        return empty()

    def download(self, exchange: Exchange) -> Response:
        """GET of the data, streamed; 204 while there is none."""
        image = self._seen(exchange)
        if image.status == "deactivated" and not exchange.caller.is_admin:
            raise ApiError(403, "The requested image has been deactivated. Image data download is forbidden.")
        if image.content is None:
            return empty()
        fields = (("Content-Type", OCTETS), ("Content-MD5", image.content.md5))
        return Response(200, fields, blob=image.blob, size=image.content.size)

    def add_tag(self, exchange: Exchange) -> Response:
        """PUT of a tag."""
        image = self._own(exchange)
        self._glance.change(image, tags=tuple({*image.tags, exchange.params["tag"]}))
        return empty()

    def remove_tag(self, exchange: Exchange) -> Response:
        """DELETE of a tag."""
        image = self._own(exchange)
        if exchange.params["tag"] not in image.tags:
            raise ApiError(404)
        self._glance.change(image, tags=tuple(tag for tag in image.tags if tag != exchange.params["tag"]))
        return empty()

    def act(self, exchange: Exchange) -> Response:
        """Deactivate and reactivate: for administrators."""
        image = self._own(exchange)
        action = exchange.params["action"]
        if action not in {"deactivate", "reactivate"}:
            raise ApiError(404)
        if not exchange.caller.is_admin:
            raise ApiError(403, f"You are not authorized to complete {action} action.")
        self._glance.move(image.id, action)
        return empty()

    def members(self, exchange: Exchange) -> Response:
        """Whom an image is shared with: a member sees only itself."""
        image = self._seen(exchange)
        own = image.owned_by(exchange.caller)
        shown = [member for key, member in image.members.items() if own or key == exchange.caller.project_id]
        rows = [views.member_view(image, member) for member in shown]
        return json_response(200, {"members": rows, "schema": "/v2/schemas/members"})

    def share(self, exchange: Exchange) -> Procedure[Response]:
        """POST of a member."""
        image = self._own(exchange)
        given = yield from body.document(exchange)
        if not isinstance(given.get("member"), str) or not given["member"]:
            raise ApiError(400, "Member can't be empty")
        return json_response(200, views.member_view(image, self._glance.share(image, given["member"])))

    def member(self, exchange: Exchange) -> Response:
        """One member."""
        image = self._seen(exchange)
        return json_response(
            200, views.member_view(image, self._glance.member(image, exchange.params["member"]))
        )

    def respond(self, exchange: Exchange) -> Procedure[Response]:
        """A member accepts or rejects: the member itself, not the owner."""
        image, project = self._seen(exchange), exchange.params["member"]
        given = yield from body.document(exchange)
        self._glance.member(image, project)
        if project != exchange.caller.project_id and not exchange.caller.is_admin:
            raise ApiError(403, "You are not authorized to complete modify_member action.")
        member = self._glance.respond(image, project, str(given.get("status")))
        return json_response(200, views.member_view(image, member))

    def unshare(self, exchange: Exchange) -> Response:
        """DELETE of a member."""
        self._glance.unshare(self._own(exchange), exchange.params["member"])
        return empty()

    def _seen(self, exchange: Exchange) -> Image:
        _require_user(exchange)
        return self._glance.get(exchange.caller, exchange.params["id"])

    def _own(self, exchange: Exchange) -> Image:
        _require_user(exchange)
        return self._glance.get_own(exchange.caller, exchange.params["id"])


def _require_user(exchange: Exchange) -> None:
    """Glance's filter only marks a bad token (`delay_auth_decision`); the service itself answers 401."""
    if not exchange.caller.user_id:
        raise ApiError(
            401, "This server could not verify that you are authorized to access the document you requested."
        )


def _first(exchange: Exchange) -> str:
    query = urlencode([(key, value) for key, value in exchange.request.query if key != "marker"])
    return f"/v2/images?{query}" if query else "/v2/images"

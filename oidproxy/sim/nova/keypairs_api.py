"""Keypairs at Nova's API."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, empty, json_response
from oidproxy.sim.nova import views
from oidproxy.sim.paging import limit_of, next_href, page
from oidproxy.sim.routes import Exchange, Route
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.steps import Procedure

NewKey = Callable[[], tuple[str, str]]
"""Makes a private key (PEM) and its public one (OpenSSH)."""


class KeypairsApi:
    """Handlers of `/os-keypairs`: everybody has keypairs of their own."""

    def __init__(self, nova: Nova, new_key: NewKey) -> None:
        self._nova = nova
        self._new_key = new_key

    def routes(self) -> tuple[Route, ...]:
        """Path by path."""
        many = "/v2.1/os-keypairs"
        return (
            Route("GET", many, self.list),
            Route("POST", many, self.create),
            Route("GET", f"{many}/{{name}}", self.show),
            Route("DELETE", f"{many}/{{name}}", self.delete),
        )

    def list(self, exchange: Exchange) -> Response:
        """The caller's keypairs."""
        rows = self._nova.keypairs.where(user_id=_owner(exchange))
        limit = limit_of(exchange.request)
        found = page(rows, lambda row: str(row["name"]), exchange.request.parameter("marker"), limit)
        shown = [{"keypair": views.keypair(row, exchange.version, shown=False)} for row in found.items]
        document: Document = {"keypairs": shown}
        if found.more and exchange.version >= (2, 35):
            href = next_href(exchange.request, found.items[-1]["name"])
            document["keypairs_links"] = [{"rel": "next", "href": href}]
        return json_response(200, document)

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """Import a public key; without one, and before 2.92, make a pair and show its private key this
        once."""
        given = yield from body.member(exchange, "keypair")
        name, public = given.get("name"), given.get("public_key")
        if not isinstance(name, str) or not name:
            raise ApiError(400, "Invalid input for field/attribute name.")
        if self._nova.keypairs.find(user_id=exchange.caller.user_id, name=name):
            raise ApiError(409, f"Key pair '{name}' already exists.")
        private = ""
        if not public:
            if exchange.version >= (2, 92):
                raise ApiError(
                    400, "Invalid input for field/attribute keypair. 'public_key' is a required property"
                )
            private, public = self._new_key()
        row = self._nova.keypairs.add(
            self._row(exchange.caller, name, str(public), str(given.get("type", "ssh")))
        )
        shown = views.keypair(row, exchange.version, shown=False) | {"user_id": row["user_id"]}
        if private:
            shown["private_key"] = private
        return json_response(200 if exchange.version < (2, 2) else 201, {"keypair": shown})

    def _row(self, caller: Caller, name: str, public: str, kind: str) -> Document:
        return {
            "id": self._nova.sources.uuid(),
            "name": name,
            "user_id": caller.user_id,
            "public_key": public,
            "fingerprint": _fingerprint(public),
            "type": kind,
            "created_at": micro(self._nova.sources.now()),
            "deleted": False,
            "deleted_at": None,
            "updated_at": None,
        }

    def show(self, exchange: Exchange) -> Response:
        """One keypair."""
        row = self._nova.keypair(_owner(exchange), exchange.params["name"])
        return json_response(200, {"keypair": views.keypair(row, exchange.version, shown=True)})

    def delete(self, exchange: Exchange) -> Response:
        """DELETE."""
        row = self._nova.keypair(_owner(exchange), exchange.params["name"])
        self._nova.keypairs.remove(row["id"])
        return empty(202 if exchange.version < (2, 2) else 204)


def _owner(exchange: Exchange) -> str:
    """Administrators may look at others' keypairs."""
    wanted = exchange.request.parameter("user_id")
    return wanted if wanted and exchange.caller.is_admin else exchange.caller.user_id


def _fingerprint(public: str) -> str:
    """The MD5 of the key, as ssh shows it; 400 when it is no public key."""
    try:
        blob = base64.b64decode(public.split()[1], validate=True)
    except (IndexError, ValueError):
        raise ApiError(400, "Keypair data is invalid: failed to generate fingerprint") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, 32, 2))

"""Cinder as a service: its API put together, below `/v3` and below `/v3/{project_id}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.cinder import views
from oidproxy.sim.cinder.attachments_api import AttachmentsApi, SnapshotsApi
from oidproxy.sim.cinder.process import Images, Process, Servers
from oidproxy.sim.cinder.volumes_api import VolumesApi
from oidproxy.sim.cinder.worker import Worker
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Document, Response, json_response
from oidproxy.sim.routes import Exchange, Handler, Route
from oidproxy.sim.service import Manner, Service
from oidproxy.sim.timestamps import micro

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.sim.cinder.model import Cinder
    from oidproxy.sim.middleware import AuthToken
    from oidproxy.sim.steps import Procedure

QUOTA = {
    "volumes": -1, "gigabytes": -1, "snapshots": -1, "backups": -1, "backup_gigabytes": -1, "groups": -1,
    "per_volume_gigabytes": -1,
}  # fmt: skip


def build(cinder: Cinder, guard: AuthToken, api: Process, worker: Process) -> Service:
    """The service of this Cinder."""
    images = Images(api)
    relative = [
        *VolumesApi(cinder, images, Worker(cinder, Images(worker))).routes(),
        *AttachmentsApi(cinder, Servers(api)).routes(),
        *SnapshotsApi(cinder).routes(),
        *_Miscellany(cinder).routes(),
    ]
    routes = [
        Route("GET", "/", _versions(300), open=True),
        Route("GET", "/v3", _versions(200), open=True),
        *_below("/v3/{project_id}", relative),
        *_below("/v3", relative),
    ]
    manner = Manner(views.error, views.VERSIONS, body.refuse_foreign_type)
    return Service("cinder", routes, guard, manner, cinder.sources)


def _below(prefix: str, routes: Iterable[Route]) -> list[Route]:
    return [Route(one.method, prefix + one.path, _own_project(one.handler), one.open) for one in routes]


def _own_project(handler: Handler) -> Handler:
    """A project id in the path that is not the token's is a 400, for administrators too
    (cinder.api.openstack.wsgi)."""

    def checked(exchange: Exchange) -> Response | Procedure[Response]:
        project = exchange.params.get("project_id")
        if project is not None and project != exchange.caller.project_id:
            raise ApiError(400, "Malformed request url")
        return handler(exchange)

    return checked


def _versions(status: int) -> Callable[[Exchange], Response]:
    return lambda exchange: json_response(status, views.versions(exchange.request))


class _Miscellany:
    """Types, limits, quotas, services, zones, and lists of what this Cinder has none of."""

    def __init__(self, cinder: Cinder) -> None:
        self._cinder = cinder

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/types", self.types),
            Route("GET", "/types/{id}", self.type),
            Route("GET", "/types/{id}/extra_specs", self.extra_specs),
            Route("GET", "/limits", self.limits),
            Route("GET", "/os-quota-sets/{project}", self.quota),
            Route("GET", "/os-services", self.services),
            Route("GET", "/os-availability-zone", self.zones),
            Route("GET", "/extensions", _nothing("extensions")),
            Route("GET", "/backups", _nothing("backups")),
            Route("GET", "/backups/detail", _nothing("backups")),
            Route("GET", "/messages", _nothing("messages")),
        )

    def types(self, _exchange: Exchange) -> Response:
        return json_response(200, {"volume_types": list(self._cinder.types)})

    def type(self, exchange: Exchange) -> Response:
        identity = exchange.params["id"]
        if identity == "default":
            return json_response(200, {"volume_type": next(iter(self._cinder.types))})
        return json_response(200, {"volume_type": self._cinder.types.get(identity)})

    def extra_specs(self, exchange: Exchange) -> Response:
        return json_response(
            200, {"extra_specs": self._cinder.types.get(exchange.params["id"])["extra_specs"]}
        )

    def limits(self, exchange: Exchange) -> Response:
        own = [one for one in self._cinder.volumes() if one.project_id == exchange.caller.project_id]
        absolute: Document = {
            "maxTotalVolumes": -1, "maxTotalVolumeGigabytes": -1, "maxTotalSnapshots": -1,
            "maxTotalBackups": -1, "maxTotalBackupGigabytes": -1,
            "totalSnapshotsUsed": 0, "totalBackupsUsed": 0, "totalBackupGigabytesUsed": 0,
            "totalVolumesUsed": len(own), "totalGigabytesUsed": sum(one.size for one in own),
        }  # fmt: skip
        return json_response(200, {"limits": {"rate": [], "absolute": absolute}})

    def quota(self, exchange: Exchange) -> Response:
        return json_response(200, {"quota_set": {"id": exchange.params["project"], **QUOTA}})

    def services(self, exchange: Exchange) -> Response:
        if not exchange.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow volume_extension:services:index to be performed.")
        now = micro(self._cinder.sources.now())
        rows = [
            {
                "binary": binary, "host": "host", "zone": "nova", "status": "enabled", "state": "up",
                "updated_at": now, "disabled_reason": None,
            }
            for binary in ("cinder-scheduler", "cinder-volume")
        ]  # fmt: skip
        return json_response(200, {"services": rows})

    def zones(self, _exchange: Exchange) -> Response:
        return json_response(
            200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]}
        )


def _nothing(collection: str) -> Callable[[Exchange], Response]:
    return lambda _exchange: json_response(200, {collection: []})

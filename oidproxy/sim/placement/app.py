"""Placement as a service: for Nova's own account, and administrators who look."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.faults import ApiError, title
from oidproxy.sim.messages import Document, Request, Response, empty, json_response
from oidproxy.sim.microversions import Microversions
from oidproxy.sim.placement.model import Consumer, Inventory, Placement, Provider, Resources
from oidproxy.sim.routes import Exchange, Handler, Route
from oidproxy.sim.service import Manner, Service

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.middleware import AuthToken
    from oidproxy.sim.sources import Sources
    from oidproxy.sim.steps import Procedure

VERSIONS = Microversions("placement", (1, 0), (1, 39))
PROVIDER = "/resource_providers/{id}"


def build(placement: Placement, guard: AuthToken, sources: Sources) -> Service:
    """The service of this Placement."""
    return Service(
        "placement", PlacementApi(placement, sources).routes(), guard, Manner(_error, VERSIONS), sources
    )


class PlacementApi:
    """Handlers of providers, candidates and allocations."""

    def __init__(self, placement: Placement, sources: Sources) -> None:
        self._placement = placement
        self._sources = sources

    def routes(self) -> tuple[Route, ...]:
        """Path by path. All but the version document are for administrators and services."""
        return (
            Route("GET", "/", _versions, open=True),
            Route("GET", "/resource_providers", _guarded(self.providers)),
            Route("POST", "/resource_providers", _guarded(self.create)),
            Route("GET", PROVIDER, _guarded(self.show)),
            Route("GET", f"{PROVIDER}/inventories", _guarded(self.inventories)),
            Route("GET", f"{PROVIDER}/usages", _guarded(self.usages)),
            Route("GET", f"{PROVIDER}/allocations", _guarded(self.provider_allocations)),
            Route("GET", f"{PROVIDER}/aggregates", _guarded(self.aggregates)),
            Route("GET", f"{PROVIDER}/traits", _guarded(self.traits)),
            Route("GET", "/allocation_candidates", _guarded(self.candidates)),
            Route("GET", "/allocations/{id}", _guarded(self.allocations)),
            Route("PUT", "/allocations/{id}", _guarded(self.allocate)),
            Route("DELETE", "/allocations/{id}", _guarded(self.free)),
        )

    def providers(self, exchange: Exchange) -> Response:
        """Every provider, or those of a name or id."""
        name, identity = exchange.request.parameter("name"), exchange.request.parameter("uuid")
        rows = [
            _provider_view(provider)
            for provider in self._placement
            if name in {"", provider.name} and identity in {"", provider.id}
        ]
        return json_response(200, {"resource_providers": rows})

    def create(self, exchange: Exchange) -> Procedure[Response]:
        """A new provider, without inventories."""
        given = yield from body.document(exchange)
        if not given.get("name"):
            raise ApiError(400, "JSON does not validate: 'name' is a required property")
        identity = given.get("uuid") or self._sources.uuid()
        provider = self._placement.add(Provider(identity, given["name"], MappingProxyType({}), 0))
        return json_response(200, _provider_view(provider))

    def show(self, exchange: Exchange) -> Response:
        """One provider."""
        return json_response(200, _provider_view(self._provider(exchange)))

    def inventories(self, exchange: Exchange) -> Response:
        """What a provider has."""
        provider = self._provider(exchange)
        rows = {name: _inventory_view(one) for name, one in provider.inventories.items()}
        return json_response(200, {"inventories": rows, "resource_provider_generation": provider.generation})

    def usages(self, exchange: Exchange) -> Response:
        """What is allocated of a provider."""
        provider = self._provider(exchange)
        rows = {name: self._placement.used(provider, name) for name in provider.inventories}
        return json_response(200, {"usages": rows, "resource_provider_generation": provider.generation})

    def provider_allocations(self, exchange: Exchange) -> Response:
        """Who uses a provider, and how much."""
        provider = self._provider(exchange)
        rows = {
            consumer.id: {
                "resources": dict(consumer.allocations[provider.id]),
                "consumer_generation": consumer.generation,
            }
            for consumer in self._placement.consumers_of(provider)
        }
        return json_response(200, {"allocations": rows, "resource_provider_generation": provider.generation})

    def aggregates(self, exchange: Exchange) -> Response:
        """None."""
        generation = self._provider(exchange).generation
        return json_response(200, {"aggregates": [], "resource_provider_generation": generation})

    def traits(self, exchange: Exchange) -> Response:
        """None."""
        generation = self._provider(exchange).generation
        return json_response(200, {"traits": [], "resource_provider_generation": generation})

    def _provider(self, exchange: Exchange) -> Provider:
        return self._placement.provider(exchange.params["id"])

    def candidates(self, exchange: Exchange) -> Response:
        """Where a request for resources fits."""
        wanted = _resources(exchange.request.parameter("resources"))
        found = self._placement.candidates(wanted)
        requests = [
            {"allocations": {one.id: {"resources": dict(wanted)}}, "mappings": {"": [one.id]}}
            for one in found
        ]
        summaries = {one.id: self._summary(one) for one in found}
        return json_response(200, {"allocation_requests": requests, "provider_summaries": summaries})

    def _summary(self, provider: Provider) -> Document:
        resources = {
            name: {"capacity": one.capacity, "used": self._placement.used(provider, name)}
            for name, one in provider.inventories.items()
        }
        return {
            "resources": resources,
            "traits": [],
            "parent_provider_uuid": None,
            "root_provider_uuid": provider.id,
        }

    def allocations(self, exchange: Exchange) -> Response:
        """What a consumer uses; nothing is an empty answer, not an error."""
        consumer = self._placement.consumer(exchange.params["id"])
        if consumer is None:
            return json_response(200, {"allocations": {}})
        rows = {
            provider: {
                "resources": dict(resources),
                "generation": self._placement.provider(provider).generation,
            }
            for provider, resources in consumer.allocations.items()
        }
        return json_response(
            200,
            {
                "allocations": rows,
                "project_id": consumer.project_id,
                "user_id": consumer.user_id,
                "consumer_generation": consumer.generation,
            },
        )

    def allocate(self, exchange: Exchange) -> Procedure[Response]:
        """Replace what a consumer uses."""
        given = yield from body.document(exchange)
        wanted = given.get("allocations")
        if not isinstance(wanted, dict):
            raise ApiError(400, "JSON does not validate: 'allocations' is a required property")
        identity = exchange.params["id"]
        before = self._placement.consumer(identity)
        if given.get("consumer_generation") != (before.generation if before else None):
            raise ApiError(409, f"consumer generation conflict for {identity}")
        allocations = {provider: MappingProxyType(one["resources"]) for provider, one in wanted.items()}
        generation = before.generation + 1 if before else 1
        project_id, user_id = str(given.get("project_id", "")), str(given.get("user_id", ""))
        self._placement.allocate(
            Consumer(identity, project_id, user_id, MappingProxyType(allocations), generation)
        )
        return empty()

    def free(self, exchange: Exchange) -> Response:
        """A consumer uses nothing any more."""
        self._placement.free(exchange.params["id"])
        return empty()


def _guarded(handler: Handler) -> Handler:
    def guarded(exchange: Exchange) -> Response | Procedure[Response]:
        _require(exchange.caller)
        return handler(exchange)

    return guarded


def _require(caller: Caller) -> None:
    if not (caller.is_admin or "service" in caller.roles):
        raise ApiError(403, "Access was denied to this resource.")


def _resources(text: str) -> Resources:
    """`VCPU:1,MEMORY_MB:128`."""
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return MappingProxyType({name: int(amount) for name, amount in pairs})
    except ValueError:
        raise ApiError(
            400, "Badly formed resources parameter. Expected resources query string parameter."
        ) from None


def _provider_view(provider: Provider) -> Document:
    base = f"/resource_providers/{provider.id}"
    relations = ("inventories", "usages", "aggregates", "traits", "allocations")
    return {
        "uuid": provider.id,
        "name": provider.name,
        "generation": provider.generation,
        "parent_provider_uuid": None,
        "root_provider_uuid": provider.id,
        # Path-only, as in the real one.
        "links": [
            {"rel": "self", "href": base},
            *({"rel": relation, "href": f"{base}/{relation}"} for relation in relations),
        ],
    }


def _inventory_view(inventory: Inventory) -> Document:
    return {
        "total": inventory.total,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": inventory.total,
        "step_size": 1,
        "allocation_ratio": inventory.allocation_ratio,
    }


def _versions(_exchange: Exchange) -> Response:
    version = {
        "id": "v1.0",
        "max_version": "1.39",
        "min_version": "1.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return json_response(200, {"versions": [version]})


def _error(fault: ApiError, _request: Request, request_id: str) -> Response:
    name = title(fault.status)
    body_ = {"status": fault.status, "title": name, "detail": fault.message, "request_id": request_id}
    return json_response(fault.status, {"errors": [body_]})

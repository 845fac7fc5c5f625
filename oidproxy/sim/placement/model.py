"""Resource providers of one Placement and what is allocated of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from oidproxy.sim.faults import ApiError

Resources = Mapping[str, int]
"""Resource class -> amount."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """How much of a resource class a provider has."""

    total: int
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """How much may be allocated."""
        return int(self.total * self.allocation_ratio)


@dataclass(frozen=True, slots=True)
class Provider:
    """Something that has resources: a compute host."""

    id: str
    name: str
    inventories: Mapping[str, Inventory]
    generation: int = 1


@dataclass(frozen=True, slots=True)
class Consumer:
    """Something that uses resources: a server. Provider -> resources."""

    id: str
    project_id: str
    user_id: str
    allocations: Mapping[str, Resources] = field(default_factory=lambda: MappingProxyType({}))
    generation: int = 1


class Placement:
    """The state of one Placement."""

    def __init__(self) -> None:
        self._providers: dict[str, Provider] = {}
        self._consumers: dict[str, Consumer] = {}
        self._used: dict[tuple[str, str], int] = {}

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._providers.values())

    def add(self, provider: Provider) -> Provider:
        """A new provider; 409 where the id is taken."""
        if provider.id in self._providers:
            raise ApiError(409, f"Conflicting resource provider {provider.id} already exists.")
        self._providers[provider.id] = provider
        return provider

    def provider(self, identity: str) -> Provider:
        """A provider; 404 when there is none."""
        try:
            return self._providers[identity]
        except KeyError:
            raise ApiError(404, f"No resource provider with uuid {identity} found") from None

    def used(self, provider: Provider, resource: str) -> int:
        """How much of a resource class is allocated."""
        return self._used.get((provider.id, resource), 0)

    def candidates(self, wanted: Resources) -> list[Provider]:
        """The providers that have this much left."""
        return [provider for provider in self if self._fits(provider, wanted)]

    def _fits(self, provider: Provider, wanted: Resources) -> bool:
        return all(
            name in provider.inventories
            and self.used(provider, name) + amount <= provider.inventories[name].capacity
            for name, amount in wanted.items()
        )

    def consumer(self, identity: str) -> Consumer | None:
        """Who uses something, if anybody of this id does."""
        return self._consumers.get(identity)

    def consumers_of(self, provider: Provider) -> list[Consumer]:
        """Who uses something of a provider."""
        return [one for one in self._consumers.values() if provider.id in one.allocations]

    def allocate(self, consumer: Consumer) -> None:
        """Replace what a consumer uses; 409 when a provider has not that much left, and then nothing
        changes."""
        before = self._consumers.get(consumer.id)
        self._count(before, -1)
        for identity, wanted in consumer.allocations.items():
            if not self._fits(self.provider(identity), wanted):
                self._count(before, 1)
                raise ApiError(409, f"Unable to allocate inventory on resource provider {identity}")
        self._count(consumer, 1)
        if consumer.allocations:
            self._consumers[consumer.id] = consumer
        else:
            self._consumers.pop(consumer.id, None)

    def free(self, identity: str) -> None:
        """A consumer uses nothing any more; 404 when it did not."""
        consumer = self._consumers.pop(identity, None)
        if consumer is None:
            raise ApiError(404, f"No allocations for consumer '{identity}'")
        self._count(consumer, -1)

    def _count(self, consumer: Consumer | None, sign: int) -> None:
        for provider, resources in (consumer.allocations if consumer else {}).items():
            for name, amount in resources.items():
                self._used[provider, name] = self._used.get((provider, name), 0) + sign * amount

"""The way to all clouds: a pool for each service of each cloud, one sweep for all times, and reload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oidproxy.upstream.connecting import Connector
from oidproxy.upstream.connection import READ_SIZE
from oidproxy.upstream.distances import Distances
from oidproxy.upstream.fetching import Gathering
from oidproxy.upstream.pool import Pool, key_of
from oidproxy.upstream.resolving import Resolver
from oidproxy.upstream.surroundings import Surroundings
from oidproxy.upstream.tls import Contexts, trust_of
from oidproxy.upstream.totals import PoolStats, Totals

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits
    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.upstream.call import Call, Receiver, Request, Whole
    from oidproxy.upstream.pool import Key

_COARSEST_SWEEP = 0.25
_FINEST_SWEEP = 0.01


class Upstreams:
    """Calls to clouds. Made on the event loop that it serves, and used only there.

    `workers` is how many processes share the clouds' connection limits.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        resolver: Resolver | None = None,
        workers: int = 1,
    ) -> None:
        self._loop = asyncio.get_running_loop() if loop is None else loop
        self._registry = registry
        self._contexts = Contexts()
        resolver = Resolver(self._loop) if resolver is None else resolver
        self.distances = Distances()
        self._around = Surroundings(
            self._loop,
            Connector(self._loop, resolver, self._contexts, self.distances),
            resolver,
            memoryview(bytearray(READ_SIZE)),
            workers,
        )
        self._pools: dict[Key, Pool] = {}
        # Dictionaries, here and in pools, for their order: what is done at one time is done in the same order
        # in every run, which replays in virtual time rely on.
        self._awake: dict[Pool, None] = {}
        self._totals: dict[tuple[str, str], Totals] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._period = _sweep_period(registry.limits)

    def start(self, request: Request, receiver: Receiver) -> Call:
        """Begin a call.

        The receiver may be told before this returns: `ready` (and `hold`) where a kept connection was free,
        `failure` where the endpoint is ejected or too many calls wait. Everything else comes later.
        """
        return self.pool(request.endpoint).start(request, receiver)

    def pool(self, endpoint: Endpoint) -> Pool:
        """The pool of an endpoint, as long as it is in use."""
        key = key_of(endpoint)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._new_pool(endpoint)
        return pool

    async def fetch(self, request: Request, body: bytes = b"", *, limit: int) -> Whole:
        """A call whose whole answer, of at most `limit` body bytes, is awaited.

        Raises:
            UpstreamError: as `failure` of a call; BadAnswer also where the answer is larger than `limit`.
        """
        gathering = Gathering(request, body, limit, self._loop.create_future())
        call = self.start(request, gathering)
        gathering.belongs_to(call)
        try:
            return await gathering.result
        finally:
            call.cancel()

    def swap(self, registry: Registry) -> None:
        """Go by a new registry. Pools whose endpoints stay as they were stay; others end with their calls."""
        self._registry = registry
        self._period = _sweep_period(registry.limits)
        for key, pool in list(self._pools.items()):
            if not pool.retired and self._serves(pool):
                pool.configure(registry.limits)
            else:
                pool.retire()
                del self._pools[key]
        self._contexts.keep_only(trust_of(cloud) for cloud in registry.clouds.values())

    async def close(self) -> None:
        """Cut off every call and connection, and wait until they are closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pools = dict.fromkeys((*self._awake, *self._pools.values()))
        tasks = [task for pool in pools for task in pool.close()]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._around.resolver.close()
        while not all(pool.closed for pool in pools):  # noqa: ASYNC110 - a turn of the loop or two closes them
            await asyncio.sleep(0)

    def stats(self) -> list[PoolStats]:
        """How every pool looks that is in use or remembers failures."""
        now = self._loop.time()
        return [pool.stats(now) for pool in {*self._pools.values(), *self._awake}]

    def totals(self) -> dict[tuple[str, str], Totals]:
        """(cloud, service type) -> its counts, also of those whose pools are gone."""
        return self._totals

    def _new_pool(self, endpoint: Endpoint) -> Pool:
        cloud = self._registry.clouds.get(endpoint.cloud)
        totals = self._totals.setdefault((endpoint.cloud, endpoint.service_type), Totals())
        pool = Pool(endpoint, trust_of(cloud), self._registry.limits, self._around, totals, wake=self._wake)
        # A call that was routed just before a reload keeps its endpoint, but leaves nothing behind.
        pool.retired = not self._serves(pool)
        return pool

    def _serves(self, pool: Pool) -> bool:
        """Whether the registry still has this endpoint, reached in this way."""
        mine = pool.endpoint
        cloud = self._registry.clouds.get(mine.cloud)
        return (
            cloud is not None
            and trust_of(cloud) == pool.trust
            and any(key_of(endpoint) == pool.key for endpoint in cloud.endpoints)
        )

    def _wake(self, pool: Pool) -> None:
        pool.awake = True
        self._awake[pool] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._period, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.time()
        for pool in tuple(self._awake):
            if not pool.sweep(now, self._period):
                self._rest(pool, now)
        self._timer = self._loop.call_later(self._period, self._sweep) if self._awake else None

    def _rest(self, pool: Pool, now: float) -> None:
        """A pool without connections is swept no more, and kept only while it remembers failures."""
        pool.awake = False
        self._awake.pop(pool, None)
        if pool.ejection.forgettable(now) and self._pools.get(pool.key) is pool:
            del self._pools[pool.key]


def _sweep_period(limits: Limits) -> float:
    """Fine enough for the shortest limit, and no finer: one timer looks after every time."""
    times = (limits.wait, limits.first_byte, limits.between_bytes, limits.upstream_keep_alive)
    return min(_COARSEST_SWEEP, max(_FINEST_SWEEP, min(times) / 4))

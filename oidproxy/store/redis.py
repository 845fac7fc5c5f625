"""The shared state in Redis or Valkey, for several proxies in front of the same clouds.

An entry is a string with an expiry, a lease one that holds its owner. What must be decided and done as one is
a script, which the server runs alone. Expiries are told as what is left by the proxy's own clock, so that the
server's may differ. A server that does not answer is asked again by the next request, and by none that can do
without.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from oidproxy.errors import ConfigError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PREFIX = "oidproxy:"
"""Of every key: a database may be shared with others."""

ANSWER_SECONDS = 2.0
"""How long an answer may take; what takes well below a millisecond takes that long only where all is lost."""

CONNECTIONS = 16
"""Of one worker; more requests at one time wait for one of them."""

PEEK_SECONDS = 0.05
"""How long `peek` may keep the event loop waiting …"""
PEEK_PAUSE = 5.0
"""… and for how long it is not tried again when that was not enough."""

_DURABLE = f"{PREFIX}durable"
"""A sorted set of the keys of durable entries: by their names, since all have one score."""

_PUT_DURABLE = """
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
"""
_CLAIM = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

_log = logging.getLogger("oidproxy.store")

T = TypeVar("T")


class RedisStore:
    """Implements `store.terms.Store`. `clock` gives seconds since the epoch."""

    __slots__ = ("_client", "_clock", "_peeking", "_peeks_from", "_scripts")

    def __init__(self, url: str, *, clock: Callable[[], float]) -> None:
        """Nobody is asked yet. Raises ConfigError: the URL cannot be used."""
        self._clock = clock
        self._client = client(url)
        self._scripts = {
            text: self._client.register_script(text) for text in (_PUT_DURABLE, _CLAIM, _RELEASE)
        }
        self._peeking = redis.Redis.from_url(
            url,
            socket_timeout=PEEK_SECONDS,
            socket_connect_timeout=PEEK_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._peeks_from = 0.0

    async def get(self, key: str) -> bytes | None:
        """The value, until its end."""
        return _bytes(await self._do(self._client.get(_entry(key))))

    async def put(self, key: str, value: bytes, *, until: float, durable: bool = False) -> None:
        """Keep a value; a durable one is as safe as the server's own `appendfsync` makes it."""
        left = self._left(until)
        if left <= 0:
            await self.drop(key)
        elif durable:
            await self._run(_PUT_DURABLE, [_entry(key), _DURABLE], [key, value, left])
        else:
            await self._do(self._client.set(_entry(key), value, px=left))

    async def drop(self, key: str) -> None:
        """Forget it."""
        await self._do(self._client.delete(_entry(key)))
        await self._do(self._client.zrem(_DURABLE, key))

    async def scan(self, prefix: str, *, most: int) -> list[tuple[str, bytes]]:
        """The durable entries whose keys begin so, in the order of keys; not more than `most`."""
        found: list[tuple[str, bytes]] = []
        begin = f"[{prefix}".encode()
        end = f"({prefix}".encode() + b"\xff"
        while len(found) < most:
            names = await self._do(self._client.zrangebylex(_DURABLE, begin, end, start=0, num=most))
            if not names:
                break
            keys = [bytes(name).decode() for name in names]
            values = await self._do(self._client.mget([_entry(key) for key in keys]))
            held = [(key, bytes(value)) for key, value in zip(keys, values, strict=True) if value is not None]
            await self._forget_ended(set(keys).difference(key for key, _ in held))
            found += held
            begin = b"(" + names[-1]
        return found[:most]

    async def claim(self, key: str, owner: str, *, until: float) -> bool:
        """Take a lease, or prolong it."""
        left = self._left(until)
        if left <= 0:
            await self.release(key, owner)
            return False
        return bool(await self._run(_CLAIM, [_lease(key)], [owner, left]))

    async def release(self, key: str, owner: str) -> None:
        """End a lease now."""
        await self._run(_RELEASE, [_lease(key)], [owner])

    def peek(self, key: str) -> bytes | None:
        """The value at once, by a connection of its own: the event loop waits, though not for long."""
        if self._clock() < self._peeks_from:
            return None
        try:
            return _bytes(self._peeking.get(_entry(key)))
        except redis.RedisError as error:
            self._peeks_from = self._clock() + PEEK_PAUSE
            _log.warning("the store cannot be read now: %s", error)
            return None

    async def close(self) -> None:
        """Finish what was begun."""
        await self._client.aclose()
        self._peeking.close()

    async def check(self) -> None:
        """Whether the server can be used.

        Raises:
            ConfigError: it refuses us, or is none that can be used.
            StoreUnavailable: it does not answer.
        """
        try:
            await self._client.ping()
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            # The client tells of it as a connection that failed, and why only as its cause.
            if isinstance(error, redis.AuthenticationError) or isinstance(
                error.__cause__, redis.AuthenticationError
            ):
                raise ConfigError("store: the server refuses us: it wants another user or password") from None
            raise StoreUnavailable(f"The store does not answer: {error}") from None
        except redis.RedisError as error:
            raise ConfigError(f"store: the server cannot be used: {error}") from None

    async def _forget_ended(self, keys: set[str]) -> None:
        if keys:
            await self._do(self._client.zrem(_DURABLE, *keys))

    def _left(self, until: float) -> int:
        """Milliseconds."""
        return round((until - self._clock()) * 1000)

    async def _run(self, script: str, keys: list[str], values: list[str | bytes | int]) -> Any:  # noqa: ANN401
        return await self._do(self._scripts[script](keys=keys, args=values))

    async def _do(self, asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever Redis answers
        return await answer(asked)


async def answer(asked: Awaitable[T]) -> T:
    """The server's answer. Raises StoreUnavailable where there is none."""
    try:
        return await asked
    except (redis.RedisError, OSError) as error:
        _log.error("the store cannot be used: %s", error)
        raise StoreUnavailable("The proxy's own state cannot be used now; its log says why.") from None


def client(url: str) -> redis.asyncio.Redis:
    """A client of a server at `redis://`, `rediss://` or `unix://`.

    Raises:
        ConfigError: this is no such URL. It may hold a password, so that it is in no message.
    """
    try:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
    except ValueError:
        raise ConfigError("store: this is no URL of a Redis server") from None
    return redis.asyncio.Redis.from_pool(pool)


def _entry(key: str) -> str:
    return f"{PREFIX}entry:{key}"


def _lease(key: str) -> str:
    return f"{PREFIX}lease:{key}"


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None

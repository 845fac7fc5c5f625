"""The location index in Redis or Valkey: small hashes, which the server keeps without pointers.

Theory of operation. The first bits of an id's key choose one of `2 ** BITS` hashes, the rest is a field in
it, whose value is the names of clouds, one a line. Hashes of a few hundred short fields are kept packed
(`hash-max-listpack-entries`), so that ten million ids take hundreds of megabytes instead of gigabytes. Hashes
chosen by chance are a fair sample, and by such samples some ids are chosen to be forgotten.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from oidproxy.errors import StoreUnavailable
from oidproxy.store.fairness import share
from oidproxy.store.redis import PREFIX, answer, client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

BITS = 17
"""So many of a key choose its hash: ten million ids make 76 fields each. All proxies have the same."""

AT_ONCE = 256
"""Ids of one script: the server does nothing else meanwhile."""

SAMPLE = 4096
"""Ids that are looked at each time, where there are as many as there may be; …"""
HASHES_AT_ONCE = 1024
"""… but in no more hashes than these."""
SAMPLES_AT_ONCE = 16

_HELD = f"{PREFIX}index:held"
"""Cloud -> how many ids it has."""

_ADD = """
for place = 2, #KEYS do
    local field, cloud = ARGV[place * 2 - 3], ARGV[place * 2 - 2]
    local known = redis.call('HGET', KEYS[place], field)
    local names = known and known .. '\\n' .. cloud or cloud
    if not known or not string.find('\\n' .. known .. '\\n', '\\n' .. cloud .. '\\n', 1, true) then
        redis.call('HSET', KEYS[place], field, names)
        redis.call('HINCRBY', KEYS[1], cloud, 1)
    end
end
"""
_FORGET = """
for place = 1, #ARGV, 2 do
    local field, cloud = ARGV[place], ARGV[place + 1]
    local left, gone = {}, false
    for name in string.gmatch(redis.call('HGET', KEYS[2], field) or '', '[^\\n]+') do
        if name == cloud then gone = true else table.insert(left, name) end
    end
    if gone then
        if #left == 0 then redis.call('HDEL', KEYS[2], field)
        else redis.call('HSET', KEYS[2], field, table.concat(left, '\\n')) end
        redis.call('HINCRBY', KEYS[1], cloud, -1)
    end
end
"""


class RedisIndex:
    """Implements `store.terms.Index`. `at_most` ids are kept; `draw` gives 64 random bits, signed."""

    __slots__ = ("_add", "_at_most", "_bits", "_client", "_draw", "_forget")

    def __init__(
        self, url: str, *, at_most: int, bits: int = BITS, draw: Callable[[], int] | None = None
    ) -> None:
        """Nobody is asked yet. Raises ConfigError: the URL cannot be used."""
        self._at_most = at_most
        self._bits = bits
        self._draw = draw or _random
        self._client = client(url)
        self._add = self._client.register_script(_ADD)
        self._forget = self._client.register_script(_FORGET)

    async def clouds(self, key: int) -> tuple[str, ...]:
        """Whoever was seen to hold this id."""
        bucket, field = self._place(key)
        try:
            names = await answer(self._client.hget(bucket, field))
        except StoreUnavailable:
            return ()
        return tuple(_text(names).split("\n")) if names else ()

    def clouds_now(self, key: int) -> None:  # noqa: ARG002 - the protocol's
        """A server has to be asked."""
        return

    async def add(self, found: Mapping[str, Sequence[int]]) -> None:
        """Cloud -> keys of ids that it was seen to hold."""
        for some in _pieces([(key, cloud) for cloud, keys in found.items() for key in keys]):
            places = [(*self._place(key), cloud) for key, cloud in some]
            names = [text for _, field, cloud in places for text in (field, cloud.encode())]
            await answer(self._add(keys=[_HELD, *(bucket for bucket, _, _ in places)], args=names))
        await self._bound()

    async def close(self) -> None:
        """Finish what was begun."""
        await self._client.aclose()

    async def _bound(self) -> None:
        """Forget what is too much, of the clouds that have more than their share."""
        for _ in range(SAMPLES_AT_ONCE):
            held = {name: int(count) for name, count in (await self._hash(_HELD)).items()}
            excess = sum(held.values()) - self._at_most
            if excess <= 0:
                return
            fair = share(held.values(), self._at_most)
            over = {name: count - fair for name, count in held.items() if count > fair}
            for bucket, rows in (await self._sample()).items():
                chosen = _chosen(rows, over, excess)
                excess -= len(chosen) // 2
                if chosen:
                    await answer(self._forget(keys=[_HELD, bucket], args=chosen))

    async def _sample(self) -> dict[str, dict[bytes, bytes]]:
        """Some hashes, and what is in them."""
        hashes = min(HASHES_AT_ONCE, max(1, (SAMPLE << self._bits) // self._at_most))
        buckets = list({self._place(self._draw())[0] for _ in range(hashes)})
        pipeline = self._client.pipeline(transaction=False)
        for bucket in buckets:
            pipeline.hgetall(bucket)
        return dict(zip(buckets, await answer(pipeline.execute()), strict=True))

    def _place(self, key: int) -> tuple[str, bytes]:
        """The hash and the field of a key."""
        unsigned, left = key & 0xFFFF_FFFF_FFFF_FFFF, 64 - self._bits
        rest = unsigned & ((1 << left) - 1)
        return f"{PREFIX}index:{unsigned >> left:x}", rest.to_bytes((left + 7) // 8, "big")

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        return cast("dict[bytes, bytes]", await answer(self._client.hgetall(key)))


def _chosen(rows: Mapping[bytes, bytes], over: dict[bytes, int], excess: int) -> list[bytes]:
    """Fields and clouds of these, at most so many of each, and of all."""
    chosen: list[bytes] = []
    for field, names in rows.items():
        for name in names.split(b"\n"):
            if over.get(name, 0) > 0 and len(chosen) < 2 * excess:
                over[name] -= 1
                chosen += (field, name)
    return chosen


def _pieces(rows: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for begin in range(0, len(rows), AT_ONCE):
        yield rows[begin : begin + AT_ONCE]


def _random() -> int:
    return int.from_bytes(os.urandom(8), "big", signed=True)


def _text(names: object) -> str:
    return names.decode() if isinstance(names, bytes) else ""

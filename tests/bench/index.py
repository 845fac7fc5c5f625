"""A location index of many ids, as it is after a long time, and how long a lookup in it takes.

Run as `python -m tests.bench.index FILE IDS`: fills the state file, and says what it found as JSON. Ids come
in no order, as they are learned.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.manyclouds.locations import key_of
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite_index import SqliteIndex
from tests.bench import thousand

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = 800 << 20
LOOKUPS = 200_000
KNOWN = thousand.CLOUDS * thousand.ITEMS
"""Ids that the clouds really have; all others are of resources that nobody asks for."""


def rows(count: int) -> Iterator[tuple[int, int]]:
    """Key and number of cloud. Digests have no order, so that random keys are like those of ids."""
    for number in range(1, thousand.CLOUDS + 1):
        for place in range(thousand.ITEMS):
            key = key_of("image", thousand.identity(number, place).encode())
            assert key is not None
            yield key, number
    chance = random.Random(5)
    for _ in range(count - KNOWN):
        yield chance.getrandbits(64) - (1 << 63), chance.randrange(thousand.CLOUDS) + 1


def fill(path: Path, count: int) -> float:
    """Write so many; seconds that it took."""
    prepare(path)
    begin = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # All in memory until it is complete: where rows come to lie depends on their order alone.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute(f"PRAGMA cache_size = -{CACHE // 1024}")
        connection.execute("BEGIN")
        for number in range(1, thousand.CLOUDS + 1):
            share = count // thousand.CLOUDS
            connection.execute("INSERT INTO holder VALUES (?, ?, ?)", (number, thousand.name(number), share))
        connection.executemany("INSERT OR IGNORE INTO place (id, holder) VALUES (?, ?)", rows(count))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    return time.perf_counter() - begin


def lookups(path: Path, count: int) -> dict[str, float]:
    """Microseconds of CPU of one: of an id asked for the first time, and again; of one that is not there."""
    index = SqliteIndex(path, at_most=count)
    some = [key for key, _ in islice(rows(count), 0, None, max(1, count // LOOKUPS))]
    chance = random.Random(7)
    chance.shuffle(some)
    absent = [chance.getrandbits(64) - (1 << 63) for _ in some]
    told = {}
    for name, asked in (("first", some), ("warm", some), ("absent", absent)):
        begin = time.process_time()
        found = sum([bool(index.clouds_now(key)) for key in asked])
        told[name] = (time.process_time() - begin) / len(asked) * 1e6
        if (found == 0) is not (name == "absent"):
            raise SystemExit(f"{found} of {len(asked)} ids were found, asked for {name}")
    asyncio.run(index.close())
    return told


def main() -> None:
    """Fill, and measure."""
    path, count = Path(sys.argv[1]), int(sys.argv[2])
    told = {"filled": fill(path, count), "size": path.stat().st_size, "ids": count}
    told |= lookups(path, count)
    print(json.dumps(told))


if __name__ == "__main__":
    main()

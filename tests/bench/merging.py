"""CPU time of merging alone: `python -m tests.bench.merging` prints it for 1,000 clouds of 20 rows each."""

from __future__ import annotations

import json
import random
import sys
from time import process_time
from uuid import UUID

from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.question import Question
from oidproxy.manyclouds.merging.union import Union

CLOUDS, ROWS, ROUNDS = 1000, 20, 15


def rows(chance):
    """A cloud's servers of about 400 bytes each, the newest first."""
    found = [
        {
            "id": str(UUID(int=chance.getrandbits(128))),
            "name": f"server-{chance.randrange(10**6)}",
            "created": f"2025-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T08:00:00Z",
            "status": "ACTIVE",
            "metadata": {"purpose": "x" * 120},
            "links": [{"rel": "self", "href": "http://cloud.example:8774/v2.1/servers/" + "0" * 36}],
        }
        for _ in range(ROWS)
    ]
    return sorted(found, key=lambda row: (row["created"], row["id"]), reverse=True)


def answer(held, count):
    """The beginning of a cloud's list."""
    document = {"servers": held[:count]}
    if count < len(held):
        document["servers_links"] = [{"rel": "next", "href": f"http://cloud/?marker={held[count - 1]['id']}"}]
    return json.dumps(document).encode()


def page(query, bodies):
    """Merge one page and write it; its number of rows."""
    union = Union(Question.of(collection("compute", b"/v2.1/servers/detail"), query, b"demo"), list(bodies))
    for ask in union.asks():
        union.answered(ask, 200, bodies[ask.leg])
        union.asks()
    made = union.page()
    made.body("http://proxy/compute")
    return len(made.shown.ids)


def main():
    """Print the least and the median CPU time of each page."""
    chance = random.Random(5)
    fleet = {f"cloud-{number}": rows(chance) for number in range(CLOUDS)}
    for title, query, count in (
        ("limit 100, clouds give the 4 rows asked for", b"limit=100", 4),
        ("limit 100, clouds give all 20 rows", b"limit=100", ROWS),
        ("no limit, 20,000 rows", b"", ROWS),
    ):
        bodies = {leg: answer(held, count) for leg, held in fleet.items()}
        times = []
        for _ in range(ROUNDS):
            start = process_time()
            shown = page(query, bodies)
            times.append((process_time() - start) * 1000)
        times.sort()
        size = sum(map(len, bodies.values())) / 1e6
        sys.stdout.write(
            f"{title}: {size:.1f} MB read, {shown} rows shown, "
            f"{times[0]:.1f} ms at least, {times[len(times) // 2]:.1f} ms in the median\n"
        )


if __name__ == "__main__":
    main()

"""What a find costs beside a forward off the express lane, counted in executed instructions."""

from __future__ import annotations

import uuid

from oidproxy.proxy.express import Express
from tests.manyclouds.fleet import Cloud, fleet, named, read, request
from tests.proxy.test_hot_path import Instructions

AT_MOST = 1.25
"""Times the instructions of a forward that takes the whole way, as a find does; the lookup in SQLite and the
system's calls come on top."""

IDS = [str(uuid.UUID(int=number << 40)) for number in range(20)]


async def counted(peer, scope: str) -> int:
    counts = []
    for number, item in enumerate(IDS):
        data = request(f"/image/v2/images/{item}", scope)
        with Instructions() as executed:
            await peer.send(data)
            assert (await read(peer)).status == 200
        if number >= 5:
            counts.append(executed.count)
    return min(counts)


async def test_an_item_whose_cloud_is_known_costs_little_more_than_one_whose_cloud_is_named(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Express, "take", lambda *_: None)
    made = [Cloud(name) for name in named(4)]
    for one in made:
        one.rows = {"images": []}
    made[1].rows["images"] = [{"id": item, "name": "x" * 1400} for item in IDS]
    async with fleet(tmp_path, made) as running:
        finding = running.proxy.serving.many.find
        finding.made("cloud-2", "image", [item.encode() for item in IDS])
        peer = await running.proxy.client()
        plain, found = await counted(peer, "image:cloud-2"), await counted(peer, "image:*")
        assert len(made[0].calls) == 0
        assert plain > 1000
        assert found <= AT_MOST * plain, (plain, found)

"""Measured round-trip times: from connections to the plans of all workers, steady, never over declared."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest

from oidproxy.clouds.rtt import RoundTrips
from oidproxy.proxy import distances as module
from oidproxy.proxy import parent as parents
from oidproxy.proxy.distances import WINDOW, Distances
from oidproxy.upstream.distances import Distances as Seen
from oidproxy.upstream.distances import round_trip_us
from tests.proxy.test_parent import running
from tests.wire.rig import eventually, rig
from tests.wire.served import connect

CLOUDS = ("a", "b", "c")


def heard(*told: tuple[float, dict[str, int]]) -> Distances:
    made = Distances(0.0)
    for now, found in told:
        made.hear(found, now)
        made.changed(CLOUDS)
    return made


def test_the_least_of_all_workers_counts_and_is_rounded():
    assert heard((0.0, {"a": 5230, "b": 41}), (1.0, {"a": 5180}), (2.0, {"a": 90_000})).told == {
        "a": 5200,
        "b": 100,
    }


@pytest.mark.parametrize(("time", "told"), [(4100, 5000), (6200, 5000), (3000, 3000)])
def test_a_little_more_or_less_changes_nothing(time, told):
    made = heard((0.0, {"a": 5000}))
    for now in (WINDOW, 2 * WINDOW):
        made.hear({"a": time}, now)
    assert made.changed(CLOUDS) is (told != 5000)
    assert made.told == {"a": told}


def test_a_way_that_became_longer_is_believed_after_two_windows():
    made = heard((0.0, {"a": 5000}), (WINDOW, {"a": 20_000}))
    assert made.told == {"a": 5000}
    made.hear({"a": 20_000}, 2 * WINDOW)
    assert made.changed(CLOUDS)
    assert made.told == {"a": 20_000}


def test_what_was_known_of_a_cloud_that_nobody_calls_stays_and_clouds_that_are_gone_go():
    made = heard((0.0, {"a": 5000, "b": 7000}))
    for now in (WINDOW, 2 * WINDOW):
        made.hear({}, now)
    assert not made.changed(CLOUDS)
    assert made.changed(("b", "c"))
    assert made.told == {"b": 7000}


def test_of_a_real_connection_it_is_what_the_system_says():
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as one:
        one.connect(listening.getsockname())
        transport = SimpleNamespace(get_extra_info=lambda name: one)
        assert 0 < round_trip_us(transport) < 10_000_000
        seen = Seen()
        seen.note("a", transport)
        assert seen.take().keys() == {"a"}
        assert seen.take() == {}
    assert round_trip_us(SimpleNamespace(get_extra_info=lambda name: None)) == 0


# Between clouds.


def test_what_nobody_declared_goes_by_way_of_the_proxy():
    trips = RoundTrips().with_measured({"a": 1000, "b": 20_000})
    assert trips.round_trip_us("a", "b") == trips.round_trip_us("b", "a") == 21_000
    assert trips.round_trip_us("a", "a") == 0
    # One that was not measured yet is as far as any.
    assert trips.round_trip_us("a", "c") == 21_000


def test_what_is_declared_stays():
    declared = RoundTrips(one_way_us={("a", "b"): 50, ("b", "a"): 50}, default_us=0)
    trips = declared.with_measured({"a": 1000, "b": 20_000, "c": 3000})
    assert (trips.round_trip_us("a", "b"), trips.round_trip_us("a", "c")) == (100, 4000)
    for whole in (RoundTrips(default_us=7), RoundTrips(measures=False)):
        assert whole.complete
        assert whole.with_measured({"a": 1000, "b": 20_000}).round_trip_us("a", "b") == 2 * whole.default_us
    partly = RoundTrips(default_us=7, excepted=frozenset({"c"})).with_measured({"a": 1000, "c": 3000})
    assert (partly.round_trip_us("a", "b"), partly.round_trip_us("a", "c")) == (14, 4000)


def test_nothing_is_measured_yet_so_all_are_equally_near():
    assert RoundTrips().round_trip_us("a", "b") == 0


def test_times_that_are_told_are_few():
    """Sets around a group cost as many looks as there are different times."""
    assert len({module._rounded(time) for time in range(1, 100_000)}) < 250


async def test_a_worker_goes_by_what_it_is_told_from_the_next_request_on(tmp_path):
    async with rig(tmp_path) as proxy:
        before = proxy.serving.snapshot
        assert before.registry.round_trip_us("cloud-1", "cloud-2") == 0
        proxy.serving.measured({"cloud-1": 1000, "cloud-2": 2000})
        after = proxy.serving.snapshot
        assert after.registry.rtt.measured == {"cloud-1": 1000, "cloud-2": 2000}
        assert (after.serial, after.registry.clouds) == (before.serial, before.registry.clouds)
        assert after.memory is not before.memory
        assert before.registry.rtt.measured == {}


async def test_what_was_decided_without_a_distance_is_remembered_on(tmp_path):
    async with rig(tmp_path) as proxy:
        before = proxy.serving.snapshot
        for times in ({"cloud-1": 1000}, {"cloud-1": 9000}):
            proxy.serving.measured(times)
            assert proxy.serving.snapshot.registry.rtt.measured == times
            assert proxy.serving.snapshot.memory is before.memory
        # A request that began before decides by the distances of then, which is noticed.
        assert before.registry.round_trip_us("cloud-1", "cloud-2") == 0
        proxy.serving.measured({"cloud-1": 1000})
        assert proxy.serving.snapshot.memory is not before.memory


async def test_what_workers_see_comes_back_to_all_of_them_and_is_told(tmp_path, monkeypatch):
    """A call is made and its connection measured; what all serve has it from then on, and the metrics."""
    monkeypatch.setattr(parents, "TOLD_EVERY", 0.1)
    async with running(tmp_path) as (parent, address):
        origin = parent.registry.endpoint("cloud-1", "image").origin
        cloud = await asyncio.start_server(lambda _, writer: writer.close(), origin.host, origin.port)
        async with cloud, connect(address, 8888) as peer:
            await peer.send(b"GET /image/v2 HTTP/1.1\r\nHost: p\r\n\r\n")
            await eventually(lambda: parent.registry.rtt.measured, 20)
        assert parent.registry.rtt.measured.keys() == {"cloud-1"}
        told = parent.counted()["oidproxy_cloud_round_trip_seconds"]
        assert 0 < told[(("cloud", "cloud-1"),)] < 10
        assert parent.ready()

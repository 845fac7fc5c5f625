"""What a worker learns of where ids are: by whom it is seen, and how little it takes."""

from __future__ import annotations

import uuid
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.manyclouds import locations as module
from oidproxy.manyclouds.locations import Locations, key_of
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite_index import SqliteIndex

ID = b"0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"


@pytest.fixture
async def index(tmp_path):
    prepare(tmp_path / "state.db")
    made = SqliteIndex(tmp_path / "state.db", at_most=100_000)
    yield made
    await made.close()


@pytest.fixture
def locations(index):
    return Locations(index)


def ids(count: int, first: int = 0) -> list[bytes]:
    return [str(uuid.UUID(int=number)).encode() for number in range(first, first + count)]


async def handed_over(locations, index) -> None:
    await index.add({cloud: array("q", keys) for cloud, keys in locations.take().items()})


async def test_what_a_worker_learned_it_knows_at_once_and_others_when_it_was_handed_over(locations, index):
    other = Locations(index)
    locations.learn("cloud-1", "image", [ID])
    assert await locations.clouds("image", ID) == ("cloud-1",)
    assert await other.clouds("image", ID) == ()
    await handed_over(locations, index)
    assert await other.clouds("image", ID) == await locations.clouds("image", ID) == ("cloud-1",)


async def test_a_further_cloud_is_added_whoever_says_so(locations, index):
    locations.learn("cloud-1", "image", [ID])
    await handed_over(locations, index)
    locations.learn("cloud-2", "image", [ID])
    await index.add({"cloud-3": [key_of("image", ID)]})
    assert set(await locations.clouds("image", ID)) == {"cloud-1", "cloud-2", "cloud-3"}


async def test_an_id_is_one_services(locations):
    locations.learn("cloud-1", "image", [ID])
    assert await locations.clouds("compute", ID) == ()


async def test_what_is_learned_already_is_not_told_again(locations):
    locations.learn("cloud-1", "image", ids(3))
    assert [len(keys) for keys in locations.take().values()] == [3 * 8]
    locations.learn("cloud-1", "image", ids(4))
    assert [len(keys) for keys in locations.take().values()] == [8]
    locations.learn("cloud-1", "image", ids(4))
    assert locations.take() == {}


async def test_only_so_many_are_taken_in_a_second(locations, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 5)
    locations.take()
    locations.learn("cloud-1", "image", ids(8))
    assert len(locations.take()["cloud-1"]) == 5 * 8
    locations.learn("cloud-1", "image", ids(8))
    assert len(locations.take()["cloud-1"]) == 3 * 8


async def test_memory_is_bounded(locations, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 100_000)
    locations.take()
    locations.learn("cloud-1", "image", ids(3 * module.RECENT))
    assert len(locations._recent) + len(locations._older) <= module.RECENT


@pytest.mark.parametrize(
    "name", [b"", b"1", b"m1.tiny", b"demo", ID[:-1], ID + b"0", b"g" + ID[1:], ID + b"\n"]
)
async def test_numbers_and_names_are_many_clouds_and_not_learned(locations, name):
    locations.learn("cloud-1", "compute", [name])
    assert locations.take() == {}
    assert await locations.clouds("compute", name) == ()


def test_an_id_has_one_key_however_it_is_written():
    assert key_of("image", ID) == key_of("image", ID.replace(b"-", b"")) == key_of("image", ID.upper())


@given(st.uuids(), st.sampled_from(["image", "compute", "container-infrastructure-management"]))
def test_a_key_fits_into_64_bits(one, service):
    key = key_of(service, str(one).encode())
    assert -(1 << 63) <= key < 1 << 63

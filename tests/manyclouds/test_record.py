"""What an answer says of the clouds behind it: counts, names as far as they fit, and everything on demand."""

from __future__ import annotations

import json

import pytest

from oidproxy.clouds.plan import One
from oidproxy.errors import ConnectRefused
from oidproxy.manyclouds.record import NAMES_AT_MOST, Record, name_of
from oidproxy.manyclouds.records import WHOLE_AT_MOST, WHOLE_KEPT_FOR, Records


def said(record: Record) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in record.fields()}


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (One("cloud-1"), "cloud-1"),
        (One("cloud-1", "RegionTwo"), "cloud-1/RegionTwo"),
        (One("New York"), '"New York"'),
    ],
)
def test_clouds_are_named_as_in_a_scope(one, name):
    assert name_of(one) == name


def test_all_is_well():
    assert said(Record(ok=["a", "b"])) == {"X-Scope-Clouds": "ok=2;failed=0;skipped=0"}


def test_what_failed_and_what_was_skipped_is_named():
    record = Record(ok=["a"], skipped={"s": "no token"}, disordered=("a",))
    record.fail("b", ConnectRefused("b: cannot be connected to."))
    record.fail("c", "late")
    assert said(record) == {
        "X-Scope-Clouds": "ok=1;failed=b,c;skipped=s",
        "X-Scope-Partial": "true",
        "X-Scope-Order": "a",
    }
    assert json.loads(record.document()) == {
        "ok": ["a"],
        "failed": {"b": "b: cannot be connected to.", "c": "late"},
        "skipped": {"s": "no token"},
        "not_admitted": 0,
        "disordered": ["a"],
    }


def test_what_is_not_named_is_counted():
    assert said(Record(unnamed=3))["X-Scope-Clouds"] == "ok=0;failed=0;skipped=3"
    assert said(Record(skipped={"s": ""}, unnamed=3))["X-Scope-Clouds"] == "ok=0;failed=0;skipped=s,+3"


def test_names_that_do_not_fit_are_counted():
    record = Record()
    for number in range(1000):
        record.fail(f"cloud-{number}", "")
    failed = said(record)["X-Scope-Clouds"].split(";")[1].removeprefix("failed=")
    *names, more = failed.split(",")
    assert len(",".join(names)) <= NAMES_AT_MOST
    assert names == [f"cloud-{number}" for number in range(len(names))]
    assert int(more) == 1000 - len(names)


def test_one_name_that_does_not_fit_is_counted():
    record = Record()
    record.fail("x" * 2000, "")
    assert said(record)["X-Scope-Clouds"] == "ok=0;failed=1;skipped=0"


def test_a_name_cannot_bring_a_field_of_its_own():
    record = Record()
    record.fail("Zürich\r\nX-Evil: 1;ok=9", "")
    value = said(record)["X-Scope-Clouds"]
    assert value == "ok=0;failed=Z%C3%BCrich%0D%0AX-Evil: 1%3Bok=9;skipped=0"


class Kept:
    """A store in memory, and until when it keeps what."""

    def __init__(self):
        self.entries = {}

    async def put(self, key, value, *, until, durable=False):
        self.entries[key] = value, until

    async def get(self, key):
        return self.entries.get(key, (None,))[0]


def whole(*names):
    return Record(ok=list(names))


async def test_what_every_cloud_answered_is_known_to_other_workers_too_for_a_while():
    store = Kept()
    one, other = (Records(store, lambda: 100.0, shared=True) for _ in range(2))
    await one.keep("req-1", b"demo", whole("a", "b"))
    assert json.loads(await other.get("req-1", b"demo"))["ok"] == ["a", "b"]
    assert await other.get("req-1", b"eve") is None
    assert [until for _, until in store.entries.values()] == [100.0 + WHOLE_KEPT_FOR]


async def test_but_not_more_of_it_than_is_no_burden():
    store, now = Kept(), 100.0
    records = Records(store, lambda: now, shared=True)
    for number in range(WHOLE_AT_MOST + 5):
        await records.keep(f"req-{number}", b"demo", whole("a"))
    assert len(store.entries) == WHOLE_AT_MOST
    missing = Record(failed={"a": "silent"})
    await records.keep("req-failed", b"demo", missing)
    assert len(store.entries) == WHOLE_AT_MOST + 1
    now = 101.0
    await records.keep("req-later", b"demo", whole("a"))
    assert len(store.entries) == WHOLE_AT_MOST + 2


async def test_and_none_of_it_where_there_is_one_worker():
    store = Kept()
    records = Records(store, lambda: 100.0)
    await records.keep("req-1", b"demo", whole("a"))
    assert store.entries == {}
    assert json.loads(await records.get("req-1", b"demo"))["ok"] == ["a"]

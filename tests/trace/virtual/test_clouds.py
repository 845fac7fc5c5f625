"""What simulated clouds answer, how long they think, and what they hold."""

from __future__ import annotations

import json
from statistics import median

import pytest

from oidproxy.trace.virtual import shapes
from oidproxy.trace.virtual.answering import Answering, Asked
from oidproxy.trace.virtual.holdings import Holdings
from oidproxy.trace.virtual.keystone import Keystone
from oidproxy.trace.virtual.ledger import Entry, Ledger, request_id
from oidproxy.trace.virtual.service_times import MEDIAN, ServiceTimes
from tests.trace.virtual.rig import line

IMAGE = "0d6a0c3c-9a0e-4a51-9f2e-0b9a3a1d5c11"


def asked(entry: Entry | None, method: str = "GET", path: str = "/v2/images", query: str = "") -> Asked:
    return Asked(method, path, query, "", entry)


def cloud(name: str = "cloud-1", service: str = "image", holdings: Holdings | None = None) -> Answering:
    return Answering(name, service, holdings or Holdings(0), Keystone(name, lambda _: ("member",)))


@pytest.mark.parametrize("size", [3000, 30_000])
def test_a_list_is_as_long_as_recorded_with_the_rows_of_this_cloud(size):
    body = cloud().answer(asked(Entry(line(0, 0, "/v2/images", bytes_out=size), 0))).body
    rows = json.loads(body)["images"]
    assert len(body) == pytest.approx(size, abs=shapes.ROW)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    other = json.loads(
        cloud("cloud-2").answer(asked(Entry(line(0, 0, "/v2/images", bytes_out=size), 0))).body
    )
    assert not {row["id"] for row in rows} & {row["id"] for row in other["images"]}


def test_of_a_recorded_union_each_cloud_gives_its_share():
    entry = Entry(line(0, 0, "/v2/images", bytes_out=27_000, asked=["a", "b", "c"]), 0)
    assert len(cloud().answer(asked(entry)).body) == pytest.approx(9000, abs=shapes.ROW)


def test_limits_are_kept_and_there_is_one_page():
    entry = Entry(line(0, 0, "/v2/images", bytes_out=27_000), 0)
    assert len(json.loads(cloud().answer(asked(entry, query="limit=4")).body)["images"]) == 4
    assert json.loads(cloud().answer(asked(entry, query="limit=4&marker=x")).body)["images"] == []


def test_an_item_is_the_same_in_every_cloud_and_as_long_as_recorded():
    path = f"/v2/images/{IMAGE}"
    entry = Entry(line(0, 0, path, bytes_out=1500, used=[IMAGE]), 0)
    one, other = (cloud(name).answer(asked(entry, path=path)).body for name in ("cloud-1", "cloud-2"))
    assert one == other
    assert len(one) == 1500
    assert json.loads(one)["id"] == IMAGE


@pytest.mark.parametrize("service", ["compute", "network", "block-storage", "identity", "image", "made-up"])
def test_items_are_json_of_their_size(service):
    body = shapes.item(service, "things", IMAGE, 900)
    assert len(body) == 900
    assert IMAGE in json.dumps(json.loads(body))
    assert json.loads(shapes.anything(200))
    assert len(shapes.anything(200)) == 200


def test_errors_of_clouds_come_again_and_those_of_proxies_do_not():
    conflict = Entry(line(0, 0, f"/v2/images/{IMAGE}", method="DELETE", status=409, used=[IMAGE]), 0)
    assert cloud().answer(asked(conflict, "DELETE", f"/v2/images/{IMAGE}")).status == 409
    for made_up in ({"status": 503}, {"status": 404, "error": "not-found"}):
        entry = Entry(line(0, 0, "/v2/images", **made_up), 0)
        assert cloud().answer(asked(entry)).status == 200


def test_what_is_deleted_twice_is_gone_the_second_time():
    here = cloud()
    path = f"/v2/images/{IMAGE}"
    entry = Entry(line(0, 0, path, method="DELETE", status=204, used=[IMAGE]), 0)
    assert [here.answer(asked(entry, "DELETE", path)).status for _ in range(2)] == [204, 404]


def test_a_question_of_the_proxys_own_is_no_recorded_request():
    entry = Entry(line(0, 0, "/v2.1/servers", method="POST", service="compute", status=202, made=[IMAGE]), 0)
    answer = cloud().answer(asked(entry, path=f"/v2/images/{IMAGE}"))
    assert answer.status == 200
    assert json.loads(answer.body)["id"] == IMAGE


def test_ids_depend_on_cloud_and_seed_alone():
    assert Holdings(1).make("a", IMAGE) == Holdings(1).make("a", IMAGE)
    made = {Holdings(seed).make(name, IMAGE) for seed in (1, 2) for name in ("a", "b")}
    assert len(made) == 4
    assert all(len(one) == 36 for one in made)
    assert len(Holdings(1).make("a", IMAGE.replace("-", ""))) == 32


def test_clouds_think_as_long_as_recorded_else_by_a_distribution_that_is_the_same_again():
    steps = {"sent": 2_000_000, "first_byte": 12_000_000, "done": 15_000_000}
    recorded = Entry(line(0, 0, "/v2/images", steps=steps), 0)
    assert ServiceTimes(1).of("a", recorded) == pytest.approx(0.010)
    assert ServiceTimes(1, constant=0.5).of("a", recorded) == 0.5
    entries = [Entry(line(n, 0, "/v2/images"), 0) for n in range(2000)]
    drawn = [ServiceTimes(1).of("a", entry) for entry in entries]
    assert drawn == [ServiceTimes(1).of("a", entry) for entry in entries]
    assert drawn != [ServiceTimes(2).of("a", entry) for entry in entries]
    assert median(drawn) == pytest.approx(MEDIAN, rel=0.1)
    assert min(drawn) > 0


def test_a_request_is_known_by_its_id_in_every_loop():
    ledger = Ledger()
    first, second = (ledger.open(line(7, 0, "/v2/images"), loop) for loop in (0, 3))
    for entry in (first, second):
        assert (
            ledger.find(b"GET / HTTP/1.1\r\nX-Openstack-Request-Id: %b\r\n\r\n" % request_id(entry)) is entry
        )
    ledger.close(first)
    assert ledger.by_id(request_id(first).decode()) is None
    assert ledger.find(b"GET / HTTP/1.1\r\n\r\n") is None

"""The image service of a cloud is stopped, or hangs: what lists, items, `|` and `&` are without it."""

from __future__ import annotations

import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from devstack.lab.processes import stop
from devstack.lab.services import all_of
from tests.lab.many import ANY, BOTH, RAW, USER, Told, counts, replicas, rows, told, under, until
from tests.lab.users import Refused, User

CLOUDS = ("cloud-1", "cloud-999")
IMAGES = "/v2/images"
TAG = uuid.uuid4().hex
MINE = f"{IMAGES}?tag={TAG}"
"""What was made here."""
DOCUMENT = {**RAW, "tags": [TAG]}


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


class Glance:
    """cloud-999's."""

    def __init__(self, lab, place):
        [self._service] = [one for one in all_of(lab, place) if one.serves == "image"]

    def stop(self):
        stop([self._service.process])

    def start(self):
        self._service.start()
        self._service.wait()

    @contextmanager
    def hanging(self):
        """It takes connections, as the kernel does that for it, and says nothing."""
        pid = self._service.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def glance(lab, abroad):
    made = Glance(lab, abroad)
    yield made
    made.start()


@pytest.fixture(scope="module")
def ids(spare):
    """Cloud -> an image that it alone has; `both` is in both. Made while all is well."""
    made = {}
    for cloud in CLOUDS:
        made |= spare.make("image", IMAGES, {"name": f"of-{cloud}", **DOCUMENT}, cloud)
    made["both"] = spare.make("image", IMAGES, {"name": "of-both", **DOCUMENT})["cloud-1"]
    yield made
    for image in made.values():
        spare.call("DELETE", "image", f"{IMAGES}/{image}", fine=ANY)


@pytest.fixture(scope="module")
def stopped(spare, glance, ids):
    """Nobody listens where the image service of cloud-999 was; what it had was listed before."""
    listed = spare.get("image", MINE, X_Scope_On_Missing="unknown")["images"]
    assert len(listed) == 4, "the one in both is in each of the lists"
    glance.stop()


@pytest.mark.usefixtures("stopped")
def test_a_list_holds_the_others_rows_and_names_the_cloud(spare, ids):
    answer = spare.call("GET", "image", MINE)
    assert told(answer) == Told(1, ("cloud-999",), ())
    assert answer.headers["x-scope-partial"] == "true"
    assert {one["id"] for one in answer.json["images"]} == {ids["cloud-1"], ids["both"]}
    assert "cloud-999" in spare.said_of(answer)["failed"]
    first = spare.call("GET", "image", f"{MINE}&limit=1")
    rest = spare.call("GET", "image", first.json["next"])
    assert told(first) == told(rest) == Told(1, ("cloud-999",), ())
    found = [one["id"] for page in (first, rest) for one in page.json["images"]]
    assert sorted(found) == sorted([ids["cloud-1"], ids["both"]])
    # Services that are not missing are not partial.
    assert told(spare.call("GET", "network", "/v2.0/networks")) == Told(2, (), ())


@pytest.mark.usefixtures("stopped")
def test_a_list_that_is_to_be_whole_or_nothing_is_nothing(spare):
    answer = spare.call("GET", "image", MINE, fine=(502,), X_Scope_On_Missing="fail")
    assert told(answer) == Told(1, ("cloud-999",), ())
    assert "images" not in answer.json


@pytest.mark.usefixtures("stopped")
def test_what_is_known_to_be_in_the_missing_cloud_is_listed_as_unknown(spare, ids):
    answer = spare.call("GET", "image", MINE, X_Scope_On_Missing="unknown")
    assert told(answer) == Told(1, ("cloud-999",), ())
    listed = answer.json["images"]
    unknown = [one for one in listed if one["status"] == "UNKNOWN"]
    assert {one["id"] for one in unknown} == {ids["cloud-999"], ids["both"]}
    assert {one["oid:cloud"] for one in unknown} == {"cloud-999"}
    assert listed[-2:] == unknown


@pytest.mark.usefixtures("stopped")
def test_the_real_client_lists_the_others_and_says_who_is_missing(lab, spare, ids, tmp_path):
    user = User(lab, USER, spare.clouds_yaml(tmp_path / "clouds.yaml"))
    words = ("scope", "resource", "list", "image/images", "--filter", f"tag={TAG}")
    said = user.run(*words, "-f", "value", "-c", "ID", "-c", "Cloud", scope=under(BOTH), errors=True)
    assert f"{ids['cloud-1']} cloud-1" in said
    assert "No answer from cloud-999" in said
    with pytest.raises(Refused, match="cloud-999"):
        user.run(*words, "--on-missing", "fail", scope=under(BOTH))


@pytest.mark.usefixtures("stopped")
def test_an_item_is_found_in_the_other_and_whether_it_is_nowhere_is_not_decided(spare, ids):
    assert spare.get("image", f"{IMAGES}/{ids['cloud-1']}")["name"] == "of-cloud-1"
    for image in (ids["cloud-999"], str(uuid.uuid4())):
        answer = spare.call("GET", "image", f"{IMAGES}/{image}", fine=(504,))
        assert (answer.status, answer.headers["x-oidproxy-error"]) == (504, "undecided")
        assert told(answer) == Told(1, ("cloud-999",), ())
        assert b"Whether cloud-999 has this is not known" in answer.body
    # Nothing is changed where another cloud may have something else under the id.
    answer = spare.call("DELETE", "image", f"{IMAGES}/{ids['cloud-1']}/tags/none", fine=ANY)
    assert (answer.status, rows(answer)) == (504, {"cloud-1": "here", "cloud-999": "unknown"})


@pytest.mark.usefixtures("stopped")
def test_the_next_cloud_serves_in_its_place(spare, ids, truths):
    either = under("cloud-999|cloud-1")
    name = unique("either")
    assert ids["cloud-1"] in {one["id"] for one in spare.get("image", MINE, scope=either)["images"]}
    assert spare.get("image", f"{IMAGES}/{ids['cloud-1']}", scope=either)["name"] == "of-cloud-1"
    # No connection: that it was not made in the first is known.
    made = spare.call("POST", "image", IMAGES, {"name": name, **RAW}, scope=either).json["id"]
    assert [one["id"] for one in truths[0].held("images", name)] == [made]
    assert spare.get("image", f"{IMAGES}/{made}", scope=either)["name"] == name
    spare.call("DELETE", "image", f"{IMAGES}/{made}", scope=under("cloud-1"))


@pytest.mark.usefixtures("stopped")
def test_what_is_to_be_in_both_is_in_none_unless_it_may_stay(spare, truths):
    for policy, outcome, left in (("undo", "undone", 0), ("keep", "made", 1)):
        name = unique(policy)
        body = {"name": name, **RAW}
        answer = spare.call("POST", "image", IMAGES, body, fine=ANY, X_Scope_On_Partial=policy)
        assert answer.status == 502
        assert rows(answer) == {"cloud-1": outcome, "cloud-999": "not made"}
        assert truths[0].count("images", name) == left
        assert [*replicas(answer)] == ["cloud-1"][:left]
        for one in truths[0].held("images", name):
            spare.call("DELETE", "image", f"{IMAGES}/{one['id']}", scope=under("cloud-1"))


@pytest.mark.usefixtures("stopped")
def test_what_is_deleted_meanwhile_is_gone_when_the_cloud_is_back(spare, glance, truths, ids):
    answer = spare.call("DELETE", "image", f"{IMAGES}/{ids['both']}")
    assert answer.status == 202
    assert rows(answer) == {"cloud-1": "done", "cloud-999": "pending"}
    assert truths[0].count("images", "of-both") == 0
    glance.start()
    assert truths[1].count("images", "of-both") == 1

    def gone():
        # The user calls again, whatever for.
        spare.get("image", f"{IMAGES}?limit=1")
        return truths[1].count("images", "of-both") == 0

    until(gone, "it is not deleted later")


def test_a_cloud_that_hangs_is_told_from_one_that_is_away(spare, glance, truths):
    """All at once, since each takes as long as a request may take."""
    glance.start()
    name, nowhere = unique("hanging"), str(uuid.uuid4())
    # A connection is known to be good then.
    assert told(spare.call("GET", "image", MINE)).ok == 2
    body = {"name": name, **RAW}
    with ThreadPoolExecutor() as pool, glance.hanging():
        listing = pool.submit(spare.call, "GET", "image", MINE)
        finding = pool.submit(spare.call, "GET", "image", f"{IMAGES}/{nowhere}", fine=ANY)
        making = pool.submit(
            spare.call, "POST", "image", IMAGES, body, scope=under("cloud-999|cloud-1"), fine=ANY
        )
        listed, found, made = listing.result(), finding.result(), making.result()
    assert told(listed) == Told(1, ("cloud-999",), ())
    assert (found.status, found.headers["x-oidproxy-error"]) == (504, "undecided")
    assert told(found) == Told(1, ("cloud-999",), ())
    # It may well have been made there, so it is made nowhere else.
    assert made.status == 504
    assert made.headers["x-scope-uncertain"] == "cloud-999"
    until(lambda: counts(truths, "images", name) == (0, 1), "the request is lost")
    [left] = truths[1].held("images", name)
    spare.call("DELETE", "image", f"{IMAGES}/{left['id']}")
    assert counts(truths, "images", name) == (0, 0)

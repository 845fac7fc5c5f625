"""The memo of a snapshot: bounded, and without influence."""

from __future__ import annotations

from oidproxy.routing.memory import MOST, Memory
from tests.routing.world import ask, head, sealed, snapshot


def test_it_remembers_and_replaces():
    memory = Memory()
    assert memory.get("a") is None
    memory.put("a", 1, 10)
    memory.put("a", 2, 10)
    assert memory.get("a") == 2


def test_the_oldest_go_first_and_the_whole_is_bounded():
    memory = Memory()
    for number in range(1000):
        memory.put(number, number, MOST // 100)
    assert memory.get(0) is None
    assert memory.get(999) == 999
    assert 80 < sum(memory.get(number) is not None for number in range(1000)) < 100


def test_replacing_does_not_use_up_room():
    memory = Memory()
    for _ in range(1000):
        memory.put("same", 1, MOST // 4)
    memory.put("other", 2, MOST // 4)
    assert (memory.get("same"), memory.get("other")) == (1, 2)


def test_something_too_large_is_simply_not_kept():
    memory = Memory()
    memory.put("small", 1, 1)
    memory.put("large", 2, 2 * MOST)
    assert memory.get("large") is None


def test_a_decision_is_the_same_from_a_full_and_from_an_empty_memory():
    request = head(
        target="/s/compute:cloud-2/image/v2",
        scope="image:@far&not(cloud-2)",
        token=sealed("cloud-1", "network:cloud-1"),
    )
    known = snapshot()
    first = ask(request, known=known)
    assert first == ask(request, known=known) == ask(request, known=snapshot())
    assert first.route.cloud == "cloud-3"


def test_refusals_are_not_remembered_as_something_else():
    known = snapshot()
    for _ in range(3):
        assert ask(head("PUT", "/image/v2/images", scope="image:@far"), known=known).error.status == 501
        assert ask(head(target="/image/v2", scope="image:nowhere"), known=known).error.status == 400
        assert (
            ask(head(target="/image/v2", scope="identity:@far", token=sealed()), known=known).error.status
            == 401
        )


def test_snapshots_with_different_memories_are_equal():
    one, other = snapshot(), snapshot()
    ask(head(target="/image/v2", scope="image:cloud-2"), known=one)
    assert one == other

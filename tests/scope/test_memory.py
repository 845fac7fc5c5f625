"""The memo of what was read: found by its bytes, never larger than its bound."""

from __future__ import annotations

from oidproxy.scope.memory import Memory


def test_what_was_put_is_found():
    memory: Memory[int] = Memory(100)
    memory.put(b"a", 1)
    assert memory.get(b"a") == 1
    assert memory.get(b"b") is None


def test_the_oldest_go_when_the_keys_weigh_too_much():
    memory: Memory[int] = Memory(10)
    for number, key in enumerate([b"aaaa", b"bbbb", b"cc", b"d"]):
        memory.put(key, number)
    assert (memory.get(b"aaaa"), memory.get(b"bbbb"), memory.get(b"cc"), memory.get(b"d")) == (None, 1, 2, 3)


def test_a_key_put_twice_weighs_once():
    memory: Memory[int] = Memory(8)
    for number in range(5):
        memory.put(b"aaaa", number)
    memory.put(b"bbbb", 9)
    assert (memory.get(b"aaaa"), memory.get(b"bbbb"), len(memory)) == (4, 9, 2)


def test_a_key_larger_than_the_bound_is_not_kept():
    memory: Memory[int] = Memory(3)
    memory.put(b"aaaa", 1)
    assert len(memory) == 0
    memory.put(b"aaa", 1)
    assert len(memory) == 1


def test_a_flood_of_keys_stays_within_the_bound():
    memory: Memory[int] = Memory(1000)
    for number in range(10_000):
        memory.put(b"key-%06d" % number, number)
    assert len(memory) == 100

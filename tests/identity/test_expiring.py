"""A bounded map whose entries end."""

from oidproxy.identity.expiring import Expiring


def test_an_entry_is_found_until_its_end():
    known = Expiring(3)
    known.put("a", 1, until=10.0)
    assert known.get("a", 9.9) == 1
    assert known.get("a", 10.0) is None
    assert len(known) == 0


def test_the_least_recently_used_goes_first():
    known = Expiring(2)
    known.put("a", 1, until=10.0)
    known.put("b", 2, until=10.0)
    known.get("a", 0.0)
    known.put("c", 3, until=10.0)
    assert [known.get(key, 0.0) for key in "abc"] == [1, None, 3]


def test_putting_again_takes_no_second_place():
    known = Expiring(2)
    for value in range(5):
        known.put("a", value, until=10.0)
    known.put("b", 2, until=10.0)
    assert [known.get(key, 0.0) for key in "ab"] == [4, 2]
    assert known.values() == [4, 2]


def test_entries_are_dropped_by_key_and_by_what_they_hold():
    known = Expiring(5)
    for key in "abcd":
        known.put(key, key.upper(), until=10.0)
    known.drop("a")
    known.drop("a")
    known.drop_where(lambda key, value: key == "b" or value == "C")
    assert known.values() == ["D"]


def test_it_never_grows_beyond_its_capacity():
    known = Expiring(10)
    for key in range(1000):
        known.put(key, key, until=10.0)
    assert len(known) == 10

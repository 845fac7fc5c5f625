"""Values that are made quickly are what the dataclass alone would have made of them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from oidproxy.quickly import quickly


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict, compare=False)
    secret: str = field(default="", repr=False)
    made: bytes | None = field(default=None, init=False, compare=False)
    memo: dict[str, int] = field(default_factory=dict, init=False, compare=False)


@quickly
@dataclass(frozen=True, slots=True)
class Quick:
    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict, compare=False)
    secret: str = field(default="", repr=False)
    made: bytes | None = field(default=None, init=False, compare=False)
    memo: dict[str, int] = field(default_factory=dict, init=False, compare=False)


@pytest.mark.parametrize("given", [(1,), (1, "x"), (1, "x", {"y": 1}), (1, "x", {}, "hidden")])
def test_it_holds_and_shows_the_same(given):
    quick, plain = Quick(*given), Plain(*given)
    assert all(getattr(quick, name) == getattr(plain, name) for name in Plain.__slots__)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    assert "hidden" not in repr(quick)


def test_names_may_be_given_and_are_asked_for():
    assert Quick(a=1, secret="s") == Quick(1, "b", {}, "s")
    with pytest.raises(TypeError):
        Quick()
    with pytest.raises(TypeError):
        Quick(1, made=b"")


def test_it_is_frozen_and_of_its_own_class():
    quick = Quick(1)
    assert type(quick) is Quick
    for change in (lambda: setattr(quick, "a", 2), lambda: delattr(quick, "a")):
        with pytest.raises(FrozenInstanceError):
            change()


def test_it_is_compared_hashed_and_replaced_by_value():
    assert Quick(1) == Quick(1) != Quick(2)
    assert hash(Quick(1)) == hash(Quick(1))
    assert replace(Quick(1), a=2) == Quick(2)


def test_defaults_that_can_change_are_not_shared():
    assert Quick(1).c is not Quick(1).c
    assert Quick(1).memo is not Quick(1).memo

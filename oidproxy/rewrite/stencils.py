"""Which stencils were made, and which of a shape's values have been seen to differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from oidproxy.http.head import RequestHead, ResponseHead
from oidproxy.rewrite.stencil import AnswerStencil, RequestStencil, Shape, may_differ

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES_KEPT = 256
COMPILED_AT_MOST = 10
"""In a second. A stencil takes a millisecond or two to make, and clients choose the shapes of their heads."""

Head = TypeVar("Head", RequestHead, ResponseHead)
Stencil = TypeVar("Stencil", RequestStencil, AnswerStencil)


class _Seen(Generic[Stencil]):
    """The values that heads of one shape had, as far as they were all the same."""

    __slots__ = ("free", "stencil", "values")

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values
        self.free: frozenset[bytes] = frozenset()
        self.stencil: Stencil | None = None


class Stencils(Generic[Head, Stencil]):
    """A bounded memory of them. A shape has a stencil from the second time on that it was seen."""

    __slots__ = ("_compiled", "_make", "_of_answers", "_second", "_shapes")

    def __init__(self, make: Callable[[Head, Shape, frozenset[bytes]], Stencil], *, of_answers: bool) -> None:
        self._make: Callable[[Head, Shape, frozenset[bytes]], Stencil] = make
        self._of_answers = of_answers
        self._shapes: dict[Shape, _Seen[Stencil]] = {}
        self._second = 0
        self._compiled = 0

    def __len__(self) -> int:
        return len(self._shapes)

    def of(self, head: Head, shape: Shape, now: float) -> Stencil | None:
        """The stencil for a head of this shape, if there is one by now. `now` is in seconds."""
        # Not those that are read, as the token is: nothing of them is kept.
        values = {
            lower: value
            for name, value in head.fields
            if may_differ(lower := name.lower(), of_answers=self._of_answers)
        }
        seen = self._shapes.get(shape)
        if seen is None:
            while len(self._shapes) >= SHAPES_KEPT:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[shape] = _Seen(values)
            return None
        differ = {name for name, value in values.items() if value != seen.values[name]}
        if seen.stencil is not None and differ <= seen.free:
            return seen.stencil
        if not self._may_compile(int(now)):
            return None
        seen.free |= differ
        seen.stencil = self._make(head, shape, seen.free)
        return seen.stencil

    def _may_compile(self, second: int) -> bool:
        if second != self._second:
            self._second, self._compiled = second, 0
        self._compiled += 1
        return self._compiled <= COMPILED_AT_MOST

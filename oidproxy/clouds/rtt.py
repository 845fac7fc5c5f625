"""Round-trip times between clouds: declared, from ENOSlib's dictionary of one-way delays, else measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NO_GROUPS: Sequence[str] = ()


@dataclass(slots=True)
class Asked:
    """Whether a measure was ever asked for: if not, nothing that was made of it has to be made anew."""

    ever: bool = False


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """One-way delays in microseconds between clouds or groups; a cloud's own entry beats its group's."""

    default_us: int = 0
    one_way_us: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    only: frozenset[str] | None = None
    """Where given, the default holds between these clouds and groups alone; other pairs have no delay."""
    excepted: frozenset[str] = frozenset()
    """Clouds and groups that the default does not hold for."""
    measures: bool = True
    """Whether what is not declared is measured; else it is no delay."""
    measured: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Cloud -> round-trip time from the proxy, in microseconds. Between two clouds all goes by way of it."""
    asked: Asked = field(default_factory=Asked, compare=False, repr=False)
    """It saves work and never changes a distance."""
    farthest: int = field(init=False, default=0)
    """For as far counts a cloud that nobody has measured yet."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "farthest", max(self.measured.values(), default=0))

    @property
    def complete(self) -> bool:
        """Whether there is nothing to be measured: every pair is declared, or none is to be known."""
        return not self.measures or (self.default_us > 0 and self.only is None and not self.excepted)

    def with_measured(self, measured: Mapping[str, int]) -> RoundTrips:
        """The same with these measures; what is declared stays."""
        if self.complete:
            return self
        # Shared while nobody asked: a decision that began before may still ask, and be remembered.
        asked = Asked() if self.asked.ever else self.asked
        return replace(self, measured=MappingProxyType(dict(measured)), asked=asked)

    def round_trip_us(
        self, a: str, b: str, a_groups: Sequence[str] = NO_GROUPS, b_groups: Sequence[str] = NO_GROUPS
    ) -> int:
        """The delay from `a` to `b` plus the delay back, in microseconds; a cloud is no way from itself.

        The cost depends on the groups of the two clouds, not on how many clouds or entries there are.
        """
        if a == b:
            return 0
        there, back = self._one_way(a, b, a_groups, b_groups), self._one_way(b, a, b_groups, a_groups)
        if there is None and back is None:
            self.asked.ever = True
            return self.measured.get(a, self.farthest) + self.measured.get(b, self.farthest)
        return (there or 0) + (back or 0)

    def delay_us(
        self, src: str, dst: str, src_groups: Sequence[str] = NO_GROUPS, dst_groups: Sequence[str] = NO_GROUPS
    ) -> int:
        """The declared delay one way, in microseconds; none where nothing was declared."""
        return self._one_way(src, dst, src_groups, dst_groups) or 0

    def _one_way(
        self, src: str, dst: str, src_groups: Sequence[str], dst_groups: Sequence[str]
    ) -> int | None:
        """The delay as it was declared; None where it was not."""
        if self.one_way_us:
            for pair in _pairs(src, dst, src_groups, dst_groups):
                delay = self.one_way_us.get(pair)
                if delay is not None:
                    return delay
        return (self.default_us or None) if self._by_default(src, src_groups, dst, dst_groups) else None

    def _by_default(self, a: str, a_groups: Sequence[str], b: str, b_groups: Sequence[str]) -> bool:
        if self.only is None and not self.excepted:
            return True
        ends = ({a, *a_groups}, {b, *b_groups})
        if any(end & self.excepted for end in ends):
            return False
        return self.only is None or all(end & self.only for end in ends)


def _pairs(
    src: str, dst: str, src_groups: Sequence[str], dst_groups: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The entries that may hold for a pair, most particular first; groups in the order declared."""
    yield src, dst
    yield from ((src, group) for group in dst_groups)
    yield from ((group, dst) for group in src_groups)
    yield from product(src_groups, dst_groups)

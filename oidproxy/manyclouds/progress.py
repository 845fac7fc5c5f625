"""Which clouds of a plan are to be asked now, as their answers come: all, the first that answers, k of them.

Pure: a plan of any nesting goes in, and what became of each cloud; out come the clouds to be asked next, and
those that need not be asked any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import Crossed, Every, First, One, Plan, Some, members

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fate(Enum):
    """What became of asking a cloud."""

    ANSWERED = auto()
    """It answered, or refused in a way that another cloud's answer must not hide."""
    FAILED = auto()
    """No answer, 429 or a 5xx: under `|` the next one is asked."""


class _State(Enum):
    IDLE = auto()
    ASKED = auto()
    ANSWERED = auto()
    FAILED = auto()
    SURPLUS = auto()
    """Enough others answered."""


@dataclass(slots=True, eq=False)
class _Node:
    plan: Plan
    above: _Node | None
    enough: int
    """How many answers below make all others unneeded; more than there are parts, if all are needed."""
    parts: list[_Node] = field(default_factory=list)
    state: _State = _State.IDLE
    begun: int = 0
    """Parts that were begun, from the first."""
    answered: int = 0
    failed: int = 0

    @property
    def over(self) -> bool:
        return self.state not in {_State.IDLE, _State.ASKED}


class Progress:
    """The way through one plan. Begin with `take`, and take again after every `tell`."""

    __slots__ = ("_asked", "_leaves", "_start", "_stop")

    def __init__(self, plan: Plan) -> None:
        self._leaves: dict[One, list[_Node]] = {}
        self._asked: dict[One, _State] = {}
        """Every cloud that was to be asked: what became of it, or that it still is."""
        self._start: list[One] = []
        self._stop: list[One] = []
        ones = _plain_union(plan)
        if ones is not None:
            # By far the most: all are asked, and nothing that becomes of one matters to another.
            self._start = ones
        else:
            self._begin(self._node(plan, None))

    @property
    def surplus(self) -> frozenset[One]:
        """The clouds that nobody needed: never asked, or in vain because enough others answered."""
        return frozenset(filter(self._is_surplus, self._leaves))

    def take(self) -> tuple[list[One], list[One]]:
        """The clouds to be asked now, and those not needed any more, since the last time."""
        start, self._start = self._start, []
        stop, self._stop = self._stop, []
        return start, stop

    def tell(self, one: One, fate: Fate) -> None:
        """What became of a cloud that was to be asked; only the first news of it counts."""
        if self._asked.get(one) is not _State.ASKED:
            return
        state = self._asked[one] = _State.ANSWERED if fate is Fate.ANSWERED else _State.FAILED
        for node in self._leaves.get(one, ()):
            if node.state is _State.ASKED:
                self._ended(node, state)

    # Inside.

    def _is_surplus(self, one: One) -> bool:
        return all(node.state is _State.SURPLUS for node in self._leaves[one])

    def _node(self, plan: Plan, above: _Node | None) -> _Node:
        parts: Iterable[Plan] = ()
        match plan:
            case Some():
                parts = members(plan)
            case Every() | First() | Crossed():
                parts = plan.plans
        node = _Node(plan, above, _enough(plan))
        node.parts = [self._node(part, node) for part in parts]
        if isinstance(plan, One):
            self._leaves.setdefault(plan, []).append(node)
        return node

    def _begin(self, node: _Node) -> None:
        node.state = _State.ASKED
        if isinstance(node.plan, One):
            self._ask(node, node.plan)
        elif isinstance(node.plan, First):
            self._begin_next(node)
        else:
            while node.begun < len(node.parts) and not node.over:
                self._begin_next(node)

    def _begin_next(self, node: _Node) -> None:
        node.begun += 1
        self._begin(node.parts[node.begun - 1])

    def _ask(self, node: _Node, one: One) -> None:
        """A cloud that stands in the plan twice is asked once."""
        known = self._asked.setdefault(one, _State.IDLE)
        if known is _State.IDLE:
            self._asked[one] = _State.ASKED
            self._start.append(one)
        elif known is not _State.ASKED:
            self._ended(node, known)

    def _ended(self, node: _Node, state: _State) -> None:
        node.state = state
        above = node.above
        if above is None or above.over:
            return
        if state is _State.ANSWERED:
            above.answered += 1
        else:
            above.failed += 1
        self._look(above)

    def _look(self, node: _Node) -> None:
        """Something below this node is over: whether it is now, too, or what comes next."""
        if node.answered >= node.enough:
            self._retire(node)
            self._ended(node, _State.ANSWERED)
        elif node.answered + node.failed == len(node.parts):
            self._ended(node, _State.ANSWERED if node.answered else _State.FAILED)
        elif isinstance(node.plan, First):
            self._begin_next(node)

    def _retire(self, node: _Node) -> None:
        """Nothing more below this node is needed."""
        for part in node.parts:
            if part.over:
                continue
            part.state = _State.SURPLUS
            self._retire(part)
            if isinstance(part.plan, One) and self._is_surplus(part.plan):
                self._stop.append(part.plan)


def _plain_union(plan: Plan) -> list[One] | None:
    """The clouds of a plan that is all of them, each by itself."""
    if not isinstance(plan, Every):
        return None
    ones = [part for part in plan.plans if isinstance(part, One)]
    return [*dict.fromkeys(ones)] if len(ones) == len(plan.plans) else None


def _enough(plan: Plan) -> int:
    match plan:
        case First():
            return 1
        case Some(count):
            return count
        case Every(plans) | Crossed(plans):
            return len(plans) + 1
        case One():
            return 1

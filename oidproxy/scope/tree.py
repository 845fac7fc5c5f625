"""The tree of a scope: what its text says, service by service, with no knowledge of any cloud.

Values only. Two texts that mean the same by the language's own rules (spelling of a service, `else` for `|`,
a pair of parentheses too many) have equal trees.
"""

from __future__ import annotations

from dataclasses import dataclass, field

EVERY_SERVICE = "*"
"""The service name that binds every service not named in the same text."""


@dataclass(frozen=True, slots=True)
class CloudName:
    """One cloud, or one region of it."""

    name: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class CloudGlob:
    """Every cloud whose name matches; `*` stands for any run of characters, nothing else is special."""

    pattern: str


@dataclass(frozen=True, slots=True)
class AllClouds:
    """`*`: every cloud of the registry."""


@dataclass(frozen=True, slots=True)
class Group:
    """`@name`: the clouds of a group."""

    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a distance is measured from: a cloud, one region of it, or a group."""

    name: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """The clouds within a round-trip time (microseconds) of a place, nearest first."""

    place: Place
    within_us: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The `count` clouds of `of` nearest to the token's home."""

    of: Expr
    count: int = 1


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`count` of the clouds of `of`, whichever answer first."""

    count: int
    of: Expr


@dataclass(frozen=True, slots=True)
class Not:
    """The clouds that `of` does not mean."""

    of: Expr


@dataclass(frozen=True, slots=True)
class AllOf:
    """`a & b`: all of them. At least two operands, none of them an `AllOf` unless that one holds a `Not`.

    `a & (b & c)` is `a & b & c`, but in `a & (b & not(c))` the parentheses say what `c` is taken from.
    """

    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class FirstOf:
    """`a | b`: the first that serves. At least two operands, none of them a `FirstOf`."""

    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Cross:
    """`a % b`: one resource across clouds. At least two operands, none of them a `Cross`."""

    operands: tuple[Expr, ...]


Expr = CloudName | CloudGlob | AllClouds | Group | Around | Nearest | AnyOf | Not | AllOf | FirstOf | Cross


@dataclass(frozen=True, slots=True)
class Binding:
    """One service (official type, a name of its own in lower case, or `*`) and the clouds that serve it."""

    service: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Scope:
    """Bindings sorted by service, `*` first, each service once."""

    bindings: tuple[Binding, ...] = ()
    # What `canonical()` answered for this scope: it goes into the log and the token of every request.
    _canonical: str | None = field(default=None, init=False, repr=False, compare=False)

    def binding(self, service: str) -> Expr | None:
        """What serves `service` (an official type): its own binding, else that of `*`, else None."""
        rest: Expr | None = None
        for binding in self.bindings:
            if binding.service == service:
                return binding.expr
            if binding.service == EVERY_SERVICE:
                rest = binding.expr
        return rest

    def names(self, service: str) -> bool:
        """Whether the text names this service itself (not only `*`)."""
        return any(binding.service == service for binding in self.bindings)

    def over(self, lower: Scope) -> Scope:
        """This scope where it binds, `lower` where it does not: per service, the higher carrier wins."""
        if self.names(EVERY_SERVICE) or not lower.bindings:
            return self
        if not self.bindings:
            return lower
        own = {binding.service for binding in self.bindings}
        merged = [*self.bindings, *(binding for binding in lower.bindings if binding.service not in own)]
        return Scope(tuple(sorted(merged, key=_order)))


def _order(binding: Binding) -> tuple[bool, str]:
    return binding.service != EVERY_SERVICE, binding.service


NO_SCOPE = Scope()
"""Binds nothing."""

"""Which clouds an expression means, given a registry: expression to plan (the scope language, "Meaning")."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NoReturn, TypeVar

from oidproxy.clouds.distance import Distance, from_cloud, from_group
from oidproxy.clouds.glob import matches
from oidproxy.clouds.plan import Crossed, Every, First, One, Plan, Some
from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical_expr
from oidproxy.scope.nearest import nearest
from oidproxy.scope.tree import (
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    CloudGlob,
    CloudName,
    Cross,
    Expr,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oidproxy.clouds.registry import Registry

MOST_LOOKS = 16
"""How often one expression may look at every cloud."""

MOST_NAMES = 500_000
"""Names that one expression may look at in any registry: some tenths of a second."""

Ones = tuple[One, ...]
P = TypeVar("P", bound=Plan)


def resolve(expr: Expr, registry: Registry, *, home: str) -> Plan:
    """The plan that an expression means.

    `home` is the cloud that `nearest` measures from: the token's home; one that the registry does not know
    counts as the local cloud. A name costs the same whatever the number of clouds; a set costs its length, a
    glob and a distance one look at every cloud.

    Raises ScopeError, with a position in the canonical text, for an unknown cloud, region or group, for a set
    that is empty in this registry, and for a `not`, `any` or `%` where it means nothing.
    """
    resolver = _Resolver(expr, registry, home if home in registry.clouds else registry.local)
    plan = resolver.plan(expr)
    if plan is None:
        resolver.refuse("no cloud of this configuration is meant by this scope")
    return plan


class _Resolver:
    """One expression on its way to a plan."""

    def __init__(self, whole: Expr, registry: Registry, home: str) -> None:
        self.whole = whole
        self.registry = registry
        self.home = home
        self.left = max(MOST_LOOKS * len(registry.clouds), MOST_NAMES)

    def plan(self, expr: Expr) -> Plan | None:
        """What `expr` means where it is not inside a call; None for no cloud at all."""
        match expr:
            case AllOf(operands):
                return self.all_of(operands)
            case FirstOf(operands):
                return self.together(First, self.alternatives(operands, "|"))
            case Cross(operands):
                return self.together(Crossed, self.alternatives(operands, "%"))
            case AnyOf(count, of):
                return self.some(count, self.members(of))
            case _:
                return self.together(Every, self.members(expr))

    def together(self, kind: type[Every | First | Crossed], plans: Iterable[Plan]) -> Plan | None:
        """These as one plan: none of nothing, itself of one. An all-of in an all-of is no plan of its own."""
        flat = chain.from_iterable(plan.plans if isinstance(plan, kind) else (plan,) for plan in plans)
        distinct = self.distinct(flat)
        if len(distinct) > 1:
            return kind(distinct)
        return distinct[0] if distinct else None

    def distinct(self, plans: Iterable[P]) -> tuple[P, ...]:
        """Doubles counted once, where they first stood.

        A cloud, and the same cloud with its own region named, are one: the whole cloud.
        """
        found: dict[object, P] = {}
        for plan in plans:
            identity = self.identity(plan)
            if identity not in found or (isinstance(plan, One) and plan.region is None):
                found[identity] = plan
        return tuple(found.values())

    def identity(self, plan: Plan) -> object:
        return (plan.cloud, self.region(plan)) if isinstance(plan, One) else plan

    def region(self, one: One) -> str:
        return one.region or self.registry.clouds[one.cloud].region

    def all_of(self, operands: Sequence[Expr]) -> Plan | None:
        others = [self.plan(operand) for operand in operands if not isinstance(operand, Not)]
        gone = self.subtracted(operands)
        joined = self.together(Every, filter(None, others) if others else self.all_clouds())
        return self.without(joined, gone) if joined is not None and gone.anything else joined

    def alternatives(self, operands: Sequence[Expr], operator: str) -> Iterator[Plan]:
        for operand in operands:
            if isinstance(operand, Not):
                self.refuse_not(operator)
            plan = self.plan(operand)
            if plan is not None:
                yield plan

    def some(self, count: int, among: Ones) -> Plan | None:
        if not among:
            return None
        if not 1 <= count <= len(among):
            self.refuse(f"any({count}, …) asks for {count} of {_clouds(len(among))}")
        return among[0] if len(among) == 1 else Some(count, among)

    def members(self, expr: Expr) -> Ones:
        """The clouds that `expr` names as a set: as the operand of a call, or as a set of its own."""
        return self.distinct(self.listed(expr))

    def listed(self, expr: Expr) -> Iterable[One]:
        """The clouds of a set in its order, doubles and all."""
        match expr:
            case CloudName(name, region):
                return (self.one(name, region),)
            case AllClouds():
                return self.all_clouds()
            case CloudGlob(pattern):
                return (one for one in self.all_clouds() if matches(pattern, one.cloud))
            case Group(name):
                return map(One, self.group(name))
            case Around() | Nearest():
                return self.near(expr)
        return self.combined(expr)

    def combined(self, expr: Not | AllOf | FirstOf | AnyOf | Cross) -> Iterable[One]:
        """What stands inside a call: there `&` and `|` only join."""
        if isinstance(expr, AnyOf):
            self.refuse("any(…) is decided call by call, so it cannot stand inside another call")
        if isinstance(expr, Cross):
            self.refuse("% makes one resource across clouds, so it cannot stand inside a call")
        if isinstance(expr, FirstOf):
            return chain.from_iterable(map(self.members, self.not_negated(expr.operands)))
        return self.joined(expr.operands if isinstance(expr, AllOf) else (expr,))

    def joined(self, operands: Sequence[Expr]) -> Iterator[One]:
        others = [operand for operand in operands if not isinstance(operand, Not)]
        found = chain.from_iterable(map(self.members, others)) if others else self.all_clouds()
        gone = self.subtracted(operands)
        return (one for one in found if not self.taken(one, gone))

    def not_negated(self, operands: Sequence[Expr]) -> Sequence[Expr]:
        if any(isinstance(operand, Not) for operand in operands):
            self.refuse_not("|")
        return operands

    def subtracted(self, operands: Sequence[Expr]) -> _Gone:
        ones = [one for operand in operands if isinstance(operand, Not) for one in self.members(operand.of)]
        whole = frozenset(one.cloud for one in ones if one.region is None)
        return _Gone(whole, frozenset((one.cloud, one.region) for one in ones if one.region is not None))

    def taken(self, one: One, gone: _Gone) -> bool:
        return one.cloud in gone.clouds or (one.cloud, self.region(one)) in gone.regions

    def without(self, plan: Plan, gone: _Gone) -> Plan | None:
        """The plan with every cloud of `gone` taken out of it."""
        match plan:
            case One():
                return None if self.taken(plan, gone) else plan
            case Some(count, among):
                return self.some(count, tuple(one for one in among if not self.taken(one, gone)))
            case Every(plans) | First(plans) | Crossed(plans):
                left = (self.without(part, gone) for part in plans)
                return self.together(type(plan), filter(None, left))

    def all_clouds(self) -> Iterator[One]:
        self.spend(len(self.registry.clouds))
        return map(One, self.registry.clouds)

    def spend(self, names: int) -> None:
        """Count names looked at: a thousand bytes hold hundreds of globs, and anybody may send them."""
        self.left -= names
        if self.left < 0:
            self.refuse("this scope looks through the clouds too often: name a group")

    def one(self, name: str, region: str | None) -> One:
        cloud = self.registry.clouds.get(name)
        if cloud is None:
            suggestion = nearest(name, self.registry.clouds)
            self.refuse(f"no cloud is called {name!r}", at=name, suggestion=suggestion)
        # The regions of a cloud that could not be asked for them are unknown; its endpoints will say.
        if region is not None and not cloud.unlearned and region not in cloud.regions:
            suggestion = nearest(region, cloud.regions)
            self.refuse(f"{name} has no region {region!r}", at=region, suggestion=suggestion)
        return One(name, region)

    def group(self, name: str) -> tuple[str, ...]:
        found = self.registry.groups.get(name)
        if found is None:
            suggestion = nearest(name, self.registry.groups)
            self.refuse(f"no group is called {name!r}", at=name, suggestion=suggestion)
        self.spend(len(found))
        return found

    def near(self, expr: Around | Nearest) -> Iterable[One]:
        if isinstance(expr, Nearest):
            distance = from_cloud(self.registry, self.home)
            return self.by_distance(self.members(expr.of), distance)[: expr.count]
        distance = self.distance_from(expr.place)
        within = (one for one in self.all_clouds() if distance(one.cloud) <= expr.within_us)
        return self.by_distance(within, distance)

    def distance_from(self, place: Place) -> Distance:
        groups = self.registry.groups
        if place.name in self.registry.clouds or place.region is not None:
            return from_cloud(self.registry, self.one(place.name, place.region).cloud)
        if place.name not in groups:
            names = (*self.registry.clouds, *groups)
            message = f"no cloud and no group is called {place.name!r}"
            self.refuse(message, at=place.name, suggestion=nearest(place.name, names))
        return from_group(self.registry, place.name, self.spend)

    @staticmethod
    def by_distance(ones: Iterable[One], distance: Distance) -> Ones:
        return tuple(sorted(ones, key=lambda one: (distance(one.cloud), one.cloud, one.region or "")))

    def refuse_not(self, operator: str) -> NoReturn:
        self.refuse(f'not(…) cannot stand under "{operator}": it takes clouds away from the others of an "&"')

    def refuse(self, message: str, *, at: str = "", suggestion: str | None = None) -> NoReturn:
        text = canonical_expr(self.whole)
        raise ScopeError(message, text=text, column=_column(text, at), suggestion=suggestion)


@dataclass(frozen=True, slots=True)
class _Gone:
    """What `not` takes away: whole clouds, and single regions."""

    clouds: frozenset[str]
    regions: frozenset[tuple[str, str]]

    @property
    def anything(self) -> bool:
        return bool(self.clouds or self.regions)


def _column(text: str, name: str) -> int:
    """Where a name stands in a canonical text, from 1; 1 where it does not stand by itself."""
    start = text.find(name) if name else -1
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(name) : start + len(name) + 1]
        if not (_in_name(before) or _in_name(after)):
            return start + 1
        start = text.find(name, start + 1)
    return 1


def _in_name(character: str) -> bool:
    return bool(character) and (character.isalnum() or character in "_.-*")


def _clouds(count: int) -> str:
    return "1 cloud" if count == 1 else f"{count} clouds"

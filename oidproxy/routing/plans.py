"""Which cloud an expression means, or which ones; and which, where it has to be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import Crossed, Every, First, One, Plan, members
from oidproxy.errors import BadRequest, NotSupported, ScopeError
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.scopes import meaning
from oidproxy.scope.canonical import canonical_expr
from oidproxy.scope.tree import AllOf, Binding, CloudName, Cross, Expr, FirstOf, Scope

if TYPE_CHECKING:
    from oidproxy.routing.decision import Snapshot

NAMES_SHOWN = 8

WEIGHT_OF_A_CLOUD = 3
"""What a cloud of a plan weighs in the memory (`Memory.put`): some 160 bytes, as three bytes of text."""


@dataclass(frozen=True, slots=True)
class Several:
    """A plan that is no single cloud."""

    plan: Plan
    names: tuple[str, ...]
    """Of its clouds, those that a user of the home may know of."""
    count: int
    crossed: bool
    """Somewhere in it is one resource across clouds."""


def plan_of(expr: Expr, service_type: str, home: str, snapshot: Snapshot) -> Plan:
    """The whole plan of what this service is bound to. Raises ScopeError."""
    bound = Scope((Binding(service_type, expr),))
    return meaning(bound, service_type, expr, home, snapshot.registry)


def meant(expr: Expr, service_type: str, home: str, snapshot: Snapshot) -> One | Several:
    """The cloud, or the clouds, that serve this service. Raises ScopeError."""
    key = ("one", expr, home)
    found: One | Several | None = snapshot.memory.get(key)
    if found is None:
        found = _meant(plan_of(expr, service_type, home, snapshot), home, snapshot)
        count = 1 if isinstance(found, One) else found.count
        snapshot.memory.put(key, found, len(canonical_expr(expr)) + count * WEIGHT_OF_A_CLOUD)
    return found


def one_cloud(expr: Expr, service_type: str, home: str, snapshot: Snapshot) -> One:
    """The single cloud that serves this service.

    Raises:
        ScopeError: the expression means nothing here.
        NotSupported: it means several clouds, or one resource across clouds.
    """
    found = meant(expr, service_type, home, snapshot)
    if isinstance(found, One):
        return found
    raise NotSupported(of_several(found, expr, service_type, "this one is for one cloud only."))


def member(expr: Expr, cloud: str, home: str, snapshot: Snapshot) -> One | None:
    """This cloud as what identity is bound to names it, or None where it does not. Raises ScopeError."""
    key = ("member", expr, cloud, home)
    found: One | None = snapshot.memory.get(key)
    if found is None:
        found = _member(plan_of(expr, IDENTITY, home, snapshot), cloud) or _NOBODY
        snapshot.memory.put(key, found, len(canonical_expr(expr)))
    return None if found is _NOBODY else found


def first_named(expr: Expr, preferred: tuple[str, ...], home: str, snapshot: Snapshot) -> One:
    """The one cloud that credentials are shown to (scope-language: `POST /v3/auth/tokens`).

    It is the first that the expression names; of a set, which names none, the first of `preferred` in it.

    Raises:
        ScopeError: the expression means nothing here.
        BadRequest: a set without any of the preferred clouds.
        NotSupported: one identity across clouds.
    """
    key = ("first", expr, preferred, home)
    found: One | None = snapshot.memory.get(key)
    if found is None:
        found = _first_named(expr, preferred, home, snapshot)
        snapshot.memory.put(key, found, len(canonical_expr(expr)))
    return found


_NOBODY = One("")


def _meant(plan: Plan, home: str, snapshot: Snapshot) -> One | Several:
    found = members(plan)
    crossed = _is_crossed(plan)
    if len(found) == 1 and not crossed:
        return found[0]
    # A set tells the names of clouds only to whom they admit: users of one cloud need not know of the others.
    clouds = snapshot.registry.clouds
    names = [one.cloud for one in found if one.cloud == home or home in clouds[one.cloud].admits]
    return Several(plan, tuple(names), len(found), crossed)


def _is_crossed(plan: Plan) -> bool:
    match plan:
        case Crossed():
            return True
        case Every(plans) | First(plans):
            return any(map(_is_crossed, plans))
        case _:
            return False


def _member(plan: Plan, cloud: str) -> One | None:
    return next((one for one in members(plan) if one.cloud == cloud), None)


def of_several(found: Several, expr: Expr, service_type: str, why: str) -> str:
    """What to say of a request that several clouds cannot be asked for; `why` ends the sentence."""
    shown = found.names[:NAMES_SHOWN]
    names = ", ".join([*shown, "…"] if found.count > len(shown) else shown)
    text = canonical_expr(expr)
    if found.crossed:
        return (
            f"The scope binds {service_type} to {text}: no service has one resource across clouds ({names})."
        )
    return (
        f"The scope binds {service_type} to {text}, which means {found.count} clouds ({names}): {why} Name "
        "one of them."
    )


def _first_named(expr: Expr, preferred: tuple[str, ...], home: str, snapshot: Snapshot) -> One:
    whole = plan_of(expr, IDENTITY, home, snapshot)  # what stands behind `|` has to mean something too
    first = _first_alternative(expr, home, snapshot)
    found = members(whole if first is expr else plan_of(first, IDENTITY, home, snapshot))
    leftmost = _leftmost(first)
    if isinstance(leftmost, Cross):
        raise NotSupported("No cloud serves one identity across clouds (%).")
    names = (leftmost.name,) if isinstance(leftmost, CloudName) else preferred
    one = next((one for name in names for one in found if one.cloud == name), None)
    if one is None and len(found) == 1:
        one = found[0]
    if one is None:
        raise BadRequest(
            f"The scope binds identity to {canonical_expr(expr)}, a set of {len(found)} clouds. Credentials "
            "are shown to one cloud only: name it, as in identity:<cloud>."
        )
    return one


def _first_alternative(expr: Expr, home: str, snapshot: Snapshot) -> Expr:
    """The first operand of `|` that means anything; the whole does, so one that does not is an empty set."""
    while isinstance(expr, FirstOf):
        expr = next(operand for operand in expr.operands if _is_something(operand, home, snapshot))
    return expr


def _is_something(expr: Expr, home: str, snapshot: Snapshot) -> bool:
    try:
        plan_of(expr, IDENTITY, home, snapshot)
    except ScopeError:
        return False
    return True


def _leftmost(expr: Expr) -> Expr:
    while isinstance(expr, AllOf | FirstOf):
        expr = expr.operands[0]
    return expr

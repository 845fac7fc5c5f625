"""From what a text binds, in its order, to a scope: services folded and sorted, each bound once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.scope.canonical import written_name
from oidproxy.scope.position import line_and_column, refusal
from oidproxy.scope.services import official
from oidproxy.scope.tree import EVERY_SERVICE, Binding, Expr, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Written:
    """A service as the text names it, and what it is bound to."""

    service: str
    """As written, without quotes; `EVERY_SERVICE` only for the star that stands alone."""
    expr: Expr
    offset: int = 0
    quoted: bool = False


def gather(text: str, written: Iterable[Written]) -> Scope:
    """The scope of a text's bindings. Raises ScopeError for a service bound twice."""
    found: dict[str, Written] = {}
    for each in written:
        service = _service(text, each)
        if service in found:
            raise refusal(text, each.offset, _bound_twice(text, service, found[service]))
        found[service] = each
    # "*" comes before letters and digits by itself, but not before all that a quoted name may begin with.
    services = sorted(found, key=lambda service: (service != EVERY_SERVICE, service))
    return Scope(tuple(Binding(service, found[service].expr) for service in services))


def _service(text: str, each: Written) -> str:
    if not each.quoted:
        return official(each.service)
    if each.service == EVERY_SERVICE:
        message = "no service has the name *: without quotes it is every service that this text does not name"
        raise refusal(text, each.offset, message, suggestion=EVERY_SERVICE)
    return official(each.service)


def _bound_twice(text: str, service: str, first: Written) -> str:
    name = "every other service (*)" if service == EVERY_SERVICE else f"the service {written_name(service)}"
    alias = "" if first.service.lower() == service else f' as "{first.service}"'
    line, column = line_and_column(text, first.offset)
    place = f"column {column}" if line == 1 else f"line {line}, column {column}"
    return f"{name} is bound twice: first{alias} at {place}"

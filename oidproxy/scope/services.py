"""The names of services: project, official type and aliases, folded to the official type.

The names are those of the OpenStack service types authority (https://service-types.openstack.org), which the
package os-service-types carries. It is imported with the first scope: this module is loaded by every
`openstack`.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def official(name: str) -> str:
    """The official type of a project, type or alias, whatever its case; an unknown name in lower case."""
    written = name.lower()
    types = _types()
    # The authority's own rule for types: an underscore is another spelling of a hyphen.
    return types.get(written) or types.get(written.replace("_", "-"), written)


def known(name: str) -> bool:
    """Whether the service types authority knows this project, type or alias."""
    return official(name) in _types()


def nearest_service(name: str, also: Iterable[str] = ()) -> str | None:
    """The known project, type or alias, or the one of `also`, whose spelling is nearest to `name`."""
    return nearest(name, chain(also, _types()))


@cache
def _types() -> Mapping[str, str]:
    from os_service_types import ServiceTypes

    authority = ServiceTypes()
    types = {project: data["service_type"] for project, data in authority.primary_service_by_project.items()}
    types.update(authority.reverse)
    types.update((service_type, service_type) for service_type in authority.all_types_by_service_type)
    return types

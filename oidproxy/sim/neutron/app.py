"""Neutron as a service: its API put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.neutron import views
from oidproxy.sim.neutron.miscellany_api import MiscellanyApi
from oidproxy.sim.neutron.resources_api import ResourcesApi
from oidproxy.sim.service import Manner, Service

if TYPE_CHECKING:
    from oidproxy.sim.middleware import AuthToken
    from oidproxy.sim.neutron.model import Neutron
    from oidproxy.sim.neutron.notifier import Notifier


def build(neutron: Neutron, guard: AuthToken, notifier: Notifier) -> Service:
    """The service of this Neutron."""
    routes = [*ResourcesApi(neutron, notifier).routes(), *MiscellanyApi(neutron).routes()]
    return Service("neutron", routes, guard, Manner(views.error), neutron.sources)

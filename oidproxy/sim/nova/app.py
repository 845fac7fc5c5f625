"""Nova as a service: its API put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim import body
from oidproxy.sim.nova import views
from oidproxy.sim.nova.actions_api import ActionsApi
from oidproxy.sim.nova.compute import Compute
from oidproxy.sim.nova.flavors_api import FlavorsApi
from oidproxy.sim.nova.keypairs_api import KeypairsApi, NewKey
from oidproxy.sim.nova.miscellany_api import MiscellanyApi
from oidproxy.sim.nova.servers_api import ServersApi
from oidproxy.sim.service import Manner, Service

if TYPE_CHECKING:
    from oidproxy.sim.middleware import AuthToken
    from oidproxy.sim.nova.model import Nova
    from oidproxy.sim.nova.process import Processes


def build(nova: Nova, guard: AuthToken, processes: Processes, new_key: NewKey) -> Service:
    """The service of this Nova."""
    compute = Compute(nova, processes)
    routes = [
        *ServersApi(nova, processes.api, compute).routes(),
        *ActionsApi(nova, processes.api, compute).routes(),
        *FlavorsApi(nova).routes(),
        *KeypairsApi(nova, new_key).routes(),
        *MiscellanyApi(nova, compute).routes(),
    ]
    manner = Manner(views.error, views.VERSIONS, body.refuse_foreign_type)
    return Service("nova", routes, guard, manner, nova.sources)

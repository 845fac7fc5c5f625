"""One simulated cloud put together: its six services, each with accounts of its own, as pure values of
procedures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.sim.account import Account, Credentials
from oidproxy.sim.cinder import app as cinder_app
from oidproxy.sim.cinder import process as cinder_process
from oidproxy.sim.cinder.model import Cinder
from oidproxy.sim.client import Client
from oidproxy.sim.glance import app as glance_app
from oidproxy.sim.glance.model import Glance
from oidproxy.sim.keystone import app as keystone_app
from oidproxy.sim.keystone.model import Keystone
from oidproxy.sim.keystone.tokens import Tokens
from oidproxy.sim.middleware import AuthToken, AuthTokenOptions
from oidproxy.sim.neutron import app as neutron_app
from oidproxy.sim.neutron.model import Neutron
from oidproxy.sim.neutron.notifier import Notifier
from oidproxy.sim.nova import app as nova_app
from oidproxy.sim.nova.model import Nova
from oidproxy.sim.nova.process import Process, Processes
from oidproxy.sim.placement import app as placement_app
from oidproxy.sim.placement.model import Placement
from oidproxy.sim.seeds import fill_cinder, fill_keystone, fill_neutron, fill_nova, fill_placement
from oidproxy.sim.token_cache import TokenCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.sim.nova.keypairs_api import NewKey
    from oidproxy.sim.service import Service
    from oidproxy.sim.settings import CloudSettings
    from oidproxy.sim.sources import Sources

LIBRARIES = "keystoneauth1/5.10.1 python-requests/2.32.4 CPython/3.11"
PROGRAMS = {
    "glance": "glance/30.0.0",
    "nova": "nova/31.0.0",
    "neutron": "neutron/26.0.0",
    "placement": "placement/unknown",
    "cinder": "cinder/26.0.0",
}
"""What begins the User-Agent of each service's auth_token filter."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """The services of one cloud by official type, and the states behind those that are filled from
    outside."""

    services: Mapping[str, Service]
    keystone: Keystone
    glance: Glance
    nova: Nova
    neutron: Neutron
    cinder: Cinder


class Assembly:
    """Builds the services of one cloud."""

    def __init__(self, settings: CloudSettings, sources: Sources, new_key: NewKey) -> None:
        self._settings = settings
        self._sources = sources
        self._new_key = new_key

    def build(self) -> Cloud:
        """All of it, seeded."""
        settings, sources = self._settings, self._sources
        keystone, glance = Keystone(sources), Glance(sources)
        fill_keystone(keystone, settings)
        tokens = Tokens(keystone, settings.token_lifetime)
        nova = Nova(sources, f"compute.{settings.name}")
        fill_nova(nova)
        neutron, cinder = Neutron(sources), Cinder(sources)
        services = {
            "identity": keystone_app.build(keystone, tokens, settings.auth_url),
            "image": glance_app.build(glance, self._guard("glance", "image", delay=True)),
            "compute": nova_app.build(nova, self._guard("nova", "compute"), self._processes(), self._new_key),
            "network": self._neutron(neutron, keystone),
            "placement": self._placement(nova),
            "block-storage": self._cinder(cinder),
        }
        return Cloud(services, keystone, glance, nova, neutron, cinder)

    def _account(self, user: str, process: str, agent: str) -> Account:
        credentials = Credentials(self._settings.login_url, user, self._settings.password)
        return Account(credentials, process, agent, self._sources)

    def _guard(self, service: str, service_type: str, *, delay: bool = False) -> AuthToken:
        """`[keystone_authtoken]` of a service."""
        agent = f"{PROGRAMS[service]} keystonemiddleware.auth_token/10.9.1 {LIBRARIES}"
        process = f"{service}-auth"
        options = AuthTokenOptions(self._settings.auth_url, process, service_type, delay_auth_decision=delay)
        cache = TokenCache(self._settings.token_cache_time)
        return AuthToken(options, self._account(service, process, agent), cache, self._sources)

    def _client(self, process: str) -> Client:
        return Client(process, self._settings.region)

    def _processes(self) -> Processes:
        """Nova's: each has sessions and tokens of its own."""
        api, scheduler, compute = "nova-api-os-compute", "nova-scheduler", "nova-compute"
        return Processes(self._process(api), self._process(scheduler), self._process(compute))

    def _process(self, name: str) -> Process:
        agent = f"{name} {LIBRARIES}"
        return Process(
            self._client(name),
            agent,
            service_user=self._account("nova", name, agent),
            neutron=self._account("neutron", name, agent),
            placement=self._account("placement", name, agent),
        )

    def _neutron(self, neutron: Neutron, keystone: Keystone) -> Service:
        admin = keystone.projects.find(name="admin")
        fill_neutron(neutron, admin["id"] if admin else "")
        agent = f"neutron-server {LIBRARIES}"
        notifier = Notifier(self._client("neutron-server"), self._account("nova", "neutron-server", agent))
        return neutron_app.build(neutron, self._guard("neutron", "network"), notifier)

    def _placement(self, nova: Nova) -> Service:
        placement = Placement()
        fill_placement(placement, nova)
        return placement_app.build(placement, self._guard("placement", "placement"), self._sources)

    def _cinder(self, cinder: Cinder) -> Service:
        fill_cinder(cinder)
        api, worker = (self._cinder_process(name) for name in ("cinder-api", "cinder-volume"))
        return cinder_app.build(cinder, self._guard("cinder", "block-storage"), api, worker)

    def _cinder_process(self, name: str) -> cinder_process.Process:
        agent = f"{name} {LIBRARIES}"
        return cinder_process.Process(self._client(name), agent, self._account("cinder", name, agent))

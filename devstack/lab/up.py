"""`lab-up`: everything that is missing, in its order, until every cloud can create servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from devstack.lab import clients, configuration, deployed, identities, mapped, packages, schemas, services
from devstack.lab.addresses import require_free
from devstack.lab.broker import Broker
from devstack.lab.cache import Cache
from devstack.lab.contents import Contents
from devstack.lab.database import Database
from devstack.lab.passwords import Secrets
from devstack.lab.processes import stop
from devstack.lab.proxy import Proxy
from devstack.lab.running import stop_others
from devstack.lab.surroundings import without_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.progress import Progress
    from devstack.lab.surroundings import Surroundings


AT_ONCE = 2
"""Clouds. More take no less time on two cores, and each service would wait longer for its turn."""


class Up:
    """One run."""

    def __init__(self, lab: Lab, count: int, progress: Progress, *, gateway: bool = False) -> None:
        self._lab = lab
        self._clouds = lab.clouds(count)
        self._edges = lab.edges() if gateway else ()
        self._all = (*self._clouds, *self._edges)
        self._progress = progress
        self._database = Database(lab)
        self._broker = Broker(lab)
        self._cache = Cache(lab)
        self._proxy = Proxy(lab)
        self._edge_proxy = Proxy(lab, edge=True)
        self._secrets = {place.name: Secrets(place.folder) for place in self._all}
        self._surroundings: dict[str, Surroundings] = {}

    def run(self) -> None:
        """Do it. Raises LabError; what runs by then stays, so that another run goes on from there."""
        self._lab.remember(self._all)
        packages.install(self._lab, self._progress)
        stop_others(self._lab, self._all)
        self._require_addresses()
        services.write_site(self._lab)
        self._proxy.configure(deployed.beside(self._lab, self._clouds))
        clients.write(self._lab, self._clouds, self._edges)
        self._shared()
        self._tables()
        self._side_by_side(self._identity)
        self._proxies()
        self._side_by_side(self._services)

    def _require_addresses(self) -> None:
        every = [one for place in self._all for one in services.all_of(self._lab, place)]
        require_free(spot for one in every if one.process.pid is None for spot in one.spots())

    def _shared(self) -> None:
        with self._progress.step("database server and message broker"):
            self._cache.start()
            self._broker.start()
            self._database.start()
            for place in self._all:
                self._database.grant(place, self._secrets[place.name].get("database"))
            words = {place.name: self._secrets[place.name].get("broker") for place in self._all}
            self._broker.grant(words)

    def _tables(self) -> None:
        """Files and tables. The first cloud has all services: what its tables are is copied to the others."""
        for place in self._all:
            told = self._proxy.cloud_config(place) if place.beside else without_proxy(place)
            self._surroundings[place.name] = told
            if self._configured(place):
                # Services read their files when they start, and at no other time.
                stop(one.process for one in services.all_of(self._lab, place))
            schemas.fill(self._lab, place, self._database, self._progress)

    def _configured(self, place: CloudPlace) -> bool:
        secrets = self._secrets[place.name]
        word = secrets.get("database")
        return configuration.write(
            configuration.Sources(
                place=place,
                etc=self._lab.venv / "etc",
                databases={name: self._database.url(place, name, word) for name in place.databases},
                broker=self._broker.url(place, secrets.get("broker")),
                passwords={name: self._secrets[place.host.name].get(name) for name in place.accounts},
                cache=self._cache.address,
                surroundings=self._surroundings[place.name].files,
            )
        )

    def _identity(self, place: CloudPlace) -> None:
        """Its Keystone and what stands there: that needs no proxy, and all that comes later needs both."""
        if place.guest_of is None:
            self._keystone(place)
        secrets = self._secrets[place.host.name]
        with self._progress.step(f"{place.name}: accounts and catalog"):
            endpoints = self._surroundings[place.name].endpoints
            identities.Keystone(place.host, secrets).fill(place.accounts, endpoints)

    def _keystone(self, place: CloudPlace) -> None:
        with self._progress.step(f"{place.name}: Keystone"):
            identities.write_keys(place)
            auth_url = self._surroundings[place.name].auth_url
            identities.bootstrap(self._lab, place, self._secrets[place.name], auth_url)
            for one in services.keystone(self._lab, place):
                one.start()
                one.wait()

    def _proxies(self) -> None:
        with self._progress.step("proxy"):
            self._proxy.start()
        if self._edges:
            with self._progress.step("proxy in front of the clouds that nobody reconfigured"):
                accounts = mapped.prepare(self._lab, self._edges)
                self._edge_proxy.configure(deployed.gateway(self._lab, self._edges, accounts))
                self._edge_proxy.start()

    def _services(self, place: CloudPlace) -> None:
        with self._progress.step(f"{place.name}: services"):
            started = services.others(self._lab, place)
            for one in started:
                one.start()
            for one in started:
                one.wait()
        with self._progress.step(f"{place.name}: what it has to begin with; volumes and servers possible"):
            contents = Contents(self._lab, place, self._secrets[place.host.name])
            contents.fill()
            contents.wait()

    def _side_by_side(self, work: Callable[[CloudPlace], None]) -> None:
        """For every cloud, a few at once; a guest comes behind its host, whose Keystone both fill."""

        def together(host: CloudPlace) -> None:
            for place in self._all:
                if place.host == host:
                    work(place)

        hosts = dict.fromkeys(place.host for place in self._all)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(together, hosts))

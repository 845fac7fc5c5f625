"""`lab-up`: everything that is missing, in its order, until every cloud can create servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.lab import clients, configuration, identities, packages, schemas, services
from devstack.lab.addresses import require_free
from devstack.lab.broker import Broker
from devstack.lab.cache import Cache
from devstack.lab.contents import Contents
from devstack.lab.database import Database
from devstack.lab.layout import DATABASES
from devstack.lab.passwords import Secrets
from devstack.lab.processes import stop
from devstack.lab.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.progress import Progress


class Up:
    """One run."""

    def __init__(self, lab: Lab, count: int, progress: Progress) -> None:
        self._lab = lab
        self._clouds = lab.clouds(count)
        self._progress = progress
        self._database = Database(lab)
        self._broker = Broker(lab)
        self._cache = Cache(lab)
        self._proxy = Proxy(lab)
        self._secrets = {place.name: Secrets(place.folder) for place in self._clouds}

    def run(self) -> None:
        """Do it. Raises LabError; what runs by then stays, so that another run goes on from there."""
        self._lab.remember()
        packages.install(self._lab, self._progress)
        self._stop_others()
        self._require_addresses()
        services.write_site(self._lab)
        self._proxy.configure(self._clouds)
        clients.write(self._lab, self._clouds)
        self._shared()
        for place in self._clouds:
            self._prepare(place)
        self._identities()
        with self._progress.step("proxy"):
            self._proxy.start(self._clouds)
        for place in self._clouds:
            self._start(place)
        for place in self._clouds:
            self._finish(place)

    def _stop_others(self) -> None:
        """Clouds of an earlier run beyond this one's number: the proxy will not know them any more."""
        for place in self._lab.made():
            if place not in self._clouds:
                stop([one.process for one in services.all_of(self._lab, place)])

    def _require_addresses(self) -> None:
        every = [one for place in self._clouds for one in services.all_of(self._lab, place)]
        require_free(spot for one in every if one.process.pid is None for spot in one.spots())

    def _shared(self) -> None:
        with self._progress.step("database server and message broker"):
            self._cache.start()
            self._broker.start()
            self._database.start()
            for place in self._clouds:
                self._database.grant(place, self._secrets[place.name].get("database"))
            words = {place.name: self._secrets[place.name].get("broker") for place in self._clouds}
            self._broker.grant(words)

    def _prepare(self, place: CloudPlace) -> None:
        """Files, keys and tables; whatever does not need a service that runs."""
        secrets = self._secrets[place.name]
        accounts = {name: secrets.get(name) for name in configuration.ACCOUNTS}
        urls = {name: self._database.url(place, name, secrets.get("database")) for name in DATABASES}
        told = self._proxy.cloud_config(place)
        broker = self._broker.url(place, secrets.get("broker"))
        etc = self._lab.venv / "etc"
        cache = self._cache.address
        configuration.write(configuration.Sources(place, etc, urls, broker, accounts, cache, told["files"]))
        identities.write_keys(place)
        schemas.fill(self._lab, place, self._database, self._progress)
        with self._progress.step(f"{place.name}: Keystone's first accounts"):
            identities.bootstrap(self._lab, place, secrets, told["auth_url"])

    def _identities(self) -> None:
        """Every Keystone first: it needs no proxy, and all that come later need both."""
        with self._progress.step(f"Keystone of {_names(self._clouds)}"):
            servers = [services.keystone(self._lab, place) for place in self._clouds]
            for server in servers:
                server.start()
            for server, place in zip(servers, self._clouds, strict=True):
                server.wait()
                told = self._proxy.cloud_config(place)
                identities.Keystone(place, self._secrets[place.name]).fill(told["endpoints"])

    def _start(self, place: CloudPlace) -> None:
        with self._progress.step(f"{place.name}: services"):
            started = services.others(self._lab, place)
            for one in started:
                one.start()
            for one in started:
                one.wait()

    def _finish(self, place: CloudPlace) -> None:
        with self._progress.step(f"{place.name}: flavor, images, network, compute up"):
            contents = Contents(self._lab, place, self._secrets[place.name])
            contents.fill()
            contents.wait()


def _names(clouds: Sequence[CloudPlace]) -> str:
    return ", ".join(place.name for place in clouds)

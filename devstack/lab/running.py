"""What of the lab runs: shown by `lab-status`, stopped by `lab-down`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from devstack.lab.broker import Broker
from devstack.lab.cache import Cache
from devstack.lab.database import Database
from devstack.lab.processes import stop
from devstack.lab.proxy import Proxy
from devstack.lab.services import all_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.processes import Background
    from devstack.lab.progress import Progress


def status(lab: Lab) -> int:
    """Print a line for each process; 0 if all run, 3 if not (the status of LSB's init scripts)."""
    complete = bool(lab.wanted())
    for place in lab.wanted():
        print(f"{place.name}  {place.region}  services at {place.address}, {_proxy(place)}")
        complete &= _show([one.process for one in all_of(lab, place)])
    for place in lab.made():
        if place not in lab.wanted():
            print(f"{place.name}  not part of the lab since it was last brought up; its data are there")
    print(f"shared  {gateways(lab)}")
    complete &= _show(list(_shared(lab)))
    return 0 if complete else 3


def gateways(lab: Lab) -> str:
    """Where users sign in."""
    edges = [place.name for place in lab.wanted() if not place.beside]
    told = f"gateway {lab.gateway_url}"
    return f"{told}; {lab.edge_gateway_url} in front of {', '.join(edges)}" if edges else told


def down(lab: Lab, progress: Progress) -> None:
    """Stop all that was started and nothing else: services, then the proxies, then what they all need."""
    clouds = lab.made()
    every = [one.process for place in clouds for one in all_of(lab, place)]
    _stop(every, ", ".join(place.name for place in clouds), progress)
    _stop([Proxy(lab).process, Proxy(lab, edge=True).process], "proxies", progress)
    _stop([Broker(lab).process, Database(lab).process], "message broker and database server", progress)
    _stop([Broker(lab).names, Cache(lab).process], "Erlang's name server, memcached", progress)


def stop_others(lab: Lab, clouds: Collection[CloudPlace]) -> None:
    """Stop what an earlier lab had beyond these clouds: no proxy will know it any more."""
    for place in lab.made():
        if place not in clouds:
            stop([one.process for one in all_of(lab, place)])
    if all(place.beside for place in clouds):
        stop([Proxy(lab, edge=True).process])


def clean(lab: Lab, progress: Progress) -> None:
    """Stop all, and forget every cloud; packages and prepared data stay."""
    down(lab, progress)
    for place in lab.made():
        shutil.rmtree(place.folder)
    for folder in (lab.shared, lab.edge_folder):
        shutil.rmtree(folder, ignore_errors=True)
    lab.access_log.unlink(missing_ok=True)
    lab.forget()
    progress.say("clouds, databases and broker are gone; packages and prepared tables stay")


def _proxy(place: CloudPlace) -> str:
    return f"proxy beside them at {place.beside}" if place.beside else "which know of no proxy"


def _shared(lab: Lab) -> Iterator[Background]:
    yield Database(lab).process
    yield Broker(lab).process
    yield Broker(lab).names
    yield Proxy(lab).process
    if any(not place.beside for place in lab.wanted()):
        yield Proxy(lab, edge=True).process
    if Cache(lab).wanted or Cache(lab).process.pid:
        yield Cache(lab).process


def _show(processes: list[Background]) -> bool:
    for one in processes:
        print(f"  {one.name:<20}  {f'running, pid {one.pid}' if one.pid else f'stopped ({one.log})'}")
    return all(one.pid for one in processes)


def _stop(processes: list[Background], what: str, progress: Progress) -> None:
    running = [one for one in processes if one.pid]
    if running:
        with progress.step(f"stopping {what} ({len(running)} processes)"):
            stop(running)

"""The databases' tables: made once by the services' own programs, copied for every further cloud."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from devstack.lab.packages import fingerprint
from devstack.lab.processes import run
from devstack.lab.services import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devstack.lab.database import Database
    from devstack.lab.layout import CloudPlace, Lab
    from devstack.lab.progress import Progress

AT_ONCE = 2
CELL = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
"""Nova fills this from its own settings (nova-manage, "Template URLs in Cell Mappings"), so that the
mapping of one cloud's cells is right in every cloud's database."""

STEPS = {
    "identity": (("keystone-manage", "keystone.conf", "db_sync"),),
    "image": (("glance-manage", "glance-api.conf", "db_sync"),),
    "placement": (("placement-manage", "placement.conf", "db", "sync"),),
    "compute": (
        ("nova-manage", "nova.conf", "api_db", "sync"),
        (
            "nova-manage",
            "nova.conf",
            "cell_v2",
            "map_cell0",
            "--database_connection",
            f"{CELL}_cell0?{{query}}",
        ),
        ("nova-manage", "nova.conf", "db", "sync"),
        (
            *("nova-manage", "nova.conf", "cell_v2", "create_cell", "--name", "cell1"),
            *("--database_connection", f"{CELL}?{{query}}", "--transport-url", CELL),
        ),
    ),
    "network": (("neutron-db-manage", "neutron.conf", "upgrade", "heads"),),
    "block-storage": (("cinder-manage", "cinder.conf", "db", "sync"),),
}
"""Official type -> a chain of commands, none of which needs another chain: program, file, arguments."""


def fill(lab: Lab, place: CloudPlace, database: Database, progress: Progress) -> None:
    """Make a cloud's tables, once. Raises LabError."""
    mark = place.folder / "schemas-made"
    if mark.exists():
        return
    prepared = lab.state / "prepared" / fingerprint()
    files = {name: prepared / f"{name}.sql" for name in place.databases}
    if all(file.exists() for file in files.values()):
        with progress.step(f"{place.name}: tables, from prepared data"):
            _each(place, lambda name: database.load(place, name, files[name]))
    else:
        with progress.step(f"{place.name}: tables, by the services' own programs"):
            _make(lab, place)
        prepared.mkdir(parents=True, exist_ok=True)
        _each(place, lambda name: database.dump(place, name, files[name]))
    mark.touch()


def _make(lab: Lab, place: CloudPlace) -> None:
    def chain(commands: tuple[tuple[str, ...], ...]) -> None:
        # Not twice, when another chain failed and all is run again: a cell can be created once only.
        mark = place.folder / f"{commands[0][0]}-done"
        if not mark.exists():
            for program, file, *arguments in commands:
                _run(lab, place, program, file, arguments)
            mark.touch()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        chains = [STEPS[service_type] for service_type in place.services]
        # The longest first, so that the two ends come close.
        list(pool.map(chain, sorted(chains, key=len, reverse=True)))


def _run(lab: Lab, place: CloudPlace, program: str, file: str, arguments: list[str]) -> None:
    command = [lab.program(program), "--config-file", str(place.etc / file), *arguments]
    log: Path = place.logs / f"set-up-{program}.log"
    run(command, log, environment(lab, place), cwd=place.folder)


def _each(place: CloudPlace, work: Callable[[str], None]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, place.databases))

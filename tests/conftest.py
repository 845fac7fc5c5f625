"""In which order the tests run, and with which examples.

Files that wait for minutes run first, so that none is waited for at the end. Properties are tested with the
same examples each time, so that one commit has one verdict; `make fuzz` looks for others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parent

settings.register_profile("same", derandomize=True)
settings.register_profile("fuzz", derandomize=False)
settings.load_profile("same")

LONG = (
    "manyclouds/replicating/test_kill.py",
    "wire/test_life_cycle.py",
    "integration/test_demo.py",
    "integration/test_fleet_unions.py",
    "manyclouds/test_serving.py",
    "wire/test_large_bodies.py",
    "wire/test_slow_clients.py",
    "wire/test_time_and_failure.py",
    "sim/test_process.py",
    "devstack/test_plugin.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Needs `--no-loadscope-reorder`, since pytest-xdist puts files of many tests first."""
    order = {HERE / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))

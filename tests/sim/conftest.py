"""Fixtures for tests of the simulated clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sim.rig import Rig, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as found:
        yield found

"""A lab that has a folder and addresses, and nothing that runs."""

from __future__ import annotations

import pytest

from devstack.lab.layout import Lab


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab(tmp_path, "127.77")


@pytest.fixture
def edges(lab):
    return lab.edges()

"""Tokens as Keystone makes them, and a keyring."""

import pytest

from oidproxy.tokens.closed import Keyring

KEY = bytes(range(64))


@pytest.fixture
def keyring():
    return Keyring((KEY,))

"""Whoever holds a connection is told apart from whoever else holds one from the same port."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace

from tests.lab.callers import OURSELVES, SECONDS, Callers

HERE, OTHER = "127.9.8.7", "127.9.8.6"


def test_a_port_that_leads_to_two_addresses_is_named_for_each_alone():
    # Linux gives one port to several connections at once, if they lead elsewhere.
    with socket.create_server((HERE, 0)) as one, socket.create_server((OTHER, 0)) as two:
        ours = socket.create_connection(one.getsockname())
        with ours, Callers(SimpleNamespace(made=tuple), HERE) as callers:
            source = ours.getsockname()
            deadline = time.monotonic() + 60
            while not callers.name(source, one.getsockname()) and time.monotonic() < deadline:
                time.sleep(SECONDS)
        assert callers.name(source, one.getsockname()) == OURSELVES
        assert callers.name(source, two.getsockname()) == ""

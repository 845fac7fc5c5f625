"""What the plugin adds to an `openstack` call without a scope: modules and processor time."""

from __future__ import annotations

import os
import subprocess
import sys

CALL = """
import sys
from openstackclient import shell
app = shell.OpenStackShell()
app.parser.parse_known_args(["server", "list"])
print("\\n".join(sorted(sys.modules)))
"""

# The client is loaded first, and the plugin with it; then the plugin alone again, as often as it takes to see
# what it costs and not what else the machine does. Its modules are read from disk each time.
TIMED = """
import argparse, importlib, sys, time
from openstackclient import shell

def once():
    for name in [name for name in sys.modules if name.split(".")[0] == "oidproxy"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    parser = argparse.ArgumentParser()
    start = time.process_time_ns()
    importlib.import_module("oidproxy.osc.plugin").build_option_parser(parser)
    parser.parse_known_args(["server", "list"])
    return time.process_time_ns() - start

print(min(once() for _ in range(20)))
"""


def run(code: str) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "OIDPROXY_"))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_only_the_option_is_loaded():
    modules = set(run(CALL).split())
    assert {name for name in modules if name.split(".")[0] == "oidproxy"} == {
        "oidproxy",
        "oidproxy.errors",
        "oidproxy.osc",
        "oidproxy.osc.option",
        "oidproxy.osc.plugin",
        "oidproxy.osc.sources",
    }
    assert not {"lark", "aiohttp", "msgspec", "uvloop", "httptools", "cryptography.hazmat"} & modules


def test_it_adds_under_15_ms():
    assert int(run(TIMED)) < 15_000_000

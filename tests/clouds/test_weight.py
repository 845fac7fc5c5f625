"""What reading a configuration may bring into a process: a worker stays lean."""

from __future__ import annotations

import subprocess
import sys


def test_reading_a_configuration_imports_no_server_and_no_sdk(write):
    path = write("clouds: {one: {upstream: 127.0.9.1}}")
    heavy = ("openstack", "keystoneauth1", "requests", "aiohttp", "asyncio", "uvloop", "cryptography")
    program = (
        f"import sys; from oidproxy.clouds.loading.load import load; load({str(path)!r}); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"

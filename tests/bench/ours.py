"""This proxy's own configuration: a gateway in front of ten clouds, or of ten thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.layout import (
    BULK_CLOUD,
    BULK_HOST,
    CLOUDS,
    KEYSTONE_PORT,
    PROXY_HOST,
    SERVICES,
    address,
    cloud,
)
from tests.bench.traffic import HOME

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_PORT = 9100
"""Added to by the last two digits of the listener's port."""


def configuration(folder: Path, port: int, clouds: int | None = None) -> str:
    """Every cloud admits the members of the first; metrics are on (the admin listener)."""
    (folder / "fleet.key").write_text("5a" * 64)
    count = CLOUDS if clouds is None else clouds
    rows = "\n".join(_cloud(cloud(number), address(number)) for number in range(1, count + 1))
    return f"""\
listeners: [{{bind: "{PROXY_HOST}:{port}"}}]
admin: {{bind: "{PROXY_HOST}:{ADMIN_PORT + port % 100}"}}
local: {cloud(HOME)}
fleet_keys: ["${{file:{folder}/fleet.key}}"]
clouds:
{rows}
{_cloud(BULK_CLOUD, BULK_HOST)}
"""


def _cloud(name: str, host: str) -> str:
    endpoints = ", ".join(f'{service}: "http://{host}:{port}"' for service, port in SERVICES.items())
    admits = "" if name == cloud(HOME) else f"\n    admits: {{{cloud(HOME)}: {{roles: [member]}}}}"
    return f"""\
  {name}:
    auth_url: "http://{host}:{KEYSTONE_PORT}/v3"
    endpoints: {{identity: "http://{host}:{KEYSTONE_PORT}/v3", {endpoints}}}{admits}"""

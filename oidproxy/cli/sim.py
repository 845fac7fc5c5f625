"""`oidproxy sim`: runs one simulated cloud until it is told to stop."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from oidproxy.cli.numbers import seconds
from oidproxy.sim.settings import PASSWORD_VARIABLE

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a cloud."""
    add = parser.add_argument
    add("--name", required=True, help="the cloud's name")
    add("--address", default="127.0.1.1", help="address that its services listen on (default: %(default)s)")
    add("--proxy", default="", metavar="ADDRESS",
        help="the proxy's address beside this cloud, which catalog and services then use")  # fmt: skip
    add("--region", default="RegionOne", help="its region (default: %(default)s)")
    add(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="directory of image data, journals and clouds.yaml",
    )
    add("--ports", default="", metavar="SERVICE=PORT,…",
        help="other ports of identity, image, compute, network, placement, block-storage")  # fmt: skip
    add(
        "--image",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a public image to begin with; repeatable",
    )
    add("--record", type=Path, metavar="FILE",
        help="write every request as a JSON line, with its tokens, readable by the owner alone")  # fmt: skip
    add("--password", default="",
        help=f"of every user (default: ${PASSWORD_VARIABLE}, else new: see DIR/clouds.yaml)")  # fmt: skip
    add("--seed", type=int, help="make ids and tokens repeatable; not for secrets")
    add("--token-lifetime", type=seconds, default=3600.0, metavar="SECONDS", help="default: %(default)s")
    add("--token-cache-time", type=seconds, default=300.0, metavar="SECONDS",
        help="how long services remember what Keystone said of a token (default: %(default)s)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from oidproxy.sim.running import run as serve
    from oidproxy.sim.settings import CloudSettings, read_image, read_ports

    settings = CloudSettings(
        name=options.name,
        address=options.address,
        data=options.data,
        password=options.password or os.environ.get(PASSWORD_VARIABLE) or token_urlsafe(18),
        proxy=options.proxy,
        region=options.region,
        ports=read_ports(options.ports),
        record=options.record,
        images=tuple(read_image(text) for text in options.image),
        seed=options.seed,
        token_lifetime=options.token_lifetime,
        token_cache_time=options.token_cache_time,
    )
    return serve(settings)

"""`oidproxy sim`: runs one simulated cloud, or a fleet of them, until it is told to stop."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from oidproxy.cli.numbers import count, seconds
from oidproxy.errors import ConfigError
from oidproxy.sim.settings import PASSWORD_VARIABLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a cloud, and of many."""
    add = parser.add_argument
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--name", help="the cloud's name")
    which.add_argument("--clouds", type=count, metavar="N",
        help="N clouds in one process, cloud-1 to cloud-N, and an oidproxy.yaml for them")  # fmt: skip
    add("--address", default="", help="address that its services listen on (default: 127.0.1.1)")
    add("--proxy", default="", metavar="ADDRESS",
        help="the proxy's address beside this cloud, which catalog and services then use")  # fmt: skip
    add("--region", default="", help="its region (default: RegionOne)")
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
    _add_fleet(add)


def _add_fleet(add: Callable[..., Any]) -> None:
    """Options that go with --clouds only."""
    add(
        "--network",
        metavar="127.N",
        help="of their addresses; the proxy's beside them are in the next (default: 127.10)",
    )
    add(
        "--gateway",
        metavar="HOST:PORT",
        help="where oidproxy.yaml listens for users (default: 127.0.0.1:8888)",
    )
    add(
        "--homes",
        type=count,
        metavar="N",
        help="clouds whose users all others admit, the first ones (default: 1)",
    )
    add(
        "--items", type=count, metavar="N", help="images, servers, volumes, networks, … of each (default: 20)"
    )
    add(
        "--disturbances",
        type=Path,
        metavar="FILE",
        help="latencies and faults (YAML); read again when it changes",
    )


OF_ONE = ("address", "proxy", "region", "ports", "image", "record")
OF_MANY = ("network", "gateway", "homes", "items", "disturbances")


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    wrong = OF_ONE if options.clouds else OF_MANY
    given = [name for name in wrong if getattr(options, name)]
    if given:
        raise ConfigError(f"--{given[0]} does not go with --{'clouds' if options.clouds else 'name'}")
    return _run_many(options) if options.clouds else _run_one(options)


def _run_many(options: argparse.Namespace) -> int:
    from oidproxy.sim.fleet.running import run as serve
    from oidproxy.sim.fleet.settings import FleetSettings

    chosen = {name: getattr(options, name) for name in OF_MANY if getattr(options, name)}
    settings = FleetSettings(
        clouds=options.clouds,
        data=options.data,
        password=_password(options),
        seed=options.seed,
        token_lifetime=options.token_lifetime,
        token_cache_time=options.token_cache_time,
        **chosen,
    )
    return serve(settings)


def _password(options: argparse.Namespace) -> str:
    return options.password or os.environ.get(PASSWORD_VARIABLE) or token_urlsafe(18)


def _run_one(options: argparse.Namespace) -> int:
    from oidproxy.sim.running import run as serve
    from oidproxy.sim.settings import CloudSettings, read_image, read_ports

    settings = CloudSettings(
        name=options.name,
        address=options.address or "127.0.1.1",
        data=options.data,
        password=_password(options),
        proxy=options.proxy,
        region=options.region or "RegionOne",
        ports=read_ports(options.ports),
        record=options.record,
        images=tuple(read_image(text) for text in options.image),
        seed=options.seed,
        token_lifetime=options.token_lifetime,
        token_cache_time=options.token_cache_time,
    )
    return serve(settings)

"""`oidproxy demo`: two embedded clouds, the proxy beside them, and the real openstack client."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from oidproxy.cli.numbers import count

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--stay",
        action="store_true",
        help="afterwards leave everything running until Ctrl-C, and say how to use it",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where all files go, and stay (default: a temporary folder, removed at the end)",
    )
    parser.add_argument(
        "--image-size",
        type=count,
        default=16,
        metavar="MIB",
        help="size of the file that stands in for the cirros disk (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Tell the story; 0 only if every server became ACTIVE with the bytes that cloud-999 holds."""
    from oidproxy.cli.demonstration.story import tell
    from oidproxy.cli.main import SERVER_MODULES

    # Clouds and proxy are processes of their own, which would say what is missing only in their logs.
    for name in sorted(SERVER_MODULES):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return tell(options.folder, image_mib=options.image_size, stay=options.stay)

"""`python -m devstack.lab up|status|down|clean|test`: the lab's command line."""

from __future__ import annotations

import argparse
import sys

from devstack.lab.failure import LabError
from devstack.lab.layout import here
from devstack.lab.progress import Progress
from devstack.lab.running import clean, down, gateways, status
from devstack.lab.testing import test
from devstack.lab.up import Up


def main() -> int:
    """The exit status: 0, 1 for what failed, 3 for a lab that does not run."""
    options = _options()
    try:
        return _run(options)
    except LabError as error:
        print(f"\nlab {options.action}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    lab, progress = here(), Progress()
    if options.action == "status":
        return status(lab)
    if options.action == "test":
        return test(lab, options.arguments, progress)
    if options.action == "down":
        down(lab, progress)
    elif options.action == "clean":
        clean(lab, progress)
    else:
        Up(lab, options.count, progress, gateway=options.gateway).run()
        progress.say(f"ready: {gateways(lab)}; OS_CLIENT_CONFIG_FILE={lab.clouds_yaml}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devstack.lab",
        description="Independent OpenStack clouds on this machine, each with the proxy beside it.",
        epilog="LAB_STATE: its folder (.state/lab). LAB_NETWORK: what its addresses begin with (127.0).",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="install what is missing, start clouds, wait until they work")
    up.add_argument("count", nargs="?", type=int, default=2, metavar="N", help="how many clouds (default 2)")
    up.add_argument(
        "--gateway",
        action="store_true",
        help="three more clouds, edge-1 to edge-3, that know of no proxy, and a proxy in front of them",
    )
    actions.add_parser("status", help="what runs")
    actions.add_parser("down", help="stop all that was started; data stay")
    actions.add_parser("clean", help="stop all and forget the clouds; packages and prepared tables stay")
    tests = actions.add_parser("test", help="make the clouds anew, run the tests that need them, stop all")
    tests.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for pytest (default: tests/lab)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

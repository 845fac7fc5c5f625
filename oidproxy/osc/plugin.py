"""What openstackclient loads on every call: the options of scopes, and the name of our group of commands.

Whatever is imported here is paid for by every `openstack` call of the machine.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from oidproxy.errors import ConfigError
from oidproxy.osc import sources
from oidproxy.osc.option import CarryAction, ScopeAction, put_carry, put_in_force

if TYPE_CHECKING:
    from oidproxy.osc.questions import Proxy

# The names below are openstackclient's plugin interface (python-openstackclient, "Plugins").
API_NAME = "oidproxy"
API_VERSION_OPTION = "os_oidproxy_api_version"
DEFAULT_API_VERSION = "1"
API_VERSIONS = {"1": "oidproxy.osc.questions.Proxy"}

HELP = (
    "Which clouds serve this command, service by service, as in <keystone:cloud-1;glance:cloud-999> "
    f"(Env: {sources.ENVIRONMENT}, or {sources.SECOND_SPELLING} without braces)"
)

CARRY_HELP = (
    "Sign in at this cloud as well, with the entry of that name (or =<entry>) of clouds.yaml, and let the "
    "proxy use the token there; repeat for more "
    f"(Env: {sources.CARRY_ENVIRONMENT}, or {sources.CARRY_SECOND_SPELLING})"
)


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add our options. A global option of openstackclient is accepted before and after the command."""
    parser.add_argument(
        sources.OPTION,
        "--os-scope",
        metavar="<scope>",
        dest=sources.SECTION,
        action=ScopeAction,
        help=HELP,
    )
    parser.add_argument(
        sources.CARRY_OPTION,
        "--os-scope-carry",
        metavar="<cloud>[=<entry>]",
        dest=sources.CARRY,
        action=CarryAction,
        help=CARRY_HELP,
    )
    defaults = argparse.Namespace()
    try:
        given = sources.from_environment(os.environ)
        carry = sources.carry_from_environment(os.environ)
    except ConfigError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if given is not None:
        # Neither is checked here: an option may displace it. The hook checks them before the first request.
        put_in_force(defaults, given)
    if carry is not None:
        put_carry(defaults, carry)
    parser.set_defaults(**vars(defaults))
    return parser


def make_client(instance: Any) -> Proxy:
    """The proxy that the client is configured to talk to."""
    from oidproxy.osc.address import auth_url
    from oidproxy.osc.questions import Proxy

    return Proxy(instance.session, auth_url(instance.get_configuration()))

"""Keystone as a service: its routes put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.keystone.auth_api import AuthApi
from oidproxy.sim.keystone.credentials_api import CredentialsApi
from oidproxy.sim.keystone.directory_api import DirectoryApi
from oidproxy.sim.keystone.grants_api import GrantsApi
from oidproxy.sim.keystone.guard import KeystoneGuard
from oidproxy.sim.keystone.views import error
from oidproxy.sim.service import Manner, Service

if TYPE_CHECKING:
    from oidproxy.sim.keystone.model import Keystone
    from oidproxy.sim.keystone.tokens import Tokens


def build(keystone: Keystone, tokens: Tokens, auth_url: str) -> Service:
    """The service of this Keystone; `auth_url` is what its 401 answers name."""
    routes = [
        *AuthApi(keystone, tokens).routes(),
        *DirectoryApi(keystone, tokens).routes(),
        *GrantsApi(keystone).routes(),
        *CredentialsApi(keystone, tokens).routes(),
    ]
    return Service(
        "keystone", routes, KeystoneGuard(keystone, tokens, auth_url), Manner(error), keystone.sources
    )

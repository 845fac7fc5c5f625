"""The accounts that a replay sends with: clouds.yaml, the OS_ variables, and which of them is for whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from oidproxy.trace.replaying.settings import Login, Logins

CLOUDS_YAML = ("clouds.yaml", "~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
KEYS = frozenset({"default", "users", "homes"})


def logins(options: argparse.Namespace) -> Logins:
    """Who signs in as whom.

    Raises:
        ConfigError: an account is missing, or cannot be signed in with.
    """
    from oidproxy.trace.replaying.settings import Logins

    named = _file(options.users) if options.users else {}
    entry = named.get("default") or options.os_cloud or os.environ.get("OS_CLOUD", "")
    users, homes = named.get("users") or {}, named.get("homes") or {}
    wanted = tuple(dict.fromkeys([*([entry] if entry else []), *users.values(), *homes.values()]))
    found = _entries(wanted, options.auth_url)
    default = found[entry] if entry else _environment(options.auth_url)
    return Logins(
        default,
        {user: found[one] for user, one in users.items()},
        {home: found[one] for home, one in homes.items()},
    )


def _file(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError:
        raise ConfigError("this is no YAML", file=str(path)) from None
    if not isinstance(found, dict) or not found.keys() <= KEYS:
        raise ConfigError("expected a mapping with default:, users: and homes:", file=str(path))
    for key in ("users", "homes"):
        inner = found.get(key) or {}
        if not isinstance(inner, dict) or not all(isinstance(one, str) for one in inner.values()):
            raise ConfigError(f"{key}: expected names of entries of clouds.yaml", file=str(path))
        found[key] = {str(name): one for name, one in inner.items()}
    return found


def _entries(names: tuple[str, ...], auth_url: str | None) -> dict[str, Login]:
    from oidproxy.clouds.loading.asked import read_entries

    if not names:
        return {}
    path = _clouds_yaml()
    found = {}
    for name, entry in read_entries(str(path), names).items():
        if entry.error:
            raise ConfigError(f"entry {name!r}: {entry.error}", file=str(path))
        found[name] = _login(name, entry.auth_type, entry.auth, auth_url, str(path))
    return found


def _environment(auth_url: str | None) -> Login:
    auth = {
        name.removeprefix("OS_").lower(): value
        for name, value in os.environ.items()
        if name.startswith("OS_") and value
    }
    if "username" not in auth and "user_id" not in auth and "application_credential_id" not in auth:
        raise ConfigError(
            "no account to sign in with: give --os-cloud NAME, or set OS_USERNAME, OS_PASSWORD …"
        )
    default = "v3applicationcredential" if "application_credential_id" in auth else "password"
    return _login("OS_", auth.get("auth_type", default), auth, auth_url, "")


def _login(name: str, auth_type: str, auth: Mapping[str, str], auth_url: str | None, file: str) -> Login:
    from oidproxy.clouds.credentials import credential
    from oidproxy.trace.replaying.settings import Login

    url = auth_url or auth.get("auth_url", "")
    if not url:
        raise ConfigError(f"account {name!r} has no auth_url: give --auth-url", file=file)
    try:
        return Login(url, credential(name, auth_type, auth).body)
    except ValueError as error:
        raise ConfigError(f"account {name!r} cannot be signed in with: {error}", file=file) from None


def _clouds_yaml() -> Path:
    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(given)] if given else [Path(one).expanduser() for one in CLOUDS_YAML]
    for place in places:
        if place.exists():
            return place
    raise ConfigError(f"no clouds.yaml in {', '.join(map(str, places))}")

"""The short-lived child that reads credentials from clouds.yaml, with openstacksdk; it asks nobody.

On stdin: one JSON object {"clouds_yaml": path, "entries": [name, …]}. On stdout: a line of JSON for each
entry (the fields of `Entry`). Exit status 0 as long as the file could be read at all.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import msgspec

from oidproxy.clouds.loading.learn import open_config


class Order(msgspec.Struct, frozen=True):
    """What the child is told to do."""

    clouds_yaml: str
    entries: list[str]


class Entry(msgspec.Struct, frozen=True):
    """One entry. `error` says why it cannot be used; it shows no secret. No repr: `auth` holds one."""

    name: str
    auth_type: str = ""
    auth: dict[str, str] = {}
    error: str = ""

    def __repr__(self) -> str:
        return f"Entry({self.name!r})"


def main() -> int:
    """Answer the order on stdin."""
    # Whatever a library prints must not get between the lines of JSON.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    config = open_config(order.clouds_yaml)
    for name in order.entries:
        answers.write(msgspec.json.encode(read(config, name)) + b"\n")
    answers.flush()
    return 0


def read(config: Any, name: str) -> Entry:
    """One entry, as openstacksdk puts it together from clouds.yaml, secure.yaml and a profile."""
    try:
        # Not validated: then the SDK would want what only some ways to sign in need.
        found = config.get_one(name, validate=False).config
        auth = {key: str(value) for key, value in found.get("auth", {}).items() if value is not None}
        return Entry(name, str(found.get("auth_type") or "password"), auth)
    except Exception as error:  # noqa: BLE001 - plugins of authentication raise whatever they like
        return Entry(name, error=f"openstacksdk cannot read it ({type(error).__name__})")


if __name__ == "__main__":
    sys.exit(main())

"""The container's health: whether the admin listener of the configuration says that all workers serve.

    python healthcheck.py /etc/oidproxy/oidproxy.yaml

The exit status is 0 if it does, else 1, with the reason. No client has to be in the image for it.
"""
# ruff: noqa: INP001 - a program of its own, no part of a package

from __future__ import annotations

import http.client
import sys

import yaml

SECONDS = 3.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - recognized here, not bound


def main(file: str) -> str:
    """What is wrong; empty when nothing is."""
    try:
        with open(file, encoding="utf-8") as text:
            bind = (yaml.safe_load(text).get("admin") or {}).get("bind")
        if not isinstance(bind, str):
            return f"{file} has no admin listener to ask: admin: {{bind: 127.0.0.1:8889}}"
        return _asked(bind)
    except (OSError, http.client.HTTPException, yaml.YAMLError, AttributeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def _asked(bind: str) -> str:
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    connection = http.client.HTTPConnection(WILDCARDS.get(host, host), int(port), timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return "" if answer.status == http.HTTPStatus.OK else f"not ready ({answer.status})"
    finally:
        connection.close()


if __name__ == "__main__":
    wrong = main(sys.argv[1])
    print(wrong or "ready")
    sys.exit(bool(wrong))

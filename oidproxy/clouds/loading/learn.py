"""The short-lived child that asks clouds for their catalogs, with openstacksdk; nothing else imports that.

On stdin: one JSON object {"clouds_yaml": path, "timeout": seconds, "asks": [Ask, …]}. On stdout: a line of
JSON for each ask, as it is answered (the fields of `Learned`). Exit status 0 as long as it could ask at all.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import msgspec

from oidproxy.clouds.asking import Ask  # noqa: TC001 - msgspec reads the annotations of Order
from oidproxy.clouds.catalog import CatalogService, Learned

AT_ONCE = 64
"""Clouds asked at the same time."""

_PUBLIC = frozenset(
    {
        "application_credential_id",
        "application_credential_name",
        "auth_url",
        "default_domain_id",
        "default_domain_name",
        "domain_id",
        "domain_name",
        "project_domain_id",
        "project_domain_name",
        "project_id",
        "project_name",
        "system_scope",
        "user_domain_id",
        "user_domain_name",
        "user_id",
        "username",
    }
)
"""Options of an authentication that may be shown; the value of every other is taken for a secret."""


class Order(msgspec.Struct, frozen=True):
    """What the child is told to do."""

    clouds_yaml: str
    timeout: float
    """Seconds for each HTTP request."""
    asks: list[Ask]


def main() -> int:
    """Answer the order on stdin."""
    # Whatever a library prints must not get between the lines of JSON.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    config = open_config(order.clouds_yaml)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [threads.submit(learn, config, ask, order.timeout) for ask in order.asks]
        for done in as_completed(running):
            answers.write(msgspec.json.encode(done.result()) + b"\n")
            answers.flush()
    return 0


def learn(config: Any, ask: Ask, timeout: float) -> Learned:
    """What one cloud says; a failure is an answer too, and stops no other."""
    known = Learned(ask.cloud, auth_url=ask.auth_url or "")
    secrets: tuple[str, ...] = ()
    try:
        region = config.get_one(ask.entry, **_overrides(ask, timeout))
        auth = region.config["auth"]
        secrets = tuple(str(value) for name, value in auth.items() if name not in _PUBLIC and value)
        verify, _ = region.get_requests_verify_args()
        known = msgspec.structs.replace(
            known,
            auth_url=str(auth.get("auth_url") or ""),
            region=region.region_name or "",
            cacert=verify if isinstance(verify, str) else "",
            insecure=verify is False,
        )
        access = region.get_session().auth.get_access(region.get_session())
        return msgspec.structs.replace(known, project_id=access.project_id or "", catalog=_catalog(access))
    except Exception as error:  # noqa: BLE001 - plugins of authentication raise whatever they like
        return msgspec.structs.replace(known, error=_safe(error, secrets))


def open_config(clouds_yaml: str) -> Any:
    """Only the file named, and the secure.yaml and clouds-public.yaml beside it; no OS_* variable."""
    from openstack.config import OpenStackConfig  # noqa: PLC0415 - some 200 ms and 20 MiB

    folder = Path(clouds_yaml).parent
    return OpenStackConfig(
        config_files=[clouds_yaml],
        secure_files=[str(folder / "secure.yaml")],
        vendor_files=[str(folder / "clouds-public.yaml")],
        load_envvars=False,
    )


def _overrides(ask: Ask, timeout: float) -> dict[str, Any]:
    """What the configuration says about a cloud beats what its entry says."""
    found: dict[str, Any] = {"api_timeout": timeout}
    if ask.auth_url is not None:
        found["auth"] = {"auth_url": ask.auth_url}
    if ask.cacert is not None:
        found["cacert"] = ask.cacert
    if ask.insecure is not None:
        found |= {"verify": not ask.insecure, "insecure": ask.insecure}
    return found


def _catalog(access: Any) -> list[CatalogService]:
    catalog = access.service_catalog.catalog if access.service_catalog else []
    if not catalog:
        raise ValueError("the token has no catalog: scope these credentials to a project")
    return msgspec.convert(catalog, list[CatalogService])


def _safe(error: Exception, secrets: tuple[str, ...]) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in sorted(secrets, key=len, reverse=True):
        text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])", "***", text)
    return text[:500]


if __name__ == "__main__":
    sys.exit(main())

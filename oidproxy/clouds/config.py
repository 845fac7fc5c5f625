"""The shape of oidproxy.yaml: every key that may stand in it, and reading a document into that shape.

Values stay texts here wherever they have a form of their own (durations, sizes, URLs, scopes): their readers
give better errors than a type can. docs/configuration.md documents every key; a test compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.clouds.shape import faults

if TYPE_CHECKING:
    from oidproxy.clouds.findings import Findings


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping with known keys and no others."""


class TlsKeys(Keys, frozen=True):
    """Files of a certificate chain and its key."""

    cert: str
    key: str


class ListenerKeys(Keys, frozen=True):
    """An address that the proxy serves on."""

    bind: str
    ports: str | dict[str, str] | None = None
    cloud: str | None = None
    scope: str = ""
    tls: TlsKeys | None = None


class AdminKeys(Keys, frozen=True):
    """The admin listener."""

    bind: str
    token: str = ""


class ConstraintKeys(Keys, frozen=True):
    """One entry of ENOSlib's `constraints`. Its older releases wrote `symetric`."""

    src: str
    dst: str
    delay: str | None = None
    rate: str | None = None
    loss: str | None = None
    network: str | None = None
    symmetric: bool = False
    symetric: bool = False


class RttKeys(Keys, frozen=True):
    """ENOSlib's dictionary of network constraints, as its `Netem` and `NetemHTB` services take it."""

    enable: bool = True
    default_delay: str = "0"
    default_rate: str | None = None
    default_loss: str | None = None
    default_network: str | None = None
    network: str | None = None
    groups: list[str] | None = None
    excepted: str | list[str] | None = msgspec.field(name="except", default=None)
    constraints: list[ConstraintKeys] = []


class AccountKeys(Keys, frozen=True):
    """A service's user at its home; the domain, by name, is that of user and project."""

    user: str
    project: str
    domain: str = "Default"


class AdmitsKeys(Keys, frozen=True):
    """What users of one other cloud are granted."""

    roles: list[str] = []
    map: dict[str, str] = {}
    projects: list[str] | dict[str, str] | None = None
    read_only: bool = False
    services: list[AccountKeys] = []


class CloudKeys(Keys, frozen=True):
    """One cloud."""

    auth_url: str | None = None
    upstream: str | None = None
    services: list[str] | None = None
    region: str | None = None
    endpoints: dict[str, str | dict[str, str]] = {}
    credentials: str | None = None
    cacert: str | None = None
    insecure: bool | None = None
    groups: list[str] = []
    admits: dict[str, AdmitsKeys] = {}
    exchange: list[str] | None = None
    mapped: dict[str, dict[str, str | list[str]]] = {}
    service_accounts: dict[str, str] = {}
    shares: dict[str, list[str]] = {}


class RecordKeys(Keys, frozen=True):
    """Recordings of what passes."""

    folder: str
    on: bool = False
    bodies: bool = False
    size: str = "1GiB"
    file: str = "64MiB"


class Config(Keys, frozen=True):
    """The whole file."""

    listeners: list[ListenerKeys] | None = None
    admin: AdminKeys | None = None
    local: str | None = None
    require_scope: bool = False
    fleet_keys: list[str] = []
    foreign_calls: list[str] = []
    clouds: dict[str, CloudKeys] = {}
    clouds_yaml: str | None = None
    rtt: RttKeys | None = None
    store: str = ""
    record: RecordKeys | None = None
    scope: str = ""
    limits: dict[str, str] = {}
    trusted_proxies: list[str] = []


def decode(findings: Findings) -> Config:
    """The document in the shape of `Config`.

    Raises ConfigError with everything in it that has another shape.
    """
    data: Any = findings.document.data
    if data is None:
        findings.wrong((), "the file is empty")
        findings.raise_errors()
    try:
        return msgspec.convert(data, Config, strict=False)
    except msgspec.ValidationError:
        for fault in faults(data, Config):
            findings.wrong(fault.path, fault.message, key=fault.at_key, suggestion=fault.suggestion)
        findings.raise_errors()
        raise

"""The table of service, path and key: which answers hold links, and where in them.

Read from the services' sources (their `views`, `api_common`, `pagination` and `hrefs` modules). What is not
in the table is never touched: object data, image data, secrets' payloads, templates, and Keystone's
`/v3/endpoints` and `/v3/services`, which Ansible reads and writes back. Glance's links below `/v2` are paths
without a host and stay so: with the proxy's prefix the SDK fails, made absolute gophercloud does. Placement
writes paths, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from oidproxy.rewrite.rules import RuleSet

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_DOCUMENT = RuleSet.of("**/href", version_document=True)
"""`GET /`, `GET /v3` and their like: the services' own words throughout, so any `href` is theirs."""

CATALOG = RuleSet.of("catalog/endpoints/url", "links/*")
"""`GET /v3/auth/catalog`, where it streams: the endpoints of services that the proxy knows."""

_PERCENT = ord("%")
_VERSION_PATH = re.compile(rb"/?(?:v\d+(?:\.\d+)*/?|versions/?)?\Z")

# Nova, Cinder and Manila: lists of {"rel", "href"} in every resource and, for the next page, beside the
# resources; Nova's instance actions, Heat and Trove name that list just `links`.
_RESOURCES = ("links/href", "*_links/href", "*/links/href")
# Keystone, Designate: an object of links by relation, `self` and others (`assignment`, `protocols`,
# `export`).
_BY_RELATION = ("links/*", "*/links/*")
# Pecan's collections (Ironic, Magnum, Zun, Watcher …): `next` beside the resources.
_PECAN = ("next", *_RESOURCES)
_SUBCONTROLLERS = ("ports", "portgroups", "states", "volume", "nodes", "connectors", "targets")


@dataclass(frozen=True, slots=True)
class Row:
    """One service of the table. A path that `only` does not match, or `never` does, is not touched."""

    rules: RuleSet
    never: re.Pattern[bytes] | None = None
    only: re.Pattern[bytes] | None = None

    def __call__(self, rest: bytes) -> RuleSet | None:
        """The rules for a path of this service."""
        if self.never is not None and self.never.match(rest):
            return None
        if self.only is not None and not self.only.match(rest):
            return None
        return self.rules


TABLE: Mapping[str, Row] = MappingProxyType(
    {
        "identity": Row(
            RuleSet.of(*_BY_RELATION, "*/roles_links/*", "*/roles/links/*"),
            # Token answers are rewritten as a whole (`rewrite.catalog`).
            never=re.compile(rb"/v3/(?:endpoints|services|auth/tokens|OS-EP-FILTER|policies)(?:/|\Z)"),
        ),
        # An image's `alternate` link points to Glance; a console's `url` must pass unchanged and is no link
        # here.
        "compute": Row(
            RuleSet.of(*_RESOURCES, "*/flavor/links/href", "*/image/links/href", "*/server/links/href"),
        ),
        # Ports, networks and the rest have no links of their own; long lists are skipped an object at a time.
        "network": Row(RuleSet.of("*_links/href", "extensions/links/href", "extension/links/href")),
        "load-balancer": Row(RuleSet.of("*_links/href")),
        "block-storage": Row(RuleSet.of(*_RESOURCES)),
        "shared-file-system": Row(RuleSet.of(*_RESOURCES)),
        "orchestration": Row(
            RuleSet.of(*_RESOURCES),
            never=re.compile(rb".*/(?:template|environment|files|outputs|metadata|software_configs)(?:/|\Z)"),
        ),
        "dns": Row(RuleSet.of(*_BY_RELATION)),
        # Barbican compares a `*_ref` in a request's body with its own URL (validators.py): until bodies are
        # mapped back, its refs pass as the ids that they are, and only the links between pages are rewritten.
        "key-manager": Row(
            RuleSet.of("next", "previous"),
            only=re.compile(rb"/v\d[^/]*/(?:(?:secrets|containers)/[^/]+/consumers|[a-z_-]+)/?\Z"),
        ),
        # A node's `properties` are its owner's; a driver's hold a link that no client follows: left as it is.
        "baremetal": Row(
            RuleSet.of(*_PECAN, *(f"{way}{key}/href" for way in ("", "*/") for key in _SUBCONTROLLERS)),
        ),
        "baremetal-introspection": Row(RuleSet.of(*_PECAN)),
        "container-infrastructure-management": Row(RuleSet.of(*_PECAN)),
        "application-container": Row(RuleSet.of(*_PECAN)),
        "workflow": Row(RuleSet.of("next")),
        "database": Row(
            RuleSet.of(*_RESOURCES, "*/flavor/links/href", "*/flavors/links/href", "*/versions/links/href")
        ),
        "resource-optimization": Row(RuleSet.of(*_PECAN)),
        "accelerator": Row(RuleSet.of(*_PECAN)),
        "instance-ha": Row(RuleSet.of(*_RESOURCES)),
    }
)
"""Official type -> its row. A service without a row has only its version documents rewritten."""

_UNTOUCHED = frozenset({"object-store", "placement"})

_OBJECTS = frozenset({"object-store"})

# What openstacksdk, gophercloud and the services' own clients follow from page to page. Of the image service
# only lists have it: an image's keys are what its owner named them.
_PAGES = ("next", "previous", "first", "links/*", "links/href", "*_links/*", "*_links/href")
_IMAGES = Row(
    RuleSet.of("next", "previous", "first"),
    only=re.compile(rb"/v\d[^/]*/(?:images|tasks|metadefs/(?:.*/)?[a-z_]+)/*\Z"),
)
_GUARDED: Mapping[str, Row] = MappingProxyType(
    {
        name: replace(row, rules=RuleSet.of(*dict.fromkeys((*row.rules.paths, *_PAGES))))
        for name, row in TABLE.items()
    }
    | {"image": _IMAGES}
)
_ANY = Row(RuleSet.of(*_PAGES))


def keys_for(service_type: str, rest: bytes, *, abroad: bool = False) -> RuleSet | None:
    """Where the links of an answer are; None if it must not be touched.

    `rest` is the path below the service, without query: `/v2.1/servers`. `abroad`, at a cloud that is not the
    token's home, they are wherever a client may follow one.
    """
    if service_type in (_OBJECTS if abroad else _UNTOUCHED):
        return None
    if _PERCENT in rest:
        # As the service will read it: %70ayload is a payload, too.
        rest = unquote_to_bytes(rest)
    if len(rest) < 12 and _VERSION_PATH.match(rest):
        return VERSION_DOCUMENT
    if abroad:
        return _GUARDED.get(service_type, _ANY)(rest)
    return _rules(service_type, rest)


def varies(service_type: str, *, abroad: bool = False) -> bool:
    """Whether `keys_for` looks at the path, of two segments at least and without escapes, of this service."""
    if service_type in (_OBJECTS if abroad else _UNTOUCHED):
        return False
    row = _GUARDED.get(service_type, _ANY) if abroad else TABLE.get(service_type)
    return row is not None and (row.never is not None or row.only is not None)


def _rules(service_type: str, rest: bytes) -> RuleSet | None:
    if service_type == "identity" and rest.rstrip(b"/") == b"/v3/auth/catalog":
        return CATALOG
    row = TABLE.get(service_type)
    return None if row is None else row(rest)


def may_rewrite(service_type: str, rest: bytes, *, abroad: bool = False) -> bool:
    """Whether an answer may have to be rewritten, so that the cloud must not compress it (rule C8c).

    Of Keystone's answers nearly all: those with tokens and catalogs have no links, but have to be read, too.
    """
    return service_type == "identity" or keys_for(service_type, rest, abroad=abroad) is not None

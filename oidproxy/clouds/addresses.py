"""Addresses and URLs as they are written in configurations and catalogs, to values.

Every reader raises ValueError with a message that says what was expected and shows no user or password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from oidproxy.clouds.registry import Origin

PROJECT_ID = "%(project_id)s"
"""What a catalog URL holds in place of the asker's project id."""

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
# Keystone's endpoint templates allow both spellings and both names (keystone: catalog/core.py, format_url).
_TEMPLATE = re.compile(r"[%$]\((?:project|tenant)_id\)s")
_VERSION = re.compile(r"/v[0-9]")


@dataclass(frozen=True, slots=True)
class Location:
    """A catalog URL in parts: `root` is what stands before its first version segment, `suffix` the rest."""

    origin: Origin
    root: str
    suffix: str


def host_port(text: str) -> tuple[str, int]:
    """`host:port` or `[v6 address]:port`."""
    host, found, port = text.rpartition(":")
    if not found or (":" in host and not _bracketed(host)):
        raise ValueError(f'expected host:port such as "127.0.0.1:8888", got {text!r}')
    return plain_host(host), port_number(port)


def plain_host(text: str) -> str:
    """A host's name or address, without brackets."""
    bare = text[1:-1] if _bracketed(text) else text
    if _is_address(bare) or (bare == text and ":" not in bare and _NAME.fullmatch(bare)):
        return bare.lower()
    raise ValueError(f"expected the name or the address of a host, got {text!r}")


def port_number(text: str) -> int:
    """A TCP port, 1 to 65535."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= number <= 65535:
        raise ValueError(f"expected a port from 1 to 65535, got {text!r}")
    return number


def location(url: str) -> Location:
    """A catalog URL, cut before its first `/v<digit>` segment, or its project id if that is earlier."""
    origin, path = origin_and_path(url)
    path = _TEMPLATE.sub(PROJECT_ID, path)
    if "%(" in path.replace(PROJECT_ID, ""):
        raise ValueError(f"the only template in a URL is {PROJECT_ID}")
    root, suffix = split_path(path)
    return Location(origin, root, suffix)


def split_path(path: str) -> tuple[str, str]:
    """The part before the first version segment, without a slash at its end, and the rest."""
    version = _VERSION.search(path)
    cut = version.start() if version else len(path)
    project = path.find(PROJECT_ID)
    if 0 <= project < cut:
        cut = path.rindex("/", 0, project)
    return path[:cut].rstrip("/"), path[cut:].rstrip("/")


def origin_and_path(url: str) -> tuple[Origin, str]:
    """Where an http or https URL leads, and its path as written."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            "expected a URL such as http://10.0.0.1:5000/v3: its host or port is wrong"
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("expected a URL that begins with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("a URL here takes no user and no password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("a URL here takes no query and no fragment")
    if not _PATH.fullmatch(parts.path):
        raise ValueError("this URL's path holds a character that is not allowed in one")
    if port == 0:
        raise ValueError("expected a port from 1 to 65535, got 0")
    return Origin(
        parts.scheme, plain_host(host), port or (443 if parts.scheme == "https" else 80)
    ), parts.path


def _bracketed(text: str) -> bool:
    return text.startswith("[") and text.endswith("]")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

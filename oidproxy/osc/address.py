"""What a client's auth URL tells of the proxy: its root, and the scope that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from osc_lib.exceptions import CommandError

from oidproxy.scope.tag import from_segment

if TYPE_CHECKING:
    from oidproxy.scope.tree import Scope


def auth_url(config: Mapping[str, object]) -> str:
    """The configured auth URL. Raises CommandError where there is none."""
    url = configured(config)
    if not url:
        raise CommandError("no auth URL is configured: set --os-cloud, or --os-auth-url to the proxy's")
    return url


def configured(config: Mapping[str, object]) -> str:
    """The auth URL that requests would go to; empty where there is none."""
    auth = config.get("auth")
    # What an option or a variable says stands beside `auth` until the client validates its credentials, which
    # it does not for a command that sends nothing; there it wins (osc_lib's OSC_Config._validate_auth).
    url = config.get("auth_url") or (auth.get("auth_url") if isinstance(auth, Mapping) else None)
    return str(url or "")


def root(url: str) -> str:
    """Scheme and authority: where the proxy answers for itself. Raises CommandError for what is no URL."""
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError("the auth URL has to begin with http:// or https:// and a host")
    return f"{parts.scheme}://{parts.netloc}"


def bound_scope(url: str) -> Scope | None:
    """The scope in `/s/<scope>/…`, None where the URL binds none. Raises ScopeError, CommandError."""
    segments = _split(url).path.split("/")
    if len(segments) < 3 or segments[1] != "s":
        return None
    return from_segment(segments[2].encode(errors="surrogatepass"))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise CommandError("the auth URL is no URL") from None

"""Sends carried tokens along with the requests to the proxy, and with no other.

`additional_headers` of a session are no place for them: those go to whatever host a catalog or a redirect
names, and `--debug` prints them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openstack.exceptions import ConfigException

from oidproxy.osc.login import Login
from oidproxy.scope.canonical import written_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.osc.carry import Carried

HEADER = "X-Scope-Tokens"

_PORTS = {"http": 80, "https": 443}


class Tokens:
    """The tokens that one connection carries."""

    def __init__(self, carried: Iterable[Carried], loader: Any) -> None:
        self._logins = [(one.cloud, Login(one.entry, loader)) for one in carried]

    def header_value(self) -> str:
        """`cloud=token, …`, signing in where that was not done yet. Raises ConfigException.

        The names are UTF-8 in disguise, one character a byte: HTTP clients encode a header as latin-1.
        """
        pairs = [f"{written_name(cloud)}={login.token()}" for cloud, login in self._logins]
        return ", ".join(pairs).encode().decode("latin-1")


class Carrying:
    """A transport adapter of requests, for the proxy's URLs alone: adds the header, passes the request on.

    keystoneauth has logged a request by the time it gets here, and wherever a redirect leads it asks anew for
    the transport of that URL.
    """

    def __init__(self, through: Any, tokens: Tokens) -> None:
        self._through = through
        self._tokens = tokens

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send the request, and forget the header: answers and errors hold the request they belong to."""
        request.headers[HEADER] = self._tokens.header_value()
        try:
            return self._through.send(request, *arguments, **options)
        finally:
            del request.headers[HEADER]

    def close(self) -> None:
        """Close the transport underneath, as requests does when a session ends."""
        self._through.close()


def carry(session: Any, tokens: Tokens) -> None:
    """Let a keystoneauth session carry tokens to its auth URL's origin. Raises ConfigException.

    A second call leaves the session as the first did, also where somebody put a transport over ours.
    """
    requests = session.session
    for prefix in _prefixes(str(getattr(session.auth, "auth_url", None) or "")):
        through = requests.get_adapter(prefix)
        if not isinstance(through, Carrying):
            requests.mount(prefix, Carrying(through, tokens))


def _prefixes(url: str) -> tuple[str, ...]:
    """How every URL of this one's origin begins, and no other: with the slash after the authority."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigException("the auth URL is no URL") from None
    default = _PORTS.get(parts.scheme)
    if default is None or not parts.hostname:
        raise ConfigException("tokens can be carried only where the auth URL is a proxy's")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    named = f"{parts.scheme}://{host}:{port or default}/"
    return (named, f"{parts.scheme}://{host}/") if port in {None, default} else (named,)

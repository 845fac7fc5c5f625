"""The vendor hook that puts a scope in force: openstacksdk calls it before a connection's first request.

It fails closed. The SDK turns a ValueError, ImportError, TypeError or AttributeError of a hook into a warning
and goes on, which here would mean unscoped; so every failure leaves as a ConfigException. For the same reason
nothing is imported at the top of this file that could be missing where the SDK is not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any

from openstack.exceptions import ConfigException

from oidproxy.errors import ScopeError
from oidproxy.osc import sources

HEADER = "X-Scope"


def apply(connection: Any) -> None:
    """Send the scope with every request of this connection, and to the proxy what is carried along.

    A hook that ours displaced is called after it, since it may send requests itself. Raises ConfigException
    where anything of this cannot be.
    """
    with _failing_closed():
        put = _prepared(connection)
        put()
        displaced = tuple(_displaced(connection.config))
    for hook in displaced:
        _call(hook, connection)
    with _failing_closed():
        put()


@contextmanager
def _failing_closed() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ConfigException(f"the scope cannot be put in force: {_reason(error)}") from error


def _prepared(connection: Any) -> Callable[[], None]:
    """What puts it all in force, as often as it is called."""
    text = _text(connection.config)
    value = None if text is None else header_value(text)
    carrying = _carrying(connection)

    def put() -> None:
        if value is not None:
            connection.session.additional_headers[HEADER] = value
        if carrying is not None:
            carrying()

    return put


def _carrying(connection: Any) -> Callable[[], None] | None:
    """What lets the connection carry tokens; None where there are none to carry."""
    if sources.given_carry(connection.config.config, os.environ) is None:
        return None
    from oidproxy.osc.carry import carried
    from oidproxy.osc.carrying import Tokens, carry

    clouds = carried(connection.config.config, os.environ)
    if not clouds:
        return None
    tokens = Tokens(clouds, connection.config._openstack_config)
    return lambda: carry(connection.session, tokens)


def header_value(text: str) -> str:
    """The canonical text of a scope, as keystoneauth has to be given it.

    HTTP clients encode a header's text as latin-1 and keystoneauth takes bytes for ASCII, so the bytes of
    UTF-8 are passed in disguise: one character a byte. Raises ScopeError.
    """
    from oidproxy.scope.canonical import canonical
    from oidproxy.scope.parse import parse

    return canonical(parse(text)).encode().decode("latin-1")


def _text(region: Any) -> str | None:
    """The scope that is given; None where the hook runs only for what is carried along."""
    given = sources.given(region.config, os.environ)
    if given is not None:
        return given.text
    if sources.CARRY in region.config and not sources.is_ours(_as_configured(region).get("vendor_hook")):
        return None
    raise ConfigException(
        f"`vendor_hook: {sources.HOOK}` needs a scope: `{sources.SECTION}: {{scope: …}}` beside it"
        f" in {sources.CLOUDS_YAML}, or {sources.ENVIRONMENT}"
    )


def _displaced(region: Any) -> Iterator[str]:
    """The hooks that ours stands in for: the cloud's or its profile's own, and one named beside the scope."""
    config = _as_configured(region)
    hook = config.get("vendor_hook")
    if hook and not sources.is_ours(hook):
        yield str(hook)
    section = config.get(sources.SECTION)
    if isinstance(section, Mapping) and section.get("vendor_hook"):
        yield str(section["vendor_hook"])


def _as_configured(region: Any) -> Mapping[str, Any]:
    """The cloud's configuration without what the command line and the plugin put over it."""
    section = region.config.get(sources.SECTION)
    merged: Mapping[str, Any] = region.config
    by_plugin = isinstance(section, Mapping) and "source" in section
    if not by_plugin and sources.CARRY not in merged:
        return merged
    loader = region._openstack_config
    if loader is None:
        return merged
    configured: Mapping[str, Any] = loader.get_one(
        cloud=region.name or None, region_name=region.region_name, validate=False
    ).config
    return configured


def _call(hook: str, connection: Any) -> None:
    """Call a displaced hook with the SDK's own tolerance (openstack.connection.Connection.__init__)."""
    try:
        EntryPoint(name="vendor_hook", value=hook, group="vendor_hook").load()(connection)
    except (ImportError, TypeError, AttributeError, ValueError) as error:
        connection.log.warning("Configured hook %s cannot be executed: %s", hook, error)


def _reason(error: Exception) -> str:
    """What to tell the user: for a scope error its line and caret."""
    if not isinstance(error, ScopeError):
        return str(error)
    from oidproxy.scope.report import render

    return render(error)

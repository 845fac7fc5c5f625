"""Queries that make of a call something else than its method and path say."""

from __future__ import annotations

from urllib.parse import parse_qsl

_MORE = frozenset({b"_method", b"bulk-delete", b"extract-archive"})
"""Pecan's RestController, which bare metal, load balancers, DNS and accelerators are made of, takes `_method`
of a GET for what to do: `GET …?_method=post` creates. Swift's bulk middleware deletes and writes whatever the
body lists, all over the account."""


def does_more(query: bytes) -> bool:
    """Whether this query (without `?`) is such a one, whichever way its service separates parameters."""
    if not query:
        return False
    return any(
        name.lower() in _MORE for name, _ in parse_qsl(query.replace(b";", b"&"), keep_blank_values=True)
    )

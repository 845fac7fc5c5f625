"""Replaces the links of a JSON document that came whole, at the speed of a search.

Theory of operation. A search finds the strings that begin with one of the cloud's bases. Whether they are
links is found by reading the document and walking along the rules: if these lead to as many such strings as
the search found, they are the same ones, and each is replaced where it stands. Whatever would make that
conclusion unsafe (escapes, a user's own text that looks like a link) is left to the scanner, whose result
this always is.

Of a key that stands twice in an object one is lost in reading. If a base is lost so, the counts differ. Where
links are guarded no other URL may be lost, either; so every `//` of the document has to be a base's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oidproxy.rewrite.scanner import DEPTH_AT_MOST

if TYPE_CHECKING:
    from oidproxy.rewrite.links import Links
    from oidproxy.rewrite.rules import Node, RuleSet

_BACKSLASH = b"\\"
_decode = msgspec.json.decode


class _Unclear(Exception):  # no failure: the scanner knows
    pass


def replaced(document: bytes, rules: RuleSet, links: Links) -> bytes | None:
    """The document with the proxy's links instead of the cloud's; None where the scanner has to be asked.

    `rules` are not those of a version document.
    """
    inside = links.bases.inside
    pieces = inside.split(document)  # what is between, a base, what is between, …
    bases = pieces[1::2]
    if _BACKSLASH in document or (links.guarded and document.count(b"//") != len(bases)):
        return None
    if not bases and not links.guarded:
        return document
    found: list[str] = []
    try:
        _walk(_decode(document), rules.root, found, DEPTH_AT_MOST)
    except (ValueError, RecursionError, _Unclear):
        return None
    # Nothing is escaped, so this is how they stand in the document.
    ours = inside.findall(('"' + '""'.join(found) + '"').encode())
    if len(ours) != len(bases) or (links.guarded and len(ours) != len(found) and _leads_away(found, links)):
        return None
    pieces[1::2] = links.quoted(bases)
    return b"".join(pieces)


def _leads_away(found: list[str], links: Links) -> bool:
    """Whether any of these is a link that has to be replaced, and is none of the cloud's."""
    begins = links.bases.begins.match
    return any(begins(url) is None and links.leads_away(url) for url in map(str.encode, found))


def _walk(value: object, node: Node, found: list[str], deeper: int) -> None:
    """Every text that the rules lead to; in the order of the document."""
    if not deeper:
        raise _Unclear
    if type(value) is list:
        for inside in value:
            if type(inside) is dict or type(inside) is list:
                _walk(inside, node, found, deeper - 1)
        return
    if type(value) is not dict:
        return
    known = node.known
    for name, inside in value.items():
        below = known.get(name) or node.named(name)
        if type(inside) is str:
            if below.link:
                found.append(inside)
        elif below.live:
            _walk(inside, below, found, deeper - 1)

"""Patterns with `*` for any run of characters.

No regular expression: users choose the patterns, and `*a*a*a*b` makes a backtracking matcher slow.
"""

from __future__ import annotations


def matches(pattern: str, name: str) -> bool:
    """Whether the whole name matches; the cost is at most the product of the two lengths."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    last = rest.pop()
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in rest:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True

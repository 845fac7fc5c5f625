"""Replaces links in a JSON document as it streams by: any size, any split, every other byte as it came.

Theory of operation. A document is walked token by token, but only along the keys of its rule set; members,
arrays and objects that hold no link are skipped by a regular expression at a time. What is kept between two
pieces is the place in the rules (one entry per open array or object that still matters), and the unread end
of the last piece. That end is short where it must not be sent yet: the beginning of a string that may turn
out to be a link.

Most pieces hold nothing that looks like a link. Such a piece is passed on at once and walked only when
another one follows (to know the place there), so the last piece of a document, often its only one, costs a
search.

What is not JSON is passed on as it is: a scanner never fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

from oidproxy.rewrite.rules import DEAD, FILLER, GROUP, KEY_AT_MOST, STRING, TEXT, Node, RuleSet

DEPTH_AT_MOST = 64
"""Below this depth nothing is looked at, so that a hostile document cannot make the scanner's state grow."""

_QUOTE, _BACKSLASH = b'"\\'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"
_OPENING = frozenset(b"{[")
_ENDS = 3
"""The group of `Node.next_member` that matches an object's end."""

_FILLER = re.compile(FILLER)
_KEY = re.compile(STRING, re.DOTALL)
_COLON = re.compile(rb"[\s:]*+")
_TEXT = re.compile(TEXT, re.DOTALL)
_SKIPPED = re.compile(FILLER + rb"(?>(?:(?:" + STRING + rb"|" + GROUP + rb")" + FILLER + rb")*)", re.DOTALL)

_Edit = tuple[int, int, bytes]


class Matches(Protocol):
    """What a scanner asks about the strings that its rules lead to."""

    def absent(self, data: bytes) -> bool:
        """Whether a piece surely holds nothing to be replaced, nor the beginning of it."""
        ...

    def match(self, buffer: bytes, start: int) -> tuple[int, bytes] | None:
        """For the string whose first character is at `start`: where what is replaced ends, and by what.

        None if nothing is; the end is negative if the buffer ends before that is known.
        """
        ...


class Scanner:
    """One document on its way. Feed it every piece in order, then call `finish`."""

    __slots__ = (
        "_after",
        "_at",
        "_behind",
        "_below",
        "_buffer",
        "_edits",
        "_links",
        "_mode",
        "_node",
        "_open",
        "_sent",
        "_skipping",
        "_withheld",
    )

    learned: tuple[str, ...] = ()
    """URLs that the document says its service has (only version documents do; see `rewrite.versions`)."""

    def __init__(self, links: Matches, rules: RuleSet) -> None:
        self._links = links
        self._buffer = b""
        """What is not walked yet …"""
        self._sent = 0
        """… of which so many bytes were returned already."""
        self._at = 0
        self._withheld = False
        self._edits: list[_Edit] = []
        self._open: list[tuple[_Mode, Node]] = []
        self._node = rules.root
        self._below = DEAD
        self._skipping = 0
        self._mode: _Mode = Scanner._in_array
        self._after: _Mode = Scanner._in_array
        """The mode behind the string that is being skipped."""
        self._behind: _Mode = Scanner._in_array
        """The mode behind the object or array that is being skipped."""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece and return what can be passed on now."""
        if self._sent == len(self._buffer) and self._links.absent(data):
            if self._buffer:
                self._walk(b"")
            self._buffer += data
            self._sent = len(self._buffer)
            return data
        return self._walk(data)

    def finish(self) -> bytes:
        """The document is over: whatever was held back."""
        rest = self._buffer[self._sent :]
        self._buffer = b""
        self._sent = 0
        return rest

    def _walk(self, data: bytes) -> bytes:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        self._at = 0
        self._withheld = False
        while self._at < len(buffer) and self._mode(self):
            pass
        safe = max(self._sent, self._at if self._withheld else len(buffer))
        sent = self._replaced(safe)
        self._buffer = buffer[self._at :]
        self._sent = safe - self._at
        return sent

    def _replaced(self, until: int) -> bytes:
        if not self._edits:
            return self._buffer[self._sent : until]
        pieces: list[bytes] = []
        at = self._sent
        for start, end, replacement in self._edits:
            pieces += (self._buffer[at:start], replacement)
            at = end
        pieces.append(self._buffer[at:until])
        self._edits.clear()
        return b"".join(pieces)

    # The modes: each reads on from `_at` and says whether it could do anything.

    def _in_object(self) -> bool:
        found = self._node.next_member.match(self._buffer, self._at)
        if found is None:
            return self._in_object_carefully()
        if found.lastindex == _ENDS:
            return self._close(found.end())
        name, opening = found.group(1, 2)
        self._at = found.end() - 1
        self._below = self._node.child(name) if len(name) <= KEY_AT_MOST else DEAD
        return self._value(opening[0])

    def _in_object_carefully(self) -> bool:
        """Where the piece ends too early, or a member is not as most are."""
        buffer = self._buffer
        at = self._at = _end(_FILLER, buffer, self._at)
        if at == len(buffer):
            return False
        if buffer[at] == _QUOTE:
            return self._key()
        return self._close(at + 1) if buffer[at] == _CLOSE_OBJECT else self._give_up()

    def _in_array(self) -> bool:
        """Also around the document itself."""
        buffer = self._buffer
        at = self._at = _end(_FILLER, buffer, self._at)
        if at == len(buffer):
            return False
        byte = buffer[at]
        if byte in _OPENING:
            self._below = self._node
            return self._enter(byte)
        if byte == _QUOTE:
            return self._skip_string(Scanner._in_array)
        return self._close(at + 1) if byte == _CLOSE_ARRAY and self._open else self._give_up()

    def _at_value(self) -> bool:
        at = self._at = _end(_COLON, self._buffer, self._at)
        return at < len(self._buffer) and self._value(self._buffer[at])

    def _in_string(self) -> bool:
        at = self._at = _end(_TEXT, self._buffer, self._at)
        if self._buffer[at : at + 1] != b'"':
            # The end of the piece, or a backslash there whose second half is still to come.
            return False
        self._at = at + 1
        self._mode = self._after
        return True

    def _in_dead(self) -> bool:
        buffer = self._buffer
        at = self._at = _end(_SKIPPED, buffer, self._at)
        if at == len(buffer):
            return False
        byte = buffer[at]
        if byte == _QUOTE:
            return self._skip_string(Scanner._in_dead)
        self._at = at + 1
        self._skipping += 1 if byte in _OPENING else -1
        if self._skipping == 0:
            self._mode = self._behind
        return True

    def _lost(self) -> bool:
        self._at = len(self._buffer)
        return False

    # What the modes do when they have found something.

    def _key(self) -> bool:
        found = _KEY.match(self._buffer, self._at)
        known = len(self._buffer) if found is None else found.end()
        if known - self._at > KEY_AT_MOST + 2:
            self._below = DEAD
            return self._skip_string(Scanner._at_value)
        if found is None:
            return False
        self._below = self._node.child(_name(found[0]))
        self._at = found.end()
        self._mode = Scanner._at_value
        return True

    def _value(self, byte: int) -> bool:
        """A member's value begins with this byte."""
        if byte == _QUOTE:
            return self._link() if self._below.link else self._skip_string(Scanner._in_object)
        self._mode = Scanner._in_object
        return self._enter(byte) if byte in _OPENING else True

    def _link(self) -> bool:
        start = self._at + 1
        if self._at < self._sent:
            return self._skip_string(Scanner._in_object)
        match = self._links.match(self._buffer, start)
        if match is None:
            return self._skip_string(Scanner._in_object)
        end, replacement = match
        if end < 0:
            self._mode = Scanner._at_value
            self._withheld = True
            return False
        self._edits.append((start, end, replacement))
        self._at = end
        self._after = Scanner._in_object
        self._mode = Scanner._in_string
        return self._in_string()

    def _skip_string(self, after: _Mode) -> bool:
        self._at += 1
        self._after = after
        self._mode = Scanner._in_string
        return True

    def _enter(self, byte: int) -> bool:
        """An object or array opens; `_below` is its place in the rules."""
        self._at += 1
        if not self._below.live or len(self._open) >= DEPTH_AT_MOST:
            self._behind = self._mode
            self._mode = Scanner._in_dead
            self._skipping = 1
            return True
        self._open.append((self._mode, self._node))
        self._node = self._below
        self._mode = Scanner._in_object if byte == _OPEN_OBJECT else Scanner._in_array
        return True

    def _close(self, end: int) -> bool:
        self._at = end
        self._mode, self._node = self._open.pop()
        return True

    def _give_up(self) -> bool:
        self._mode = Scanner._lost
        return True


_Mode = Callable[[Scanner], bool]


def _end(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    found = pattern.match(buffer, at)
    return at if found is None else found.end()


def _name(quoted: bytes) -> bytes:
    if _BACKSLASH not in quoted:
        return quoted[1:-1]
    try:
        return str(json.loads(quoted, strict=False)).encode("utf-8", "surrogatepass")
    except ValueError:
        return b""

"""What has been read before: a memo of bounded size, since anybody may choose what is put into it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Values by the bytes they were read from; once all keys weigh more than `most` bytes, the oldest go."""

    def __init__(self, most: int) -> None:
        self._entries: dict[bytes, Value] = {}
        self._most = most
        self._weight = 0
        self._lock = Lock()
        self.get: Callable[[bytes], Value | None] = self._entries.get
        """The value of a key, or None. The dictionary's own method, since every request comes here."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: bytes, value: Value) -> None:
        """Remember a value; several threads may do so."""
        with self._lock:
            if key not in self._entries:
                self._weight += len(key)
            self._entries[key] = value
            while self._weight > self._most:
                oldest = next(iter(self._entries))
                del self._entries[oldest]
                self._weight -= len(oldest)

"""Resources of one kind, by id: documents that are replaced, never changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.sim.messages import Document


class Table:
    """In order of creation. `missing` words the 404 of an unknown id and may hold `%s`."""

    def __init__(self, missing: str, kind: str = "") -> None:
        self._missing = missing
        self._kind = kind
        self._rows: dict[str, Document] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, identity: object) -> bool:
        return identity in self._rows

    def add(self, document: Document) -> Document:
        """A new resource, under its `id`."""
        self._rows[document["id"]] = document
        return document

    def get(self, identity: str) -> Document:
        """A resource; ApiError 404 when there is none."""
        try:
            return self._rows[identity]
        except KeyError:
            raise self.missing(identity) from None

    def missing(self, identity: str) -> ApiError:
        """The error for an unknown id."""
        message = self._missing % identity if "%s" in self._missing else self._missing
        return ApiError(404, message, kind=self._kind)

    def find(self, **equal: object) -> Document | None:
        """The first resource with these values."""
        return next(iter(self.where(**equal)), None)

    def where(self, **equal: object) -> list[Document]:
        """Every resource with these values."""
        return [row for row in self if all(row.get(key) == value for key, value in equal.items())]

    def change(self, identity: str, **values: Any) -> Document:
        """Replace some values of a resource."""
        return self.add({**self.get(identity), **values})

    def remove(self, identity: str) -> Document:
        """Forget a resource."""
        document = self.get(identity)
        del self._rows[identity]
        return document

"""What became of each cloud that a request concerned: for the answer's fields, and for who asks later."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from oidproxy.routing.why import written_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.plan import One
    from oidproxy.errors import OidproxyError
    from oidproxy.http.head import Field

NAMES_AT_MOST = 1024
"""Bytes of names in a field."""

SAFE = '*@/()|&:,+-._~"<>= '
"""What of a name stands in a field as it is; the rest is percent-encoded."""


def name_of(one: One) -> str:
    """A cloud as a scope names it: `cloud-1`, `cloud-1/RegionTwo`, `"New York"`."""
    return written_plan(one)


@dataclass(slots=True)
class Record:
    """Filled in as a request goes on. Names are those of scopes; reasons are safe to be shown."""

    ok: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Name -> why there is nothing, or not everything, of it."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Name -> why it was not asked."""
    unnamed: int = 0
    """Clouds of a set that were not asked because they do not admit the user, who need not know of them."""
    disordered: tuple[str, ...] = ()
    """Whose rows came in another order than was asked for."""

    def fail(self, name: str, error: OidproxyError | str) -> None:
        """A cloud of which something is missing."""
        self.failed[name] = error if isinstance(error, str) else error.message

    @property
    def told(self) -> bool:
        """Whether it says anything."""
        return bool(self.ok or self.failed or self.skipped)

    @property
    def partial(self) -> bool:
        """Whether something is missing that was asked for."""
        return bool(self.failed)

    def fields(self) -> tuple[Field, ...]:
        """X-Scope-Clouds, X-Scope-Partial and X-Scope-Order."""
        skipped = _names(self.skipped, self.unnamed)
        said = f"ok={len(self.ok)};failed={_names(self.failed)};skipped={skipped}"
        found = [(b"X-Scope-Clouds", said.encode("ascii"))]
        if self.partial:
            found.append((b"X-Scope-Partial", b"true"))
        if self.disordered:
            found.append((b"X-Scope-Order", _names(self.disordered).encode("ascii")))
        return tuple(found)

    def document(self) -> bytes:
        """All of it, as JSON."""
        told = {
            "ok": self.ok,
            "failed": self.failed,
            "skipped": self.skipped,
            "not_admitted": self.unnamed,
            "disordered": self.disordered,
        }
        return json.dumps(told).encode()


def _names(names: Iterable[str], more: int = 0) -> str:
    """As many names as fit, and the number of the others behind a plus; just the number where none is."""
    shown: list[str] = []
    size = 0
    for name in names:
        text = quote(name, safe=SAFE)
        size += len(text) + 1
        if size > NAMES_AT_MOST or more < 0:
            more += 1
            continue
        shown.append(text)
    if not shown:
        return str(more)
    return ",".join([*shown, f"+{more}"] if more else shown)

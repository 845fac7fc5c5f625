"""Who a token is, as its home's Keystone said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oidproxy.tokens.lifetime import ends
from oidproxy.tokens.trust import SERVICE_ROLE, roles_of


@dataclass(frozen=True, slots=True)
class Subject:
    """One token, understood by its home."""

    home: str
    token: Mapping[str, object] = field(repr=False)
    """What Keystone says of it (`token` of its answer), without the catalog."""
    expires: int
    """Seconds since the epoch."""
    seen: float
    """When its home said so; seconds since the epoch."""

    @property
    def user_id(self) -> str:
        """The user's id at home."""
        return _text(self.token.get("user"), "id")

    @property
    def user_name(self) -> str:
        """The user's name at home."""
        return _text(self.token.get("user"), "name")

    @property
    def project_id(self) -> str | None:
        """The project's id at home; None for a token of another kind."""
        return _text(self.token.get("project"), "id") or None

    @property
    def roles(self) -> frozenset[str]:
        """The names of its roles at home."""
        return roles_of(self.token)

    @property
    def serves(self) -> bool:
        """Whether its home calls it a service."""
        return SERVICE_ROLE in self.roles

    @property
    def chain(self) -> str | None:
        """The audit id shared by all tokens that were made from one another: they are revoked together."""
        ids = self.token.get("audit_ids")
        return ids[-1] if isinstance(ids, list) and ids and isinstance(ids[-1], str) else None


def subject(home: str, token: Mapping[str, object], seen: float) -> Subject:
    """The subject of this answer of its home; ValueError if the answer has no end."""
    told = {key: value for key, value in token.items() if key != "catalog"}
    return Subject(home, told, ends(token), seen)


def _text(holder: object, key: str) -> str:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return value if isinstance(value, str) else ""

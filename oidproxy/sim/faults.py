"""The one exception that a simulated service's code raises to answer with an error."""

from __future__ import annotations

from http import HTTPStatus


class ApiError(Exception):
    """An error answer: its status, its message, and `kind` where the service's errors have one (Neutron's
    type)."""

    def __init__(
        self, status: int, message: str = "", *, kind: str = "", fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or title(status)
        self.kind = kind
        self.fields = fields


def title(status: int) -> str:
    """The reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

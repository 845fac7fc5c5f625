"""What was found wrong or doubtful while a configuration is read, each with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from oidproxy.clouds.document import Document, Path, Place
from oidproxy.errors import ConfigError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

UNKNOWN = Place()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that an operator should know of, though the configuration can be used."""

    message: str
    file: str = ""
    place: Place = UNKNOWN

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.place.line, self.place.column) if part)
        return f"{where}: {self.message}" if where else self.message


class Findings:
    """Gathers errors and notices about one document, so that all of them can be shown at once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[ConfigError] = list(document.problems)
        self._settled = {(problem.line, problem.column) for problem in document.problems}
        self.notices: list[Notice] = []

    def wrong(
        self,
        path: Path,
        message: str,
        *,
        key: bool = False,
        offset: int = 0,
        suggestion: str | None = None,
    ) -> None:
        """The value at `path` (its key, with `key`) cannot be used.

        A value whose text is wrong by itself (a reference that leads nowhere) is not judged a second time.
        What a reference brings is not shown: it may be a secret.
        """
        place = self.document.place(path, key=key, offset=offset)
        if (place.line, place.column) in self._settled:
            return
        if self.document.place(path, key=key) in self.document.referred:
            message, suggestion = _without_value(message), None
        self.errors.append(
            ConfigError(
                message,
                file=self.document.file,
                line=place.line,
                column=place.column,
                suggestion=suggestion,
            )
        )

    def wrong_scope(self, path: Path, error: ScopeError) -> None:
        """A scope text at `path` that cannot be read: points into the text."""
        offset = error.column - 1 if error.line == 1 else 0
        self.wrong(path, error.message, offset=offset, suggestion=error.suggestion)

    def doubtful(self, path: Path, message: str, *, key: bool = False) -> None:
        """The value at `path` is used, but the operator should know this."""
        self.notices.append(Notice(message, self.document.file, self.document.place(path, key=key)))

    def read(self, path: Path, reader: Callable[[str], T], text: str) -> T | None:
        """What `reader` makes of a text; None, and an error at `path`, if it raises ValueError."""
        try:
            return reader(text)
        except ValueError as error:
            self.wrong(path, str(error))
            return None

    def raise_errors(self) -> None:
        """Raise everything that is wrong as one ConfigError, in the file's order; nothing if nothing is."""
        if self.errors:
            raise together(self.errors)


def _without_value(message: str) -> str:
    """What may be said of a value that must not be shown."""
    expected = message.partition(", got ")[0]
    hint = expected if expected.startswith("expected ") else "this cannot be used here"
    return f"{hint}; the value comes from a reference and is not shown"


def together(errors: Iterable[ConfigError]) -> ConfigError:
    """One error that carries them all, in the file's order, each once."""
    ordered = sorted(errors, key=lambda error: (error.line, error.column))
    first, *others = {str(error): error for error in ordered}.values()
    first.also = tuple(others)
    return first

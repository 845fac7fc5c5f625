"""Where the parser stopped: what stands there, and what could have stood there, in words that people use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from oidproxy.scope.position import refusal

if TYPE_CHECKING:
    from oidproxy.errors import ScopeError

_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"?|[\w.*-]+|\|\||\S', re.DOTALL)
_WORD = re.compile(r"[\w.*-]+")

_NOUNS = {
    ";": "a service",
    ",": "a service",
    "+": "a service",
    "@": "a group",
    "/": "a region",
    "(": "a place",
}
"""What a name is that stands after this, where no expression may stand."""

_WORDS = (
    ("INT", "a number such as 2"),
    ("DURATION", "a duration such as 10ms"),
    ("AT", '"@"'),
    ("LPAR", '"("'),
    ("_AROUND", '"around("'),
    ("_NEAREST", '"nearest("'),
    ("_ANY", '"any("'),
    ("NOT", '"not("'),
    ("COLON", '":"'),
    ("PLUS", '"+"'),
    ("SLASH", '"/"'),
    ("AMPERSAND", '"&"'),
    ("VBAR", '"|"'),
    ("PERCENT", '"%"'),
    ("SEMICOLON", '";"'),
    ("COMMA", '","'),
    ("RPAR", '")"'),
    ("MORETHAN", '">"'),
    ("RBRACE", '"}"'),
    ("$END", "the end"),
)
"""What people call a terminal, in the order of telling. Lark names those that the grammar does not."""


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A piece of text between blanks and marks: a whole word, a quoted name, or one mark."""

    text: str = ""
    start: int = 0

    @property
    def is_word(self) -> bool:
        """Whether it is made of letters, digits and what else a name or glob holds."""
        return _WORD.fullmatch(self.text) is not None

    @property
    def is_quoted(self) -> bool:
        """Whether it begins with a quote, closed or not."""
        return self.text.startswith('"')

    @property
    def end(self) -> int:
        """The offset after its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The place where the parser stopped."""

    text: str
    offset: int
    accepts: frozenset[str]
    """The terminals that the parser would have taken."""
    before: Lexeme
    """What stands before; empty at the beginning."""
    here: Lexeme
    """What the parser stopped at, or inside of; empty at the end."""

    @property
    def may_bind(self) -> bool:
        """Whether a service could stand here as well as an expression: only where a text begins."""
        return "LESSTHAN" in self.accepts or self.before.text in {"<", "{"}

    @property
    def noun(self) -> str:
        """What a name would be that stood here, where no expression may stand."""
        return _NOUNS.get(self.before.text, "a name")

    def takes(self, *terminals: str) -> bool:
        """Whether the parser would have taken each of these."""
        return self.accepts.issuperset(terminals)

    def expected(self) -> tuple[str, ...]:
        """What could have stood here, in words."""
        words = [word for name, word in _WORDS if name in self.accepts]
        if self.takes("SEMICOLON", "COMMA"):
            words.remove('","')
        return (*self._names(), *words)

    def refuse(
        self,
        message: str,
        *,
        at: int | None = None,
        expected: tuple[str, ...] | None = None,
        suggestion: str | None = None,
    ) -> ScopeError:
        """The error; it stands where the parser stopped, unless told otherwise."""
        words = self.expected() if expected is None else expected
        offset = self.offset if at is None else at
        return refusal(self.text, offset, message, expected=words, suggestion=suggestion)

    def _names(self) -> tuple[str, ...]:
        if not self.takes("NAME"):
            return ()
        if self.takes("GLOB"):
            return ("a service", "a cloud") if self.may_bind else ("a cloud",)
        return (self.noun, '"*"') if self.takes("STAR") else (self.noun,)


def trouble(text: str, failure: UnexpectedCharacters | UnexpectedToken) -> Trouble:
    """What stood where the parser stopped."""
    lexemes = [Lexeme(found[0], found.start()) for found in _LEXEME.finditer(text)]
    offset = _offset(text, failure)
    before = [lexeme for lexeme in lexemes if lexeme.end <= offset]
    here = next((lexeme for lexeme in lexemes if lexeme.start <= offset < lexeme.end), Lexeme("", offset))
    accepts: frozenset[str] = frozenset(failure.interactive_parser.accepts())  # type: ignore[no-untyped-call]
    return Trouble(text, offset, accepts, before[-1] if before else Lexeme(), here)


def _offset(text: str, failure: UnexpectedCharacters | UnexpectedToken) -> int:
    # Lark's end has the place of the last token.
    ended = isinstance(failure, UnexpectedToken) and failure.token.type == "$END"
    return len(text.rstrip()) if ended else failure.pos_in_stream or 0

"""What imports miss and make up, in words for people."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "token": "no token: a replay signs in as whoever it is given",
        "user": "no user: all are taken for one",
        "request_body": "no request body: a replay makes one up, where the API says what is needed",
        "answer_body": "no answer: which id was made is not known, a replay's own stands for it",
        "bytes_in": "no size of the request, taken for 0",
        "bytes_out": "no size of the answer, taken for 0",
        "status": "no status: a replay has nothing to compare with",
        "method": "no method, taken for GET",
        "service": "no service: guessed from the path",
        "gap": "no time: requests stand at equal distances",
        "made": "ids that were made, not told by the answer",
    }
)


def told(made_up: Mapping[str, int], lines: int) -> Iterator[str]:
    """A line for each thing."""
    for name, count in sorted(made_up.items(), key=lambda item: (-item[1], item[0])):
        share = "all" if count == lines else f"{count:,} of {lines:,}"
        yield f"  {share}: {WORDS.get(name, name)}"

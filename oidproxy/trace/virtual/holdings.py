"""What the clouds of one run hold: what was made where, and what is gone.

What the trace uses and does not make was there before, in every cloud: else a what-if that sends requests
elsewhere would find nothing there.
"""

from __future__ import annotations

from hashlib import blake2b


class Holdings:
    """Of all clouds. Ids of what is made depend on the trace's id and on the cloud alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: dict[str, str] = {}
        self._gone: set[tuple[str, str]] = set()

    def make(self, cloud: str, recorded: str) -> str:
        """The id that this cloud gives to what the trace calls so."""
        text = f"{self._seed}/{cloud}/{recorded}".encode()
        made = _like(recorded, blake2b(text, digest_size=16).hexdigest())
        self._made[made] = cloud
        return made

    def drop(self, cloud: str, identity: str) -> None:
        """It is deleted there."""
        self._gone.add((cloud, identity))

    def elsewhere(self, cloud: str, identity: str) -> bool:
        """Whether another cloud made this, and not this one."""
        return self._made.get(identity, cloud) != cloud

    def gone(self, cloud: str, identity: str) -> bool:
        """Whether it was deleted there."""
        return (cloud, identity) in self._gone


def _like(recorded: str, digits: str) -> str:
    """32 hexadecimal digits in the form of a recorded id."""
    if "-" not in recorded:
        return digits
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:]))

"""When to leave an endpoint alone: after failures in a row, for longer each time, until a probe succeeds.

What counts as a gateway failure is the caller's knowledge; time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits


class Ejection:
    """The state of one endpoint: in use, ejected until a time, or half-open with one probe at most."""

    __slots__ = ("_after", "_at_most", "_for", "_probe_until", "_since", "failures", "times", "until")

    def __init__(self, limits: Limits) -> None:
        self.failures = 0
        """In a row."""
        self.times = 0
        """How often it was ejected lately; each quiet period as long as the first ejection takes one off."""
        self.until = 0.0
        """When it may be tried again; 0 while in use."""
        self._since = 0.0
        self._probe_until = 0.0
        self.configure(limits)

    def configure(self, limits: Limits) -> None:
        """Go by these limits from now on."""
        self._after = limits.eject_after
        self._for = limits.eject_for
        self._at_most = limits.eject_at_most

    @property
    def untroubled(self) -> bool:
        """Whether nothing happened lately; the common case, asked on every answer."""
        return not self.failures and not self.until

    def forgettable(self, now: float) -> bool:
        """Whether a new state would be the same."""
        return self.untroubled and now - self._since >= self.times * self._for

    def wait(self, now: float) -> float:
        """Seconds to keep away; 0 lets a call go."""
        if not self.until:
            return 0.0
        if now < self.until:
            return self.until - now
        return max(0.0, self._probe_until - now)

    def begin(self, now: float) -> bool:
        """A call goes. Whether it is the probe, whose end must be told."""
        if not self.until:
            return False
        # A probe may be an upload of hours: others need not wait for it for ever.
        self._probe_until = now + self._for
        return True

    def succeeded(self, now: float, *, probe: bool) -> None:
        """The endpoint answered a call; one begun before the ejection proves nothing of new connections."""
        if self.until and not probe:
            return
        if self.until:
            self._since = now
        self.failures = 0
        self.until = self._probe_until = 0.0

    def failed(self, now: float, *, probe: bool) -> bool:
        """A gateway failure. Whether the endpoint is ejected by it."""
        if self.until and not probe:
            return False
        self.failures += 1
        if not probe and self.failures < self._after:
            return False
        if not probe:
            self.times = max(0, self.times - int((now - self._since) / self._for))
        self.times += 1
        self.until = now + min(self._for * self.times, self._at_most)
        self._probe_until = 0.0
        return True

    def withdrawn(self) -> None:
        """The probe ended without saying anything about the endpoint: another may go."""
        self._probe_until = 0.0

"""Microversions: which one a request asks for, and how the answer says which one it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from oidproxy.sim.messages import Fields, Request

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Microversions:
    """The range of one service. `name` is what stands before the number in `OpenStack-API-Version`."""

    name: str
    minimum: Version
    maximum: Version
    legacy_field: str = ""
    """Nova's own older field."""

    def negotiate(self, request: Request) -> Version:
        """The version of this request; 400 or 406 as the microversion specification says."""
        asked = self._asked(request)
        if not asked:
            return self.minimum
        if asked == "latest":
            return self.maximum
        version = _parse(asked)
        if not self.minimum <= version <= self.maximum:
            raise ApiError(
                406,
                f"Version {asked} is not supported by the API. Minimum is {text(self.minimum)} and "
                f"maximum is {text(self.maximum)}.",
            )
        return version

    def _asked(self, request: Request) -> str:
        for part in request.field("openstack-api-version").split(","):
            name, _, version = part.strip().partition(" ")
            if name == self.name and version:
                return version.strip()
        return request.field(self.legacy_field.lower()) if self.legacy_field else ""

    def fields(self, version: Version) -> Fields:
        """What the answer says of its version."""
        fields: Fields = (("OpenStack-API-Version", f"{self.name} {text(version)}"),)
        if self.legacy_field:
            fields += ((self.legacy_field, text(version)),)
        return (*fields, ("Vary", ", ".join(name for name, _ in fields)))


def text(version: Version) -> str:
    """A version as it is written."""
    return f"{version[0]}.{version[1]}"


def _parse(asked: str) -> Version:
    major, _, minor = asked.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise ApiError(
            400, f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    return int(major), int(minor)

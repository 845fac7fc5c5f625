"""Ids that a cloud knows by other names than its client does: where they stand, and how they are exchanged.

After an exchange of tokens a user works in another project than at home, with an id of its own there
(identity.md, Gateway). Both ways, whole values of known keys are replaced, and whole segments of URLs: an id
is random enough that the same text anywhere there is the same project.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from oidproxy.rewrite.links import UNDECIDED
from oidproxy.rewrite.rules import RuleSet
from oidproxy.rewrite.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oidproxy.rewrite.links import Links

_NEVER = re.compile(rb"(?!)")

LOOKED_AT = 2048
"""Bytes of a string that are looked at: a link with an id further behind is nobody's."""

_KEYS = (
    "project_id",
    "tenant_id",
    "os-vol-tenant-attr:tenant_id",
    "os-extended-snapshot-attributes:project_id",
    "owner",
)
_QUERY_KEYS = (b"project_id", b"tenant_id", b"owner")
PROJECTS = (*_KEYS, *(f"*/{key}" for key in _KEYS), "*/*/project_id", "*/*/tenant_id")
"""Where project ids stand in a document: at its top, in the resource or the list of resources there, and in
what belongs to it (a security group's rules)."""

_MEMBERS = ("member", "member_id", "members/member_id")
_SEGMENTS_BEFORE = frozenset(
    {b"auto-allocated-topology", b"os-quota-sets", b"os-simple-tenant-usage", b"quotas", b"quota-sets"}
)
"""What a path names projects behind: Neutron, Nova and Cinder, Nova, Neutron, Manila."""

_VERSION = re.compile(rb"v\d[^/]*")
_ACCOUNT = re.compile(rb"(?:[A-Za-z]+_)?")
"""What Swift and Ceph put before the project in the name of its account (`AUTH_`)."""

_IMAGES = re.compile(rb"/v\d[^/]*/(?:images(?:/[^/]+(?:/members(?:/[^/]+)?)?)?|tasks(?:/[^/]+)?)/*\Z")
_QUOTAS = re.compile(rb".*/(?:os-)?quota[a-z_-]*(?:/|\Z)")
_QUOTA_PATHS = (*PROJECTS, "*/id")
"""A set of quotas has its project's id for its own (Nova and Cinder, `quota_set`)."""

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IMAGE_SEGMENT = re.compile(rb"(?<=images/)" + _UUID.pattern + rb"(?=[/?&#\\]|\Z)")
_DATA = re.compile(rb".*/(?:payload|template|environment|files|outputs|metadata|software_configs)(?:/|\Z)")
_OPAQUE = frozenset({"object-store", "identity"})


@dataclass(frozen=True, slots=True)
class Ids:
    """Which id stands for which, in one direction, and the paths of keys that hold them."""

    names: Mapping[bytes, bytes]
    paths: tuple[str, ...]
    images: Callable[[str], str | None] | None = None
    """What tells for the id of an image which one stands for it; None: it stays."""

    def __bool__(self) -> bool:
        """Whether there is anything to exchange."""
        return bool(self.names) or self.images is not None

    def with_images(self, images: Callable[[str], str | None], paths: tuple[str, ...]) -> Ids:
        """And these ids of images, below further paths."""
        return Ids(self.names, tuple(dict.fromkeys((*self.paths, *paths))), images)


NO_IDS = Ids({}, ())


def projects(of: str, to: str, service_type: str, rest: bytes) -> Ids:
    """Project `of` is called `to`: in documents below this path of this service."""
    paths = project_paths(service_type, rest)
    return Ids({of.encode("latin-1"): to.encode("latin-1")}, paths) if paths and of != to else NO_IDS


def project_paths(service_type: str, rest: bytes) -> tuple[str, ...]:
    """Where project ids stand in the documents of this path; nowhere in users' data."""
    if service_type in _OPAQUE:
        return ()
    if service_type == "image":
        return (*PROJECTS, *_MEMBERS) if _IMAGES.match(rest) else ()
    if service_type in {"key-manager", "orchestration"} and _DATA.match(rest):
        return ()
    return _QUOTA_PATHS if _QUOTAS.match(rest) else PROJECTS


def in_target(target: bytes, of: str, to: str, service_type: str) -> bytes:
    """A request's target with its project replaced where paths and queries name projects.

    That is behind the version (Cinder answers 400 to a project there that is not the token's) and behind what
    lists projects. Elsewhere the same text is a user's: the name of a tag, or of an object.
    """
    old, new = of.encode("latin-1"), to.encode("latin-1")
    path, mark, query = target.partition(b"?")
    segments = path.split(b"/")
    for place in _project_segments(segments, old, service_type):
        segments[place] = segments[place].removesuffix(old) + new
    if service_type == "object-store":
        return b"/".join(segments) + mark + query
    pairs = (_pair(pair, old, new) for pair in query.split(b"&"))
    return b"/".join(segments) + mark + b"&".join(pairs)


def _project_segments(segments: list[bytes], project: bytes, service_type: str) -> Iterator[int]:
    version = next((place for place, one in enumerate(segments) if _VERSION.fullmatch(one)), None)
    if version is None:
        return
    for place in range(version + 1, len(segments)):
        before, own = segments[place - 1], segments[place]
        if service_type == "object-store":
            if (
                place == version + 1
                and own.endswith(project)
                and _ACCOUNT.fullmatch(own.removesuffix(project))
            ):
                yield place
        elif own == project and (
            place == version + 1
            or before in _SEGMENTS_BEFORE
            or (service_type == "image" and before == b"members" and place == version + 4)
        ):
            yield place


def in_body(body: bytes, ids: Ids) -> bytes:
    """A request's JSON body with these ids replaced; every other byte stays, and what is no JSON at all."""
    if not any(name in body for name in ids.names):
        return body
    scanner = Scanner(Replacing(ids), rules(ids.paths))
    return scanner.feed(body) + scanner.finish()


@lru_cache(maxsize=256)
def rules(paths: tuple[str, ...]) -> RuleSet:
    """The rule set of these paths, made once."""
    return RuleSet.of(*paths)


def _pair(pair: bytes, old: bytes, new: bytes) -> bytes:
    key, equals, value = pair.partition(b"=")
    return key + equals + new if value == old and key in _QUERY_KEYS else pair


class Replacing:
    """What a scanner asks: whether a string is one of these ids, or a link with one in it."""

    __slots__ = ("_images", "_inner", "_names", "_segments")

    def __init__(self, ids: Ids, links: Links | None = None) -> None:
        """`links` are rewritten as they were without ids, and looked at afterwards."""
        self._images = ids.images
        self._names = dict(ids.names)
        self._inner = links
        self._segments = _segments(ids.names)

    def absent(self, data: bytes) -> bool:  # noqa: ARG002 - every piece is walked
        """Never: an id may begin anywhere."""
        return False

    def match(self, buffer: bytes, start: int) -> tuple[int, bytes] | None:
        """As `Links.match`: the end of what is replaced, and by what."""
        end = buffer.find(b'"', start, start + LOOKED_AT)
        if end < 0 and len(buffer) < start + LOOKED_AT:
            return UNDECIDED
        end = end if end >= 0 else start + LOOKED_AT
        text = buffer[start:end]
        other = self._other(text)
        if other is not None:
            return end, other
        known = self._inner.match(buffer, start) if self._inner is not None else None
        if known is not None and known[0] < 0:
            return known
        cut, put = known if known is not None else (start, b"")
        rest = buffer[cut:end]
        # What ends with a backslash goes on behind an escaped quote.
        if b"/" not in text or text.endswith(b"\\"):
            return known
        url = self.in_url(rest)
        return known if url == rest else (end, put + url)

    def in_url(self, url: bytes) -> bytes:
        """The end of a URL with the ids in it replaced."""
        if any(name in url for name in self._names):
            url = self._segments.sub(lambda found: self._names[found[0]], url)
        if self._images is not None:
            url = _IMAGE_SEGMENT.sub(lambda found: self._other(found[0]) or found[0], url)
        return url

    def _other(self, text: bytes) -> bytes | None:
        """What stands for this text, if it is an id."""
        if text in self._names:
            return self._names[text]
        if self._images is None or not _UUID.fullmatch(text):
            return None
        image = self._images(text.decode("ascii"))
        return None if image is None else image.encode("ascii")


def _segments(names: Iterable[bytes]) -> re.Pattern[bytes]:
    """Any of these names as a whole segment, or a whole value in a query."""
    if not names:
        return _NEVER
    either = b"|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rb"(?<=[/=])(?:" + either + rb")(?=[/?&#\\]|\Z)")

"""Lines of traces for tests, with what does not matter filled in."""

from __future__ import annotations

from itertools import count

from oidproxy.trace.line import SCHEMA_VERSION, Header, Line
from oidproxy.trace.writing import TraceWriter

MILLISECOND = 1_000_000


def line(method="GET", path="/v2.1/servers", **more) -> Line:
    told = {"n": 0, "at": 0, "service": "compute", "status": 200, "user": "u1", "template": path, **more}
    return Line(method=method, path=path, **told)


def numbered(lines) -> list[Line]:
    """In their order, a millisecond apart."""
    import msgspec

    return [
        msgspec.structs.replace(one, n=n, at=one.at or n * MILLISECOND)
        for n, one in zip(count(), lines, strict=False)
    ]


def write(path, lines):
    header = Header(oidproxy_trace=SCHEMA_VERSION, began="2026-01-01T00:00:00Z", source="synthesized")
    with TraceWriter(path, header) as writer:
        for one in lines:
            writer.add(one)
    return path


def uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"

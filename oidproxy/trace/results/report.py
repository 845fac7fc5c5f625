"""The page of a result: one file of HTML that needs no network, to be read by people."""

from __future__ import annotations

import base64
import shlex
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from oidproxy.trace.results.manifest import Manifest

ROWS = 200
"""Of a table on the page; all of it is in summary.json."""

CAPTIONS = {
    "latency": "How many of the requests were answered within how many milliseconds. Time counts from when a "
    "request was intended to be sent: what waits behind a slow answer is late itself.",
    "timeline": "Requests intended and answered per second, and the latency of those intended in each part.",
    "errors": "What went wrong, by the time for which it was intended.",
    "moved": "Bytes of requests and answers that went from one cloud to another on behalf of users.",
}

MADE_UP = {
    "at": "times at which requests came",
    "service": "services that requests went to",
    "body": "bodies of requests, of the least that the API takes",
    "data": "uploaded data: as many bytes, of other content",
    "id": "ids of what was there before the trace began: something of the same kind was taken",
    "made": "which request made an id: told from the order",
    "secret": "passwords and other secrets that a trace never has",
    "token": "tokens: every user of the trace signed in anew",
    "version": "versions of APIs that are gone: what took their place was asked",
    "user": "users: the trace does not tell one from another",
}

_STYLE = """
:root { color-scheme: light dark; --line: #d5d9de; --soft: #5d6670; --warn: #fff3d6; --ink: #1c2126;
  --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3b424a; --soft: #a3adb7; --warn: #4a3a10; --ink: #e6e9ec; --page: #16191d; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p { max-width: 50rem; } .soft, figcaption { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; } .text { text-align: left; }
.told { white-space: normal; text-align: left; }
.warn { background: var(--warn); padding: .6rem .9rem; border-radius: 6px; }
.figures { display: flex; flex-wrap: wrap; gap: 1.8rem; margin: 1.2rem 0; }
.figures b { display: block; font-size: 1.45rem; font-weight: 600; }
figure { margin: 1rem 0; } figure img { max-width: 100%; background: #fff; border-radius: 6px; }
code { font-size: 13px; overflow-wrap: anywhere; }
"""


def page(manifest: Manifest, found: Mapping[str, Any], plots: Sequence[Path]) -> str:
    """The whole page; `found` is the summary."""
    parts = [
        f"<h1>Replay of {escape(manifest.trace or 'a trace')}</h1>",
        f"<p class=soft>{escape(_when(manifest))}</p>",
        *_warnings(manifest, found),
        _figures(found),
        *map(_picture, plots),
        *_services(found),
        *_statuses(found),
        *_not_sent(found),
        *_made_up(found),
        *_provenance(manifest),
    ]
    return html(f"{manifest.trace or 'Replay'} - oidproxy", parts)


def html(title: str, parts: Iterable[str]) -> str:
    """A page of these parts, which may load nothing."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def picture(path: Path, caption: str) -> str:
    """A picture as part of a page."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1) -> str:
    """A table; its first columns are text, the others numbers."""

    def cell(tag: str, at: int, value: object) -> str:
        kind = " class=text" if at < texts else ""
        return f"<{tag}{kind}>{escape(number(value))}</{tag}>"

    head = "".join(cell("th", at, one) for at, one in enumerate(headings))
    body = "\n".join(
        "<tr>" + "".join(cell("td", at, one) for at, one in enumerate(row)) + "</tr>" for row in rows
    )
    return f"<div class=wide><table><tr>{head}</tr>\n{body}</table></div>"


def number(value: object) -> str:
    """As people read it: `12,345`, `0.42`."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _when(manifest: Manifest) -> str:
    if manifest.kind == "virtual":
        return f"In virtual time, seed {manifest.seed}."
    return f"In real time, begun {manifest.began or 'at a time not told'}."


def _warnings(manifest: Manifest, found: Mapping[str, Any]) -> Iterator[str]:
    for why in found["saturated"]:
        yield (
            f"<p class=warn><b>The sender was saturated:</b> {escape(why)}. Latencies hold what the sender "
            "itself was late, and say less about the clouds. Use <code>--workers</code>, a lower "
            "<code>--speed</code>, or a quieter machine.</p>"
        )
    if found["unmatched"]:
        share = 100 * found["unmatched"] / max(found["requests"], 1)
        yield (
            f"<p class=warn><b>{found['unmatched']:,} requests ({share:.2g} %) were not sent</b>, because "
            "something that they name has no counterpart here; see below.</p>"
        )
    if found["errors"].get("stopped"):
        yield (
            "<p class=warn><b>This replay was stopped</b> before its end; <code>--resume</code> goes on.</p>"
        )
    for note in manifest.notes:
        yield f"<p class=soft>{escape(note)}</p>"


def _figures(found: Mapping[str, Any]) -> str:
    latency = found["latency_ms"]
    told = {
        "requests": number(found["sent"]),
        "requests/s": number(found["rate"]),
        "failed": _share(found["failed"], found["sent"]),
        "other status than recorded": _share(found["other_status"], found["sent"]),
        "median": _ms(latency.get("p50")),
        "p95": _ms(latency.get("p95")),
        "p99": _ms(latency.get("p99")),
        "longest": _ms(latency.get("max")),
        "send lag, p99": _ms(found["lag_ms"].get("p99")),
    }
    return (
        "<div class=figures>"
        + "".join(f"<div><b>{one}</b>{escape(name)}</div>" for name, one in told.items())
        + "</div>"
    )


def _share(count: int, of: int) -> str:
    return f"{count:,}" + (f" ({100 * count / of:.2g} %)" if count else "")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{number(value)} ms"


def _picture(path: Path) -> str:
    return picture(path, CAPTIONS[path.stem])


def _services(found: Mapping[str, Any]) -> Iterator[str]:
    headings = ("requests", "failed", "other status", "median ms", "p95 ms", "p99 ms", "longest ms")
    for title, key, fields in (
        ("By service and cloud", "services", ("service", "cloud")),
        ("By request", "templates", ("service", "method", "template", "cloud")),
    ):
        rows = found[key]
        if not rows:
            continue
        yield f"<h2>{title}</h2>"
        most = sorted(rows, key=lambda row: -row["requests"])[:ROWS]
        yield table((*fields, *headings), (_row(one, fields) for one in most), texts=len(fields))
        if len(rows) > ROWS:
            yield f"<p class=soft>The {ROWS} with most requests; all {len(rows):,} are in summary.json.</p>"


def _row(row: Mapping[str, Any], fields: Sequence[str]) -> tuple[object, ...]:
    latency = row["latency_ms"]
    return (
        *(row[name] or "unknown" for name in fields),
        row["requests"],
        row["failed"],
        row["other_status"],
        *(latency[name] for name in ("p50", "p95", "p99", "max")),
    )


def _statuses(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["other_status"]:
        return
    yield "<h2>Answered otherwise than recorded</h2>"
    rows = [one for one in found["statuses"] if one["recorded"] and one["recorded"] != one["replayed"]]
    yield table(
        ("recorded", "now", "requests"),
        ((one["recorded"], one["replayed"] or "no answer", one["requests"]) for one in rows),
        texts=2,
    )
    if found["errors"]:
        yield (
            "<p>Errors: "
            + ", ".join(f"{escape(name)} {count:,}" for name, count in found["errors"].items())
            + "</p>"
        )


def _not_sent(found: Mapping[str, Any]) -> Iterator[str]:
    if found["unmatched"]:
        yield "<h2>Not sent</h2>"
        yield table(("why", "requests"), found["not_sent"]["reasons"].items())
        first = [
            (one["n"], one["loop"], one["request"], one["why"]) for one in found["not_sent"]["first"][:20]
        ]
        yield "<p class=soft>The first of them:</p>"
        yield table(("number", "loop", "request", "why"), first, texts=4)
    if found["left_out"]:
        yield "<h2>No part of the replay</h2>"
        yield table(("what", "requests"), found["left_out"].items())


def _made_up(found: Mapping[str, Any]) -> Iterator[str]:
    if found["made_up"]:
        yield "<h2>Made up, since the trace has none of it</h2>"
        yield table(
            ("what", "requests"),
            ((MADE_UP.get(name, name), count) for name, count in found["made_up"].items()),
        )


def _provenance(manifest: Manifest) -> Iterator[str]:
    yield "<h2>Where it comes from</h2>"
    yield f"<p>Made again by <code>{escape(shlex.join(manifest.command))}</code></p>"
    rows = [
        ("seed", str(manifest.seed)),
        ("trace, SHA-256", manifest.trace_digest),
        ("configuration, SHA-256", manifest.config_digest),
        *((f"version of {name}", one) for name, one in manifest.versions.items()),
    ]
    yield table(("what", "value"), [row for row in rows if row[1]], texts=2)

"""The table, the JSON beside it, and the plot."""

# ruff: noqa: RUF001

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.bench.candidates import ALL, DIRECT, LEAN, NGINX, OURS, PROTOTYPE
from tests.bench.figures import fairness
from tests.bench.plan import CONNECTIONS, MAIN
from tests.bench.report_find import section as find_section
from tests.bench.report_union import section as union_section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.bench.figures import Figure
    from tests.bench.results import Results

KIB, MIB = 1024, 1024 * 1024
MARKS = "<!-- make {}: begin -->", "<!-- make {}: end -->"
_BASES = ((PROTOTYPE, "prototype's Lua"), (LEAN, "lean Lua"), (NGINX, "nginx"))


def markdown(results: Results, machine: Mapping[str, str]) -> str:
    """The whole report."""
    parts = [
        "; ".join(f"{name}: {value}" for name, value in machine.items()) + ".",
        _fairness(results),
        _cpu(results),
        _latency(results),
        _bulk(results),
        _memory(results),
        _workers(results),
        _registry(results),
        union_section(results),
        find_section(results),
        _void(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _fairness(results: Results) -> str:
    found = fairness(results.figures("cpu", f"us@{MAIN}"))
    if found is None:
        return ""
    ratio, fair = found
    said = "so the copy is a fair one" if fair else "**so it is NOT a fair copy**: no ratio to it counts"
    return f"The prototype's way costs {ratio:.1f} times the lean Lua (4 to 6 is wanted), {said}."


def _cpu(results: Results) -> str:
    main = results.figures("cpu", f"us@{MAIN}")
    if not main:
        return ""
    head = [
        "CPU per request, µs (utime + stime)",
        *(f"at {many}" for many in CONNECTIONS),
        *(f"× {name}" for _, name in _BASES),
        *(f"requests/s at {many}" for many in CONNECTIONS),
    ]
    rows = []
    for candidate in ALL:
        one = main.get(candidate.name)
        ratios = [
            f"{one / main[base.name]:.2f}" if one and base.name in main and candidate is not DIRECT else ""
            for base, _ in _BASES
        ]
        costs = [_shown(results.figure("cpu", candidate.name, f"us@{many}"), 1) for many in CONNECTIONS]
        rates = [_shown(results.figure("cpu", candidate.name, f"rate@{many}"), 0) for many in CONNECTIONS]
        rows.append([candidate.title, *costs, *ratios, *rates])
    notes = ["Ratios are at 32 connections. `direct`: of the clouds' own nginx."]
    carriers = results.figures("carriers", f"us@{MAIN}")
    if carriers:
        said = ", ".join(
            f"{name.removeprefix('oidproxy-')} {_shown(one, 1)}" for name, one in carriers.items()
        )
        notes.append(f"oidproxy by what carries the scope, µs at 32 connections: {said}.")
    return "\n\n".join([_table(head, rows), *notes])


def _latency(results: Results) -> str:
    base = {name: results.figure("latency", DIRECT.name, name) for name in ("p50", "p99")}
    if not results.values.get("latency"):
        return ""
    head = [f"Latency at {results.rate:.0f} requests/s, ms", "p50", "p99", "added p50", "added p99", "late"]
    rows = []
    for candidate in ALL:
        found = {name: results.figure("latency", candidate.name, name) for name in ("p50", "p99")}
        added = [
            f"{(one.median - less.median) * 1e3:.3f}" if one and less and candidate is not DIRECT else ""
            for one, less in zip(found.values(), base.values(), strict=True)
        ]
        lag = results.figure("latency", candidate.name, "lag99")
        rows.append(
            [candidate.title, *(_shown(one, 3, 1e3) for one in found.values()), *added, _shown(lag, 3, 1e3)]
        )
    return (
        _table(head, rows)
        + "\n\n`late`: by how much the generator itself sent late, 99 of 100 times at most."
    )


def _bulk(results: Results) -> str:
    if not results.values.get("bulk"):
        return ""
    head = [
        "Large bodies",
        "GET, CPU-s/GiB",
        "PUT, CPU-s/GiB",
        "GET, GiB/s",
        "PUT, GiB/s",
        "memory growth, MiB",
    ]
    rows = []
    for candidate in ALL:
        if candidate.name not in results.values["bulk"]:
            continue
        one = candidate.name
        growth = [results.figure("bulk", one, f"{method} growth") for method in ("GET", "PUT")]
        rows.append(
            [
                candidate.title,
                *(_shown(results.figure("bulk", one, f"{method} s/GiB"), 2) for method in ("GET", "PUT")),
                *(_shown(results.figure("bulk", one, f"{method} GiB/s"), 2) for method in ("GET", "PUT")),
                ", ".join(_shown(each, 1, 1 / MIB) for each in growth if each),
            ]
        )
    ours = [_ratio(results, "bulk", f"{method} s/GiB") for method in ("GET", "PUT")]
    return _table(head, rows) + "".join(
        f"\n\noidproxy, {how}: {said}." for how, said in zip(("GET", "PUT"), ours, strict=True) if said
    )


def _ratio(results: Results, part: str, figure: str) -> str:
    found = results.figures(part, figure)
    if OURS.name not in found:
        return ""
    others = [(base, name) for base, name in _BASES if base.name in found]
    return ", ".join(f"{found[OURS.name] / found[base.name]:.2f} × {name}" for base, name in others)


def _memory(results: Results) -> str:
    if not results.values.get("memory"):
        return ""
    head = ["Memory (PSS)", "idle, MiB", "of a worker, MiB", "per idle connection, KiB"]
    rows = [
        [
            candidate.title,
            _shown(results.figure("memory", candidate.name, "idle"), 1, 1 / MIB),
            _shown(results.figure("memory", candidate.name, "idle worker"), 1, 1 / MIB),
            _shown(results.figure("memory", candidate.name, "connection"), 2, 1 / KIB),
        ]
        for candidate in ALL
        if candidate.name in results.values["memory"]
    ]
    return _table(head, rows)


def _workers(results: Results) -> str:
    found = results.figures("workers", "us")
    if len(found) < 2:
        return ""
    share = results.figure("workers", "oidproxy-2", "share")
    assert share is not None
    one, two = found["oidproxy-1"], found["oidproxy-2"]
    return (
        f"Two workers at {results.rate:.0f} requests/s: {_shown(two, 1)} µs of CPU per request, one worker "
        f"{_shown(one, 1)} µs: {two / one:.2f} times as much; the busier one takes {share.median:.0%} "
        f"({share.low:.0%}–{share.high:.0%}) of it."
    )


def _registry(results: Results) -> str:
    if not results.values.get("registry"):
        return ""
    few, many = "oidproxy-few", "oidproxy-many"
    rows = [
        [
            title,
            *(
                _shown(results.figure("registry", name, key), digits, factor)
                for key, digits, factor in _REGISTRY
            ),
        ]
        for name, title in ((few, "2 clouds"), (many, f"{results.registry_clouds:,} clouds × 8 services"))
    ]
    costs = results.figures("registry", "us")
    both = few in costs and many in costs
    said = f"\n\nRouting in the large one costs {costs[many] / costs[few]:.2f} times as much." if both else ""
    head = [
        "Registry",
        *(
            "loaded, s",
            "process ready, s",
            "CPU per request, µs",
            "memory of the larger process, MiB",
            "of all, MiB",
        ),
        *("worst answer in a reload beyond the worst without, ms", "over 50 ms beyond", "lost"),
    ]
    return _table(head, rows) + said


_REGISTRY = (
    ("load", 2, 1.0),
    ("start", 2, 1.0),
    ("us", 1, 1.0),
    ("memory", 1, 1 / MIB),
    ("memory of all", 1, 1 / MIB),
    ("worst beyond", 1, 1e3),
    ("late", 0, 1.0),
    ("lost", 0, 1.0),
)


def _void(results: Results) -> str:
    if not results.void:
        return "No measurement was void."
    lines = [f"- {one}" for one in results.void]
    said = f"{len(results.void)} measurements were void and repeated:\n\n" + "\n".join(lines)
    if not results.given_up:
        return said
    lost = "\n".join(f"- {one}" for one in results.given_up)
    return f"{said}\n\n**{len(results.given_up)} were void each time**, so rounds are missing:\n\n{lost}"


def _shown(figure: Figure | None, digits: int, factor: float = 1.0) -> str:
    """The median, and the least and the most where there were several rounds."""
    if figure is None:
        return ""
    median, low, high = (
        f"{value * factor:,.{digits}f}" for value in (figure.median, figure.low, figure.high)
    )
    return median if figure.rounds == 1 else f"{median} ({low}–{high})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = list(head)
    lines = [f"| {' | '.join(cells)} |", "|" + "---|" * len(cells)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def write_json(path: Path, results: Results, machine: Mapping[str, str], plan: object) -> None:
    """Everything, for whoever wants to count again."""
    found = {
        "machine": dict(machine),
        "plan": repr(plan),
        "rate": results.rate,
        "values": results.values,
        "curves": results.curves,
        "void": results.void,
        "given up": results.given_up,
    }
    path.write_text(json.dumps(found, indent=1) + "\n")


def into_docs(path: Path, report: str, part: str = "bench") -> None:
    """Put a report between its marks on a page. Raises ValueError where there are none."""
    first, last = (mark.format(part) for mark in MARKS)
    before, begin, rest = path.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{path.name} has no place for the table")
    path.write_text(f"{before}{first}\n{report.rstrip()}\n{last}{after}")


def plot(path: Path, results: Results) -> bool:
    """CPU per request and latency as a picture; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    costs = results.figures("cpu", f"us@{MAIN}")
    shown = [candidate for candidate in ALL if candidate.name in costs and candidate is not DIRECT]
    medians = [costs[one.name].median for one in shown]
    spread = [
        [costs[one.name].median - costs[one.name].low for one in shown],
        [costs[one.name].high - costs[one.name].median for one in shown],
    ]
    left.barh([_plain(one.title) for one in shown], medians, xerr=spread)
    left.invert_yaxis()
    left.set_xlabel("CPU per request, µs, 32 connections")
    for candidate in ALL:
        curve = results.curves.get(candidate.name)
        if curve:
            right.plot([value * 1e3 for value in curve], range(1, 100), label=_plain(candidate.title))
    right.set_xscale("log")
    right.set_xlabel(f"latency, ms, open loop at {results.rate:.0f} requests/s")
    right.set_ylabel("% of requests")
    if results.curves:
        right.legend(fontsize="small")
    figure.savefig(path)
    plt.close(figure)
    return True


def _plain(title: str) -> str:
    return title.replace("*", "").replace("`", "")

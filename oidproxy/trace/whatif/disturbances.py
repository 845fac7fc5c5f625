"""Outages and round trips as a fleet of simulated clouds takes them: the same what-if in real time.

`oidproxy sim --disturbances` delays answers by cloud, whoever asked; so distances are those from one site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.trace.whatif.outages import Manner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.trace.whatif.delays import Distances
    from oidproxy.trace.whatif.outages import Outage

FAULTS = {Manner.REFUSED: "dead", Manner.SILENT: "silent"}


def disturbances(
    outages: Iterable[Outage], distances: Distances, home: str, clouds: Iterable[str], *, speed: float = 1.0
) -> dict[str, object]:
    """The file's contents. `home` is where the proxy stands; times are divided by `speed`."""
    rules: list[dict[str, object]] = [
        {
            "clouds": one.cloud,
            "fault": FAULTS[one.manner],
            "from": f"{one.begin / speed:g}s",
            "until": f"{one.end / speed:g}s",
        }
        for one in outages
    ]
    for cloud in clouds:
        seconds = distances.seconds(home, cloud) + distances.seconds(cloud, home)
        if seconds:
            rules.append({"clouds": cloud, "latency": f"{seconds * 1000:g}ms"})
    return {"latency": 0, "rules": rules}

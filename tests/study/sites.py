"""Fifty cities with an edge site each, how far they are from each other, and the files that say so."""

from __future__ import annotations

import math
from typing import NamedTuple

import yaml


class City(NamedTuple):
    """Where a site is, in degrees."""

    name: str
    latitude: float
    longitude: float


CITIES = tuple(
    City(*one)
    for one in (
        ("paris", 48.86, 2.35), ("lyon", 45.76, 4.84), ("marseille", 43.30, 5.37),
        ("toulouse", 43.60, 1.44), ("nice", 43.70, 7.27), ("nantes", 47.22, -1.55),
        ("strasbourg", 48.57, 7.75), ("montpellier", 43.61, 3.88), ("bordeaux", 44.84, -0.58),
        ("lille", 50.63, 3.06), ("rennes", 48.11, -1.68), ("reims", 49.26, 4.03), ("toulon", 43.12, 5.93),
        ("grenoble", 45.19, 5.72), ("dijon", 47.32, 5.04), ("angers", 47.47, -0.55),
        ("brest", 48.39, -4.49), ("le-mans", 48.01, 0.20), ("clermont-ferrand", 45.78, 3.08),
        ("limoges", 45.83, 1.26), ("tours", 47.39, 0.69), ("metz", 49.12, 6.18), ("besancon", 47.24, 6.02),
        ("orleans", 47.90, 1.91), ("rouen", 49.44, 1.10), ("caen", 49.18, -0.37), ("nancy", 48.69, 6.18),
        ("pau", 43.30, -0.37), ("poitiers", 46.58, 0.34), ("la-rochelle", 46.16, -1.15),
        ("london", 51.51, -0.13), ("brussels", 50.85, 4.35), ("amsterdam", 52.37, 4.90),
        ("geneva", 46.20, 6.14), ("zurich", 47.37, 8.54), ("frankfurt", 50.11, 8.68),
        ("munich", 48.14, 11.58), ("berlin", 52.52, 13.41), ("hamburg", 53.55, 9.99),
        ("milan", 45.46, 9.19), ("turin", 45.07, 7.69), ("rome", 41.90, 12.50), ("madrid", 40.42, -3.70),
        ("barcelona", 41.39, 2.17), ("lisbon", 38.72, -9.14), ("porto", 41.15, -8.61),
        ("dublin", 53.35, -6.26), ("copenhagen", 55.68, 12.57), ("vienna", 48.21, 16.37),
        ("prague", 50.08, 14.44),
    )
)  # fmt: skip
"""To a hundredth of a degree."""

CENTRE = "paris"
THREE = ("paris", "frankfurt", "barcelona")

EARTH = 6371.0
"""Its radius, in kilometres."""
IN_FIBRE = 200.0
"""Kilometres that light goes in glass in a millisecond."""
DETOUR = 1.5
"""Fibre is longer than the way of a bird …"""
EQUIPMENT = 1.0
"""… and what stands at its ends takes a millisecond, one way."""
RATE, OWN_RATE = "1gbit", "10gbit"
"""Between two sites, and within one."""


def distance(one: City, other: City) -> float:
    """Kilometres, along a great circle."""
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    turn = math.radians(one.longitude - other.longitude)
    half = math.sin((a - b) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(half))


def delay(one: City, other: City) -> float:
    """Milliseconds, one way."""
    return EQUIPMENT + DETOUR * distance(one, other) / IN_FIBRE


def enoslib(cities: tuple[City, ...]) -> str:
    """The dictionary of network constraints, as ENOSlib takes it."""
    constraints = [
        {"src": one.name, "dst": other.name, "delay": f"{delay(one, other):.2f}ms", "symmetric": True}
        for number, one in enumerate(cities)
        for other in cities[number + 1 :]
    ]
    # Within a site Glance is read over the site's own network.
    constraints += [{"src": one.name, "dst": one.name, "delay": "0.1ms", "rate": OWN_RATE} for one in cities]
    document = {"default_delay": "10ms", "default_rate": RATE, "constraints": constraints}
    return (
        "# One-way delays between the sites of the study, for ENOSlib or `oidproxy trace whatif --rtt`.\n"
        + str(
            yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=None, width=110)
        )
    )


def configuration(cities: tuple[City, ...], three: tuple[str, ...] = THREE) -> str:
    """oidproxy.yaml: a cloud in each city with a proxy beside it; users of each are admitted by all."""
    names = [city.name for city in cities]
    admits = ", ".join(f"{name}: &guests {{roles: [member, reader]}}" for name in names[:1])
    lines = [f"local: {names[0]}", f"fleet_keys: [{'5a' * 64}]  # of a simulation: no secret", "listeners:"]
    for number, name in enumerate(names, 1):
        lines.append(f'  - {{bind: "127.20.0.{number}", ports: openstack, cloud: {name}}}')
    lines.append("clouds:")
    for number, name in enumerate(names, 1):
        groups = ["images", "copies", *(["stores"] if name in three else [])]
        admits = ", ".join(f"{home}: {{roles: [member]}}" for home in names if home != name)
        lines += [
            f"  {name}:",
            f"    upstream: 127.10.0.{number}",
            f"    groups: [{', '.join(groups)}]",
            f"    admits: {{{admits}}}",
        ]
    return "\n".join(lines) + "\n"

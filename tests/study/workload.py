"""An hour of image traffic: users everywhere look for images and boot from them; some publish new ones.

Scopes say what a request is, and a placement says where that is: `image:@images` looks, `image:@copies`
publishes.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from oidproxy.trace.line import Header, Line
from oidproxy.trace.writing import TraceWriter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.study.sites import City

LOOKS, PUBLISHES = "image:@images", "image:@copies"
SECOND = 1_000_000_000
MEGABYTE = 1_000_000
USERS = 4
"""At each site."""
IMAGES = 40
PUBLISHERS = 3
"""Sites whose users publish images …"""
PUBLISHED = 12
"""… so many each, at equal distances."""
LIST, SHOW = "/v2/images", "/v2/images/{image_id}"
FILE = "/v2/images/{image_id}/file"


def write(path: Path, cities: tuple[City, ...], *, seconds: float, rate: float, seed: int) -> int:
    """Write the trace; `rate` is in requests a second at each site. How many requests it has."""
    chance = random.Random(seed)
    lines = [*_looking(cities, seconds, rate, chance), *_publishing(cities, seconds, chance)]
    lines.sort(key=lambda line: line["at"])
    header = Header(
        oidproxy_trace=1,
        began="2026-01-05T08:00:00+00:00",
        source="synthesized",
        clouds=[city.name for city in cities],
        seed=seed,
        notes=["made by the study of image placement"],
    )
    with TraceWriter(path, header, replace=True) as writer:
        for number, line in enumerate(lines):
            writer.add(Line(n=number, **line))
    return len(lines)


def _looking(cities: tuple[City, ...], seconds: float, rate: float, chance: random.Random) -> list[dict]:
    """Each site's users, by a Poisson process."""
    images = [(_identity(chance), _size(chance)) for _ in range(IMAGES)]
    weights = [1 / place for place in range(1, IMAGES + 1)]
    found = []
    for city in cities:
        at = chance.expovariate(rate)
        while at < seconds:
            image, size = chance.choices(images, weights)[0]
            what = chance.random()
            request = {"path": LIST, "template": LIST, "bytes_out": 18_000}
            if what > 0.9:
                request = {
                    "path": f"{LIST}/{image}/file",
                    "template": FILE,
                    "used": [image],
                    "bytes_out": size,
                }
            elif what > 0.4:
                request = {"path": f"{LIST}/{image}", "template": SHOW, "used": [image], "bytes_out": 1_200}
            user = f"{city.name}-{chance.randrange(USERS)}"
            found.append(_request(at, city, user, LOOKS, method="GET", status=200, **request))
            at += chance.expovariate(rate)
    return found


def _publishing(cities: tuple[City, ...], seconds: float, chance: random.Random) -> list[dict]:
    """A new image is made, and its data uploaded right behind."""
    found = []
    every = seconds / PUBLISHED
    for city in cities[1 : 1 + PUBLISHERS]:
        at = chance.uniform(0, every)
        while at < seconds:
            image, size = _identity(chance), _size(chance)
            make = {"method": "POST", "path": LIST, "template": LIST, "status": 201, "made": [image]}
            put = {"method": "PUT", "path": f"{LIST}/{image}/file", "template": FILE, "status": 204}
            found.append(_request(at, city, "publisher", PUBLISHES, bytes_in=200, bytes_out=1_200, **make))
            found.append(
                _request(at + 0.001, city, "publisher", PUBLISHES, bytes_in=size, used=[image], **put)
            )
            at += every
    return found


def _request(at: float, city: City, user: str, scope: str, **more: object) -> dict:
    common = {"at": round(at * SECOND), "service": "image", "home": city.name, "user": user, "scope": scope}
    return {**common, "carrier": "header", **more}


def _identity(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:]))


def _size(chance: random.Random) -> int:
    """Images are small or large: around 300 MB, from 20 MB to 4 GB."""
    return int(min(4000.0, max(20.0, chance.lognormvariate(5.7, 0.9))) * MEGABYTE)

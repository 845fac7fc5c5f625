"""The files that make a fleet usable at once: the proxy's configuration, and clouds.yaml for its users."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import yaml

from oidproxy.sim.fleet.settings import group
from oidproxy.sim.running import entry, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.sim.fleet.settings import FleetSettings
    from oidproxy.sim.settings import CloudSettings

ADMISSION = (
    "{roles: [member, reader], services: [{user: nova, project: service}, {user: cinder, project: service}]}"
)


def write(settings: FleetSettings) -> None:
    """oidproxy.yaml, fleet.key and clouds.yaml in the fleet's directory."""
    key = settings.data / "fleet.key"
    if not key.exists():
        write_private(key, secrets.token_hex(64))
    write_private(settings.data / "oidproxy.yaml", configuration(settings))
    write_private(settings.data / "clouds.yaml", yaml.dump(_clouds(settings), Dumper=yaml.CSafeDumper))


def configuration(settings: FleetSettings) -> str:
    """As an operator's: the proxy in front of the clouds, and beside them; the homes' users are admitted."""
    clouds = [settings.cloud(number) for number in range(1, settings.clouds + 1)]
    lines = ["listeners:", f'  - {{bind: "{settings.gateway}"}}']
    if settings.beside:
        lines += map(_beside, clouds)
    lines += [f"local: {clouds[0].name}", 'fleet_keys: ["${file:fleet.key}"]', "clouds:"]
    for number, cloud in enumerate(clouds, 1):
        lines += _cloud(settings, cloud, number)
    return "\n".join(lines) + "\n"


def _beside(cloud: CloudSettings) -> str:
    ports = ", ".join(f"{name}: {port}" for name, port in cloud.ports.items())
    return f'  - {{bind: "{cloud.proxy}", ports: {{{ports}}}, cloud: {cloud.name}}}'


def _cloud(settings: FleetSettings, cloud: CloudSettings, number: int) -> Iterator[str]:
    yield f"  {cloud.name}:"
    yield f'    auth_url: "http://{cloud.address}:{cloud.ports["identity"]}/v3"'
    yield f"    upstream: {cloud.address}"
    yield f"    region: {cloud.region}"
    yield f"    groups: [{group(number)}]"
    admitted = [name for name in settings.home_names if name != cloud.name]
    if admitted:
        yield "    admits:"
        yield from (f"      {name}: {ADMISSION}" for name in admitted)


def _clouds(settings: FleetSettings) -> dict[str, object]:
    """The homes' users sign in at the proxy; those of the other clouds beside their own."""
    gateway = f"http://{settings.gateway}/identity/v3"
    entries: dict[str, object] = {}
    for number in range(1, settings.clouds + 1):
        cloud = settings.cloud(number)
        auth_url = (
            gateway if number == 1 else f"http://{settings.gateway}/s/identity:{cloud.name}/identity/v3"
        )
        entries[cloud.name] = entry(cloud, "demo", "demo", auth_url)
        entries[f"{cloud.name}-admin"] = entry(cloud, "admin", "admin", auth_url)
    return {"clouds": entries}

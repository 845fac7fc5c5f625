"""What cloud-999 admits of cloud-1, changed while the proxy runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.trust_calls import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstack.lab.layout import CloudPlace, Lab

SERVICES = [{"user": "nova", "project": "service"}, {"user": "cinder", "project": "service"}]
OTHER_PROJECT = "0" * 32

POLICIES: Mapping[str, Mapping[str, Any] | None] = {
    "the lab's": {"roles": ["member", "reader"], "services": SERVICES},
    "readers alone": {"roles": ["reader"]},
    "members as readers": {"map": {"member": "reader"}},
    "for reading only": {"roles": ["member", "reader"], "read_only": True},
    "another project": {"roles": ["member", "reader"], "projects": [OTHER_PROJECT]},
    "services alone": {"services": SERVICES},
    "nobody": None,
}


@contextmanager
def admitting(
    lab: Lab, place: CloudPlace, home: CloudPlace, policy: Mapping[str, Any] | None
) -> Iterator[None]:
    """Within the block `place` admits this of `home`, and of nobody else; afterwards what it did before."""
    before = lab.config.read_text()
    document = yaml.safe_load(before)
    cloud = document["clouds"][place.name]
    cloud.pop("admits", None)
    if policy is not None:
        cloud["admits"] = {home.name: dict(policy)}
    configured(lab, yaml.safe_dump(document, sort_keys=False))
    try:
        yield
    finally:
        configured(lab, before)


def configured(lab: Lab, text: str) -> None:
    """Have the proxy that runs serve this configuration."""
    if lab.config.read_text() == text:
        return
    log = lab.shared / "proxy.log"
    before = _reloads(log.read_text())
    lab.config.write_text(text)
    until(lambda: _reloads(log.read_text()) > before, "the proxy does not read its configuration", pause=0.05)


def _reloads(said: str) -> int:
    assert "not reloaded" not in said.rpartition("oidproxy: reloaded")[2], said[-500:]
    return said.count("oidproxy: reloaded")

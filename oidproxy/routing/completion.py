"""What serves a service that no carrier binds (identity.md: Completing the scope)."""

from __future__ import annotations

from oidproxy.routing.carriers import Bound, Carriers
from oidproxy.routing.decision import Carrier

COMPUTE = "compute"

WITH_COMPUTE = frozenset({"network", "placement"})
"""Nova uses accounts of its own in both, which carry no scope: where compute is, they have to be."""


def complete(carriers: Carriers, service_type: str) -> Bound:
    """What binds this service, in the end: a carrier, compute, or the home."""
    bound = carriers.binding(service_type)
    if bound is None and service_type in WITH_COMPUTE:
        compute = carriers.binding(COMPUTE)
        bound = None if compute is None else Bound(compute.expr, Carrier.COMPUTE)
    if bound is None:
        bound = Bound(None, Carrier.HOME if carriers.has_token else Carrier.LOCAL)
    return bound

"""An ML2 mechanism driver that binds every port at once: there is no switch."""

from __future__ import annotations

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class EveryPort(api.MechanismDriver):
    """Whatever the host, the first segment will do."""

    def initialize(self) -> None:
        """Nothing to prepare."""

    def bind_port(self, context: Any) -> None:  # noqa: ANN401 - Neutron's
        """Bind it, active (neutron_lib's MechanismDriver.bind_port)."""
        segment = context.segments_to_bind[0]
        details = {portbindings.CAP_PORT_FILTER: False}
        context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, details, constants.PORT_STATUS_ACTIVE)

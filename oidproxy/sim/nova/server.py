"""A server's life as a table of states and events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.sim.messages import Document

State = tuple[str, str | None]
"""vm_state and task_state."""
BUILDING: tuple[str, ...] = ("scheduling", "networking", "block_device_mapping", "spawning")
TRANSITIONS: Mapping[tuple[State, str], State] = MappingProxyType(
    {
        (("building", "scheduling"), "network"): ("building", "networking"),
        (("building", "networking"), "map"): ("building", "block_device_mapping"),
        (("building", "block_device_mapping"), "spawn"): ("building", "spawning"),
        (("building", "spawning"), "boot"): ("active", None),
        **{(("building", task), "fail"): ("error", None) for task in BUILDING},
        (("active", None), "stop"): ("active", "powering-off"),
        (("active", "powering-off"), "stopped"): ("stopped", None),
        (("stopped", None), "start"): ("stopped", "powering-on"),
        (("stopped", "powering-on"), "started"): ("active", None),
        (("active", None), "reboot"): ("active", "rebooting"),
        (("active", "rebooting"), "rebooted"): ("active", None),
        **{
            ((state, before), event): (state, after)
            for state in ("active", "stopped")
            for before, event, after in (
                (None, "snapshot", "image_snapshot"),
                ("image_snapshot", "upload", "image_uploading"),
                ("image_snapshot", "settle", None),
                ("image_uploading", "settle", None),
            )
        },
    }
)
"""(state, event) -> state. What is not here is a conflict; `delete` is always allowed."""
STATUS = MappingProxyType(
    {"building": "BUILD", "active": "ACTIVE", "stopped": "SHUTOFF", "error": "ERROR", "deleted": "DELETED"}
)
POWER = MappingProxyType({"active": 1, "stopped": 4})


@dataclass(frozen=True, slots=True)
class Interface:
    """A port of a server. `preexisting` ones are the user's and stay when the server goes."""

    port_id: str
    network_id: str
    network: str
    """The network's name, under which the addresses are shown."""
    mac: str
    addresses: tuple[str, ...]
    subnets: tuple[str, ...] = ()
    preexisting: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A volume of a server."""

    volume_id: str
    attachment_id: str
    device: str
    delete_on_termination: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """One server. What of it changes, changes by `Nova.move` and `Nova.change`."""

    id: str
    name: str
    project_id: str
    user_id: str
    flavor: Document
    image_id: str
    created: float
    updated: float
    vm_state: str = "building"
    task_state: str | None = "scheduling"
    host: str = ""
    reservation_id: str = ""
    launch_index: int = 0
    description: str | None = None
    key_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tags: tuple[str, ...] = ()
    user_data: str | None = field(default=None, repr=False)
    config_drive: str = ""
    disk_config: str = "MANUAL"
    access: tuple[str, str] = ("", "")
    pinned_zone: str | None = None
    security_groups: tuple[str, ...] = ("default",)
    interfaces: tuple[Interface, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    launched: float | None = None
    fault: Document | None = None
    locked: bool = False
    actions: tuple[Document, ...] = ()

    @property
    def status(self) -> str:
        """As the API shows it."""
        return "REBOOT" if self.task_state == "rebooting" else STATUS[self.vm_state]

    def after(self, event: str, now: float, **values: Any) -> Server:
        """The server after an event; 409 when its state does not allow it."""
        state = TRANSITIONS.get(((self.vm_state, self.task_state), event))
        if state is None:
            where = f"task_state {self.task_state}" if self.task_state else f"vm_state {self.vm_state}"
            raise ApiError(409, f"Cannot '{event}' instance {self.id} while it is in {where}")
        return replace(self, vm_state=state[0], task_state=state[1], updated=now, **values)

"""The lab's message broker: one RabbitMQ, with a virtual host and an account for each cloud."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from devstack.lab.addresses import require_free, unused_port
from devstack.lab.failure import LabError, tail
from devstack.lab.passwords import write_private
from devstack.lab.processes import Background, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.lab.layout import CloudPlace, Lab

PORT = 5672
PROGRAMS = "/usr/lib/rabbitmq/bin"


class Broker:
    """The broker, and the daemon by which Erlang's programs find each other."""

    def __init__(self, lab: Lab) -> None:
        self._host = lab.infrastructure
        self._folder = lab.shared / "broker"
        self._log = lab.shared / "broker-commands.log"
        self.process = Background("broker", lab.shared)
        self.names = Background("broker-names", lab.shared)

    def start(self) -> None:
        """Start it, and wait until it answers. Raises LabError."""
        if self.process.pid is None:
            require_free([(self._host, PORT)])
            self._folder.mkdir(parents=True, exist_ok=True)
            self._choose_ports()
        env = self._environment()
        # Started here, else the broker would start one that stays when it ends.
        self.names.start(["/usr/bin/epmd", "-port", env["ERL_EPMD_PORT"]], env)
        self.process.start([f"{PROGRAMS}/rabbitmq-server"], env)

    def url(self, cloud: CloudPlace, password: str) -> str:
        """oslo.messaging's address of a cloud's own virtual host."""
        return f"rabbit://{cloud.name}:{password}@{self._host}:{PORT}/{cloud.name}"

    def grant(self, passwords: Mapping[str, str]) -> None:
        """Make the virtual host and account of each cloud (name -> password); waits for the broker."""
        self._wait()
        definitions = self._folder / "definitions.json"
        write_private(definitions, json.dumps(_definitions(passwords)))
        run(
            [f"{PROGRAMS}/rabbitmqctl", "import_definitions", str(definitions)],
            self._log,
            self._environment(),
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            self.process.check()
            with suppress(LabError):
                run([f"{PROGRAMS}/rabbitmqctl", "await_startup"], self._log, self._environment())
                return
            time.sleep(0.5)
        raise LabError(f"the message broker does not answer:\n{tail(self.process.log)}")

    def _choose_ports(self) -> None:
        """Erlang's own two ports: free ones, since a machine may run another broker."""
        ports = {"names": unused_port("127.0.0.1"), "distribution": unused_port("127.0.0.1")}
        (self._folder / "ports.json").write_text(json.dumps(ports))

    def _environment(self) -> dict[str, str]:
        ports = json.loads((self._folder / "ports.json").read_text())
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(ports["names"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_NODE_IP_ADDRESS": self._host,
            "RABBITMQ_NODE_PORT": str(PORT),
            "RABBITMQ_BASE": str(self._folder),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_LOGS": "-",
        }


def _definitions(passwords: Mapping[str, str]) -> Mapping[str, Any]:
    """In the form of RabbitMQ's own export (its guide "Definition Export and Import")."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": name} for name in passwords],
        "users": [{"name": name, "password": word, "tags": ""} for name, word in passwords.items()],
        "permissions": [{"user": name, "vhost": name, **everything} for name in passwords],
    }

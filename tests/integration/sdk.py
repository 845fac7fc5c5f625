"""openstacksdk in this process, signed in as the lab's users are."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.cli.demonstration.embedded import Embedded

HOOK = "oidproxy.osc.hook:apply"


class Sdk:
    """Opens connections; `close` ends them all."""

    def __init__(self, lab: Embedded) -> None:
        self._lab = lab
        self._open = ExitStack()

    def __call__(
        self,
        cloud: str = "cloud-1",
        *,
        auth_url: str | None = None,
        user: str = "demo",
        scope: str = "",
        **settings: Any,
    ) -> Any:
        """A connection of a cloud's user: beside that cloud unless there is an auth URL, under `scope`.

        `settings` are those of clouds.yaml and replace what they name.
        """
        account = self._lab.account(user)
        place = self._lab.place(cloud)
        auth = {
            "auth_url": auth_url or f"http://{place.beside}:5000/v3",
            "username": account.user,
            "password": account.password,
            "project_name": account.project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        hooked = {"vendor_hook": HOOK, "oidproxy": {"scope": scope}} if scope else {}
        return self._connect({"auth": auth, "region_name": place.region, **hooked, **settings})

    def _connect(self, config: dict[str, Any]) -> Any:
        # The SDK warns of what will be removed from it, even where none of that is used.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import openstack

            loader = openstack.config.OpenStackConfig(load_yaml_config=False, load_envvars=False)
            connection = openstack.connection.Connection(config=loader.get_one(**config))
        self._open.callback(connection.session.session.close)
        self._open.callback(connection.close)
        return connection

    def close(self) -> None:
        self._open.close()


@contextmanager
def opened(lab: Embedded) -> Iterator[Sdk]:
    sdk = Sdk(lab)
    try:
        yield sdk
    finally:
        sdk.close()

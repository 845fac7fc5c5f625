"""Signs in at a cloud with an entry of the user's own clouds.yaml, once and only when its token is wanted.

Loaded by the hook, so like it this needs nothing but the SDK.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from keystoneauth1.exceptions import ClientException, HttpError
from openstack.config import OpenStackConfig
from openstack.exceptions import ConfigException

from oidproxy.osc import sources
from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a token of Keystone, bare or sealed, consists of. A comma or a line end would be a forged header."""


class Login:
    """One entry of clouds.yaml and the session that it signs in with."""

    def __init__(self, entry: str, beside: Any) -> None:
        self._entry = entry
        self._beside = beside
        self._session: Any = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """A token that is alive: fetched at the first call, again when it is about to expire.

        Raises ConfigException, which neither keystoneauth nor the SDK takes for an answer of the cloud.
        """
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._found()
                token = self._session.get_token()
            except Exception as error:  # noqa: BLE001 - of any authentication plugin
                # Without its cause: a Keystone repeats what it was sent in some of its refusals.
                raise self._failed(_reason(error)) from None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._failed("it gives no token that could be carried")
        return token

    def _found(self) -> Any:
        loader = _files(self._beside, self._entry)
        names = loader.get_cloud_names() if loader.config_filename else []
        if self._entry not in names:
            raise ConfigException(_missing(self._entry, names, loader.config_filename))
        return loader.get_one(cloud=self._entry).get_session()

    def _failed(self, reason: str) -> ConfigException:
        return ConfigException(
            f"no token to carry from the entry {self._entry!r} of {sources.CLOUDS_YAML}: {reason};"
            f" `openstack --os-cloud {self._entry} token issue` has to work, or carry none there"
        )


def _files(beside: Any, entry: str) -> OpenStackConfig:
    """The files that the command's own cloud came from, without its environment and options."""
    known = beside if beside is not None else OpenStackConfig()
    return OpenStackConfig(
        config_files=known._config_files,
        secure_files=known._secure_files,
        vendor_files=known._vendor_files,
        # OS_USERNAME, OS_PASSWORD and the like are meant for the cloud of the command.
        load_envvars=False,
        pw_func=_asking(known._pw_callback, entry),
    )


def _asking(ask: Callable[..., str] | None, entry: str) -> Callable[..., str] | None:
    """The client's own way to ask for a password or passcode, saying for which entry it is."""
    if ask is None:
        return None

    def asked(prompt: str | None = None) -> str:
        question = prompt or "Password: "
        try:
            return ask(f"{entry}: {question}")
        except Exception:  # noqa: BLE001 - of whichever client this is
            raise ConfigException(f"nobody answered {question.strip(': ')!r}") from None

    return asked


def _missing(entry: str, names: list[str], file: str | None) -> str:
    meant = nearest(entry, names)
    hint = f" (did you mean {meant}?)" if meant else ""
    return f"there is no such entry{hint} in {file}" if file else f"no {sources.CLOUDS_YAML} was found"


def _reason(error: Exception) -> str:
    """What may be shown: texts of the SDK and of keystoneauth, but none of a server or of other plugins."""
    if isinstance(error, HttpError):
        return f"its Keystone answers HTTP {error.http_status}"
    if isinstance(error, ClientException | ConfigException):
        return str(error)
    return type(error).__name__

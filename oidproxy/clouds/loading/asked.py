"""The parent's side of openstacksdk: starts a child, hands it its order, gathers the answers in time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from oidproxy.clouds.asking import Ask
from oidproxy.clouds.catalog import Learned
from oidproxy.clouds.loading import entries
from oidproxy.clouds.loading.learn import AT_ONCE, Order
from oidproxy.errors import ConfigError

Learn = Callable[[str, Sequence[Ask], float], Mapping[str, Learned]]
"""Path of clouds.yaml, the questions, seconds for each HTTP request -> an answer for every cloud asked."""

Read = Callable[[str, Sequence[str]], Mapping[str, entries.Entry]]
"""Path of clouds.yaml, names of entries -> each entry."""

PATIENCE = 10.0
"""Seconds for each HTTP request to a cloud that is asked."""

START = 20.0
"""Seconds that the child may take to start and to read clouds.yaml."""

_FOREIGN = ("OS_", "REQUESTS_", "CURL_")
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


def learn(clouds_yaml: str, asks: Sequence[Ask], timeout: float) -> Mapping[str, Learned]:
    """Ask all of them at once, in one child. A cloud that does not answer gets an answer that says so.

    Raises ConfigError if the child could not ask at all.
    """
    if not asks:
        return {}
    # Two requests for each cloud: the version document and the token.
    deadline = START + 2 * timeout * (1 + len(asks) // AT_ONCE)
    order = msgspec.json.encode(Order(clouds_yaml, timeout, list(asks)))
    lines = msgspec.json.Decoder(Learned).decode_lines(_converse("learn", order, deadline))
    answers = {answer.cloud: answer for answer in lines}
    return {ask.cloud: answers.get(ask.cloud) or _silent(ask, deadline) for ask in asks}


def read_entries(clouds_yaml: str, names: Sequence[str]) -> Mapping[str, entries.Entry]:
    """These entries of clouds.yaml; one that cannot be read says so.

    Raises ConfigError if none could be read.
    """
    if not names:
        return {}
    order = msgspec.json.encode(entries.Order(clouds_yaml, list(names)))
    lines = msgspec.json.Decoder(entries.Entry).decode_lines(_converse("entries", order, START))
    found = {entry.name: entry for entry in lines}
    return {name: found.get(name) or entries.Entry(name, error="openstacksdk was too slow") for name in names}


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: no user's credentials, proxies, netrc or choice of authorities."""
    kept = {
        name: value
        for name, value in own.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES
    }
    return kept | {"NETRC": os.devnull}


def _converse(child_module: str, order: bytes, deadline: float) -> bytes:
    """What the child answers until it is done or its time is over."""
    with subprocess.Popen(  # noqa: S603 - one of our own modules
        # -P: a file called openstack.py in the current folder is no module.
        [sys.executable, "-P", "-m", f"oidproxy.clouds.loading.{child_module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(os.environ),
    ) as child:
        try:
            output, complaints = child.communicate(order, timeout=deadline)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.communicate()[0]
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        complaint = _complaint(complaints, child.returncode)
        raise ConfigError(f"clouds_yaml cannot be used: {complaint}")
    return output


def _complaint(complaints: bytes, status: int) -> str:
    """What may be told of a child that died: an import that failed, else only its exit status.

    The last line of a traceback may quote clouds.yaml.
    """
    last = complaints.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if last.startswith("ModuleNotFoundError"):
        return f"{last.partition(': ')[2]}; pip install 'oidproxy[server]'"
    return f"the process that reads it ended with status {status}"


def _silent(ask: Ask, seconds: float) -> Learned:
    return Learned(ask.cloud, error=f"no answer within {seconds:.0f} s", auth_url=ask.auth_url or "")

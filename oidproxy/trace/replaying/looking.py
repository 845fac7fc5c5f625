"""Looks up what was there before a replay, where its trace uses things that it did not make."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace import pairing
from oidproxy.trace.replaying.accounts import AT_ONCE, SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.trace.kinds import Kind
    from oidproxy.trace.replaying.accounts import Session
    from oidproxy.trace.replaying.sending import Sender
    from oidproxy.trace.survey import Survey

    Rows = Mapping[tuple[str, Kind], list[tuple[str, str]]]

VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "image": "/v2",
        "compute": "/v2.1",
        "network": "/v2.0",
        "block-storage": "/v3/{project}",
        "identity": "/v3",
        "load-balancer": "/v2/lbaas",
        "dns": "/v2",
        "key-manager": "/v1",
    }
)
"""Official type -> what stands before a collection's name in its API."""


async def look(
    found: Survey, sender: Sender, session: Callable[[str, str], Session], scope: Callable[[str, str], str]
) -> Rows:
    """Recorded scope and kind -> ids and names. What cannot be listed is left out.

    `session`: of a user under a recorded scope; `scope`: the one to be sent for a recorded one and a service.
    """
    limit = asyncio.Semaphore(AT_ONCE)
    rows: dict[tuple[str, Kind], list[tuple[str, str]]] = {}

    async def one(recorded: str, kind: Kind, user: str) -> None:
        signed = session(user, recorded)
        root, version = signed.base(kind.service), VERSIONS.get(kind.service)
        if not root or version is None or not signed.token:
            return
        sent = scope(recorded, kind.service)
        fields = {"X-Auth-Token": signed.token} | ({SCOPE: sent} if sent else {})
        path = f"{version.format(project=signed.who.project_id)}/{kind.collection}"
        async with limit:
            answer = await sender.send("GET", f"{root}{path}", fields, 0, keep=True)
        if answer.status == 200:
            try:
                rows[recorded, kind] = pairing.rows(msgspec.json.decode(answer.body))
            except (msgspec.DecodeError, UnicodeDecodeError):
                return

    await asyncio.gather(*(one(recorded, kind, user) for (recorded, kind), user in found.wanted.items()))
    return rows

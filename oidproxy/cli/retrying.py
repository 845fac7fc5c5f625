"""Goes on with the journal's intents with the operator's own accounts, in a process of its own."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.addresses import location
from oidproxy.clouds.credentials import Credential, credential
from oidproxy.clouds.loading.asked import read_entries
from oidproxy.errors import ConfigError
from oidproxy.identity.service import Identity
from oidproxy.manyclouds.leasing import Taken
from oidproxy.manyclouds.replicating import journal as states
from oidproxy.manyclouds.replicating.accounts import AsAccount
from oidproxy.manyclouds.replicating.advancing import Advancing
from oidproxy.manyclouds.replicating.groups import Groups
from oidproxy.manyclouds.replicating.keeping import Journal, Pen
from oidproxy.routing.decision import Snapshot
from oidproxy.store.opening import open_store
from oidproxy.tokens.closed import Keyring
from oidproxy.upstream.pools import Upstreams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from oidproxy.clouds.registry import Registry
    from oidproxy.manyclouds.replicating.journal import Intent
    from oidproxy.store.terms import Store


ROLE = "admin"
"""Who sees the resources of all projects, by the policies that OpenStack's services come with."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """One run of `oidproxy journal retry`."""

    registry: Registry
    clouds_yaml: Path
    entries: Mapping[str, str]
    """Cloud -> the entry of clouds.yaml that is used there."""

    async def run(self, only: frozenset[str], say: Callable[[str], None]) -> int:
        """Go on with these intents (all, where there are none); how many are left.

        Raises:
            ConfigError: an account that is needed cannot be used. StoreUnavailable.
        """
        store = open_store(self.registry.store, clock=time.time)
        upstreams: Upstreams | None = None
        try:
            journal = Journal(store, time.time)
            intents = [one for one in await journal.all() if not only or one.id in only]
            registry = replace(self.registry, credentials=MappingProxyType(self._credentials(intents)))
            upstreams = Upstreams(registry)
            clouds = _Clouds(upstreams, registry, store, self.entries)
            advancing = Advancing(journal, Groups(store, time.time), time.time)
            left = 0
            for intent in intents:
                left += not await _retry(intent, advancing, clouds.speaker(intent), say)
            return left
        finally:
            if upstreams is not None:
                await upstreams.close()
            await store.close()

    def _credentials(self, intents: list[Intent]) -> dict[str, Credential]:
        """Entry -> what signs in with it, for the clouds where something is to be done."""
        clouds = {
            step.attempt.cloud
            for intent in intents
            for step in states.steps(intent)
            if step.attempt.cloud in self.registry.clouds
        }
        names = tuple(dict.fromkeys(self.entries[cloud] for cloud in sorted(clouds)))
        found: dict[str, Credential] = {}
        read = read_entries(str(self.clouds_yaml), names)
        for cloud in sorted(clouds):
            entry = read[self.entries[cloud]]
            if entry.error:
                raise ConfigError(
                    f"entry {entry.name!r} for {cloud}: {entry.error}", file=str(self.clouds_yaml)
                )
            self._check_keystone(cloud, entry.name, entry.auth.get("auth_url", ""))
            try:
                found[entry.name] = credential(entry.name, entry.auth_type, entry.auth)
            except ValueError as error:
                raise ConfigError(
                    f"entry {entry.name!r} cannot be signed in with: {error}", file=str(self.clouds_yaml)
                ) from None
        return found

    def _check_keystone(self, cloud: str, entry: str, given: str) -> None:
        """A secret goes to the Keystone that its entry names, or nowhere."""
        own = self.registry.clouds[cloud].auth_url
        with suppress(ValueError):
            here, there = location(given), location(own)
            if (here.origin, here.root) == (there.origin, there.root):
                return
        raise ConfigError(
            f"entry {entry!r} signs in at {given or 'no address'}, but the Keystone of {cloud} is {own}: "
            f"name another one with --as {cloud}=ENTRY",
            file=str(self.clouds_yaml),
        )


@dataclass(frozen=True, slots=True)
class _Clouds:
    """The clouds, as the operator's accounts see them."""

    upstreams: Upstreams
    registry: Registry
    store: Store
    entries: Mapping[str, str]

    def speaker(self, intent: Intent) -> AsAccount:
        """What asks them about this intent."""
        pseudonym = f"oidproxy-{os.urandom(6).hex()}"
        identity = Identity(
            fetch=self.upstreams.fetch,
            clock=time.time,
            snapshot=Snapshot(self.registry, Keyring(self.registry.fleet_keys)),
            store=self.store,
            pseudonym=pseudonym,
        )
        return AsAccount(
            self.upstreams,
            identity,
            lambda: self.registry,
            entries=self.entries,
            project=intent.owner.project,
            pseudonym=pseudonym,
            regions=intent.regions,
            role=ROLE,
        )


async def _retry(
    intent: Intent, advancing: Advancing, speaker: AsAccount, say: Callable[[str], None]
) -> bool:
    """Whether nothing is left of it."""
    journal = advancing.journal

    async def work() -> None:
        # It may have been finished since it was read.
        found = await journal.read(intent.id)
        if found is not None:
            await advancing.once(Pen(journal, found), speaker, everyone=True)

    try:
        await journal.work(intent.id, work)
    except Taken:
        say(f"{intent.id}: a proxy is working on it now")
        return False
    now = await journal.read(intent.id)
    for line in _told(intent, now):
        say(line)
    return now is None


def _told(before: Intent, now: Intent | None) -> list[str]:
    """What became of each attempt that was open."""
    if now is None:
        return [f"{before.id}: done"]
    return [
        f"{now.id}: {step.attempt.cloud} {step.attempt.state.value}"
        + (f" ({step.attempt.said})" if step.attempt.said else "")
        for step in states.steps(now)
    ]

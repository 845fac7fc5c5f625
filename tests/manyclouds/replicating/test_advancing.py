"""Going on from any record, whatever became of each cloud: nothing is created, and all ends consistently."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.clouds.plan import Every, One
from oidproxy.manyclouds.parts import Happened
from oidproxy.manyclouds.replicating import journal
from oidproxy.manyclouds.replicating.advancing import Advancing
from oidproxy.manyclouds.replicating.groups import Groups, Place
from oidproxy.manyclouds.replicating.heard import Heard
from oidproxy.manyclouds.replicating.journal import SETTLED_AFTER, Intent, Owner, Phase, Policy, State, Verb
from oidproxy.manyclouds.replicating.keeping import Journal, Pen
from oidproxy.manyclouds.replicating.slots import planned

MARK = "the-mark"
NAMES = "abc"


class Kept:
    """A store in memory."""

    def __init__(self):
        self.entries = {}

    async def get(self, key):
        return self.entries.get(key)

    async def put(self, key, value, *, until, durable=False):
        self.entries[key] = value

    async def drop(self, key):
        self.entries.pop(key, None)

    async def scan(self, prefix, *, most):
        return sorted((key, value) for key, value in self.entries.items() if key.startswith(prefix))


class Clouds:
    """What each cloud holds, and which of them answer."""

    def __init__(self, held, silent=()):
        self.held = {cloud: set(ids) for cloud, ids in held.items()}
        self.silent = set(silent)
        self.methods = []

    async def call(self, cloud, service_type, method, target, body=b""):
        self.methods.append(method)
        await asyncio.sleep(0)
        if cloud in self.silent:
            return Heard(0, Happened.PERHAPS, "silent")
        path = urlsplit(target)
        if method == "DELETE":
            found = path.path.rpartition("/")[2] in self.held[cloud]
            self.held[cloud].discard(path.path.rpartition("/")[2])
            return Heard(204 if found else 404, Happened.YES, "")
        marker = parse_qs(path.query).get("marker", [""])[0]
        rows = [{"id": one, "metadata": {"oidproxy_replica": MARK}} for one in sorted(self.held[cloud])]
        strangers = [{"id": f"z{number}", "metadata": {}} for number in range(3)]
        page = [row for row in [*rows, *strangers] if row["id"] > marker][:2]
        return Heard(200, Happened.YES, "", json.dumps({"servers": page}).encode())


FATES = st.sampled_from(["recorded", "made", "not made", "nothing"])
"""Of a cloud when the proxy died: it made it and that is recorded, or only made it; it is recorded that it
made nothing, or it made nothing and nobody knows."""


def begun(fates, policy):
    found = planned(Every(tuple(map(One, NAMES))), frozenset(NAMES))
    owner = Owner("a", "p", "u")
    one = journal.begin(
        Intent(
            MARK, Verb.CREATE, owner, "compute", "servers", "/v2.1/servers", 0.0, found.attempts, 3, policy
        )
    )
    for cloud, fate in fates.items():
        if fate == "recorded":
            one = journal.made(one, cloud, f"id-{cloud}")
        if fate == "not made":
            one = journal.not_made(one, cloud, "no")
    return one


@settings(deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(NAMES, FATES)),
    st.sampled_from(Policy),
    st.sets(st.sampled_from(NAMES)),
)
def test_from_any_record_all_ends_as_if_nothing_had_happened(fates, policy, silent):
    asyncio.run(_ends(fates, policy, silent))


async def _ends(fates, policy, silent):
    store, now = Kept(), [1.0]
    kept, groups = Journal(store, lambda: now[0]), Groups(store, lambda: now[0])
    held = {cloud: {f"id-{cloud}"} if fates[cloud] in {"recorded", "made"} else set() for cloud in NAMES}
    clouds = Clouds(held, silent)
    intent = begun(fates, policy)
    await kept.write(intent)
    advancing = Advancing(kept, groups, lambda: now[0])
    # First while some are silent, then soon after, then when no request can be under way any more.
    for later in (1.0, 2.0, SETTLED_AFTER + 1.0):
        now[0] = later
        found = await kept.read(MARK)
        if found is not None:
            await advancing.once(Pen(kept, found), clouds)
        if later == 1.0:
            clouds.silent.clear()
    assert await kept.read(MARK) is None, "nothing is left to be done"
    assert set(clouds.methods) <= {"GET", "DELETE"}
    made = {cloud for cloud, ids in held.items() if ids}
    left = {cloud for cloud, ids in clouds.held.items() if ids}
    wanted = made if made == set(NAMES) or policy is Policy.KEEP else set()
    assert left == wanted
    for cloud in NAMES:
        group = await groups.of(Place("a", "p", "compute", "servers"), f"id-{cloud}")
        assert (set(group.ids) if group else set()) == (wanted if cloud in wanted else set())


async def test_steps_taken_in_vain_by_turns_come_to_an_end():
    store = Kept()
    kept = Journal(store, lambda: 1.0)
    fates = {"a": "not made", "b": "nothing", "c": "recorded"}
    clouds = Clouds({"a": set(), "b": set(), "c": {"id-c"}}, silent={"c"})
    intent = begun(fates, Policy.UNDO)
    await kept.write(intent)
    async with asyncio.timeout(10):
        await Advancing(kept, Groups(store, lambda: 1.0), lambda: 1.0).once(Pen(kept, intent), clouds)
    assert len(clouds.methods) < 20


async def test_a_silent_cloud_decides_nothing_and_undoes_nothing():
    """It may have made it, and then all is well."""
    store = Kept()
    kept = Journal(store, lambda: 1.0)
    clouds = Clouds({"a": {"id-a"}, "b": {"id-b"}, "c": {"id-c"}}, silent="c")
    intent = begun({"a": "recorded", "b": "recorded", "c": "made"}, Policy.UNDO)
    await kept.write(intent)
    await Advancing(kept, Groups(store, lambda: 1.0), lambda: 1.0).once(Pen(kept, intent), clouds)
    left = await kept.read(MARK)
    assert (left.phase, clouds.held["a"]) == (Phase.OPEN, {"id-a"})
    assert left.attempt("c").said == "silent"


async def test_only_the_clouds_that_may_be_asked_are_asked():
    store = Kept()
    kept = Journal(store, lambda: 1.0)
    clouds = Clouds({"a": {"id-a"}, "b": {"id-b"}, "c": set()})
    intent = begun({"a": "made", "b": "made", "c": "not made"}, Policy.UNDO)
    await kept.write(intent)
    await Advancing(kept, Groups(store, lambda: 1.0), lambda: 1.0).once(
        Pen(kept, intent), clouds, clouds={"b"}
    )
    left = await kept.read(MARK)
    assert (left.attempt("a").state, left.attempt("b").state) == (State.SENDING, State.MADE)
    assert clouds.held["b"] == {"id-b"}, "it is not decided yet"

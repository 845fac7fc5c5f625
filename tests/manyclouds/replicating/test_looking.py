"""Looking for what may have been made: what proves that it is there, what that it is not, what neither."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Cloud, Endpoint, Listener, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.manyclouds.parts import Happened
from oidproxy.manyclouds.replicating import journal
from oidproxy.manyclouds.replicating.accounts import AsAccount
from oidproxy.manyclouds.replicating.advancing import Advancing
from oidproxy.manyclouds.replicating.groups import Groups
from oidproxy.manyclouds.replicating.heard import Heard
from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Owner, State, Verb
from oidproxy.manyclouds.replicating.keeping import Journal, Pen
from oidproxy.manyclouds.replicating.kinds import kind_of
from oidproxy.manyclouds.replicating.looking import look
from oidproxy.manyclouds.replicating.marking import likeness
from tests.manyclouds.replicating.test_advancing import Kept

SERVERS, KEY_PAIRS = kind_of("compute", "servers"), kind_of("compute", "os-keypairs")
KEY = "ssh-ed25519 AAAA me@here"
OTHER = "ssh-ed25519 BBBB me@here"


class Says:
    """A cloud that answers to each method."""

    def __init__(self, **said):
        self.said = said
        self.asked = []

    async def call(self, cloud, service_type, method, target, body=b""):
        self.asked.append(f"{method} {target}")
        status, document = self.said[method]
        return Heard(status, Happened.YES, "", json.dumps(document).encode())


def attempt(state=State.SENDING, **more):
    return Attempt("a", None, 0, state, **more)


def intent(kind=SERVERS, state=State.SENDING, **more):
    owner = Owner("home", "p", "u")
    return Intent(
        "mark",
        Verb.CREATE,
        owner,
        "compute",
        kind.name,
        f"/v2.1/{kind.name}",
        0.0,
        (attempt(state),),
        1,
        **more,
    )


def key_pair(state=State.SENDING):
    alike = likeness(KEY_PAIRS, {"public_key": KEY})
    return replace(
        intent(KEY_PAIRS, state, chosen="k", bears_mark=False, likeness=alike),
        attempts=(attempt(state, id="k"),),
    )


async def test_rows_of_a_cell_that_is_down_do_not_show_their_marks_so_nothing_is_known_to_be_absent():
    """Nova gives their ids alone (Compute API, microversion 2.69)."""
    rows = {"servers": [{"id": "1", "metadata": {}}, {"id": "2", "status": "UNKNOWN"}]}
    found = await look(Says(GET=(200, rows)), SERVERS, intent(), attempt(), everyone=False)
    assert (found.id, found.absent) == ("", False)
    rows["servers"].pop()
    found = await look(Says(GET=(200, rows)), SERVERS, intent(), attempt(), everyone=False)
    assert found.absent


@pytest.mark.parametrize("bad", ["\ud800", "x" * 300, "a\nb", None])
async def test_a_list_with_what_is_no_id_is_no_list(bad):
    rows = {"servers": [{"id": bad, "metadata": {"oidproxy_replica": "mark"}}]}
    found = await look(Says(GET=(200, rows)), SERVERS, intent(), attempt(), everyone=False)
    assert (found.id, found.absent) == ("", False)


@pytest.mark.parametrize(("key", "there"), [(KEY, "k"), ("ssh-ed25519 AAAA", "k"), (OTHER, "")])
async def test_a_key_pair_is_found_by_its_name_if_its_key_is_that_one(key, there):
    shown = {"keypair": {"name": "k", "public_key": key}}
    found = await look(Says(GET=(200, shown)), KEY_PAIRS, key_pair(), attempt(), everyone=False)
    assert (found.id, found.absent) == (there, not there)


async def test_an_operator_does_not_see_the_users_key_pairs_and_does_not_say_that_there_are_none():
    speaker = Says(GET=(404, {}))
    found = await look(speaker, KEY_PAIRS, key_pair(), attempt(), everyone=True)
    assert (found.id, found.absent, speaker.asked) == ("", False, [])


@pytest.mark.parametrize(("key", "asked"), [(KEY, ["GET", "DELETE"]), (OTHER, ["GET"])])
async def test_only_the_key_pair_that_was_made_is_deleted_later(key, asked):
    shown = {"keypair": {"name": "k", "public_key": key}}
    speaker = Says(GET=(200, shown), DELETE=(202, {}))
    kept = Journal(Kept(), lambda: 0.0)
    pen = Pen(kept, replace(key_pair(State.UNDOING), phase=journal.Phase.FAILED))
    await Advancing(kept, Groups(Kept(), lambda: 0.0), lambda: 0.0).once(pen, speaker)
    assert [one.split()[0] for one in speaker.asked] == asked
    assert pen.intent.attempt("a").state is State.UNDONE


async def test_and_by_no_operator():
    speaker = Says(GET=(404, {}), DELETE=(404, {}))
    kept = Journal(Kept(), lambda: 0.0)
    pen = Pen(kept, replace(key_pair(State.UNDOING), phase=journal.Phase.FAILED))
    await Advancing(kept, Groups(Kept(), lambda: 0.0), lambda: 0.0).once(pen, speaker, everyone=True)
    assert speaker.asked == []
    assert pen.intent.attempt("a").state is State.UNDOING


# The operator's accounts.


class Account:
    """Signs in with these roles, and notes where it asks."""

    def __init__(self, *roles):
        self.roles = frozenset(roles)
        self.ports = []

    async def login(self, cloud, entry):
        return SimpleNamespace(token="t", who=SimpleNamespace(project_id="p", roles=self.roles))

    async def fetch(self, request, body=b"", *, limit):
        self.ports.append(request.endpoint.origin.port)
        return SimpleNamespace(head=SimpleNamespace(status=404), body=b"")


def registry():
    regions = [("R1", 1), ("R2", 2)]
    ends = tuple(
        Endpoint("a", "compute", Origin("http", "127.0.0.1", port), suffix="/v2.1", region=region)
        for region, port in regions
    )
    return Registry(
        clouds=MappingProxyType({"a": Cloud("a", "http://127.0.0.1:9/v3", 0, ends, region="R1")}),
        groups=MappingProxyType({}),
        local="a",
        listeners=(Listener("127.0.0.1", 8888),),
        rtt=RoundTrips(),
        limits=Limits(),
        service_types=frozenset({"compute"}),
        index=MappingProxyType({("a", "compute"): ends}),
    )


async def test_a_cloud_is_asked_in_the_region_where_it_was_made():
    account, known = Account(), registry()
    begun = replace(intent(), attempts=(replace(attempt(), region="R2"),))
    for regions in ({}, begun.regions):
        speaker = AsAccount(
            account,
            account,
            lambda: known,
            entries={"a": "e"},
            project="p",
            pseudonym="x",
            regions=regions,
        )
        await speaker.call("a", "compute", "GET", "/v2.1/servers/1")
    assert account.ports == [1, 2]


async def test_who_does_not_see_everything_is_not_believed_that_it_is_gone():
    known = registry()
    for account, asked in ((Account("member"), 0), (Account("member", "admin"), 1)):
        speaker = AsAccount(
            account, account, lambda: known, entries={"a": "e"}, project="p", pseudonym="x", role="admin"
        )
        heard = await speaker.call("a", "compute", "DELETE", "/v2.1/servers/1")
        assert (len(account.ports), heard.missing) == (asked, bool(asked))

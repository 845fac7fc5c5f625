"""A proxy is killed while it makes things in both clouds: counted there, nothing is lost or made twice.

Relays before the real services stop requests, or only their answers, at the moment of the kill.
"""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from devstack.lab.failure import LabError
from devstack.lab.passwords import Secrets, write_private
from tests.lab.many import ANY, BOTH, RAW, counts, replicas, under, until
from tests.lab.relay import Relay
from tests.lab.spare import Spare

CLOUDS = ("cloud-1", "cloud-999")


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


THINGS = {
    "images": ("image", "/v2/images", lambda name: {"name": name, **RAW}),
    "networks": ("network", "/v2.0/networks", lambda name: {"network": {"name": name}}),
    "volumes": ("block-storage", "/v3/{project}/volumes", lambda name: {"volume": {"size": 1, "name": name}}),
    "servers": ("compute", "/v2.1/servers", lambda name: {"server": {"name": name}}),
}


@pytest.fixture(scope="module")
def relays(home, abroad, edge_2, lab):
    """Cloud -> what stands before its services."""
    with ExitStack() as stack:
        yield {
            place.name: stack.enter_context(Relay(place, f"{lab.network}.4.{place.number}"))
            for place in (home, abroad, edge_2)
        }


@pytest.fixture(scope="module")
def proxy(lab, many, relays, edge_2, tmp_path_factory):
    upstreams = {cloud: relay.address for cloud, relay in relays.items()}
    made = Spare(
        lab,
        tmp_path_factory.mktemp("killed"),
        f"{lab.network}.2.252",
        project=many.project,
        upstreams=upstreams,
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def user(many, proxy):
    """At the proxy that is killed."""
    return many.at(proxy.url)


@pytest.fixture(scope="module")
def server(many):
    """What a server is made of: an image with the same data in both clouds, and a flavor of one name."""
    image = many.make("image", "/v2/images", {"name": unique("killed"), **RAW})["cloud-1"]
    many.upload(image, uuid.uuid4().bytes * 65536)
    flavors = many.get("compute", "/v2.1/flavors", scope=under("cloud-1"))["flavors"]
    flavor = next(one["id"] for one in flavors if one["name"] == "m1.small")
    yield {"imageRef": image, "flavorRef": flavor, "networks": "none"}
    many.call("DELETE", "image", f"/v2/images/{image}")


def begun(pool, user, what, document, clouds=BOTH):
    service, path, _ = THINGS[what]
    return pool.submit(user.call, "POST", service, path, document, scope=under(clouds), fine=ANY)


def killed(proxy, stops, calls):
    """When all of these are stopped; nobody gets an answer."""
    for stop in stops:
        stop.arrives()
    proxy.kill()
    assert all(isinstance(call.exception(), LabError) for call in calls)


def pattern(user, what):
    return THINGS[what][1].format(project=user.project).replace(".", r"\.")


def released(relays):
    for relay in relays.values():
        relay.release()


def resumed(user, proxy, left=0):
    """The same user calls, whatever for, until so many intents are left."""

    def done():
        user.call("GET", "network", "/v2.0/networks?limit=1")
        return len(proxy.intents()) == left

    until(done, "the journal stays as it is", pause=0.5)


def available(truths, name):
    """Cinder deletes no volume that is still being made."""
    until(
        lambda: {truth.held("volumes", name)[0]["status"] for truth in truths} == {"available"},
        "a volume is still being made",
    )


def are_replicas(user, truths, what, name):
    """What deletes one deletes the other."""
    service, path, _ = THINGS[what]
    if what == "volumes":
        available(truths, name)
    ids = [truth.held(what, name)[0]["id"] for truth in truths]
    answer = user.call("DELETE", service, f"{path}/{ids[1]}")
    assert replicas(answer) == dict(zip(CLOUDS, ids, strict=True))
    until(lambda: counts(truths, what, name) == (0, 0), f"{what} are left")


def test_made_in_both_but_never_answered(user, proxy, relays, truths, server):
    """One kill in the middle of four: each ends as if nothing had happened."""
    names = {what: unique("killed") for what in THINGS}
    documents = {what: THINGS[what][2](name) for what, name in names.items()}
    documents["servers"]["server"] |= server
    stops = [
        relays[cloud].stop("POST", pattern(user, what), after=True) for cloud in CLOUDS for what in THINGS
    ]
    with ThreadPoolExecutor() as pool:
        killed(proxy, stops, [begun(pool, user, what, documents[what]) for what in THINGS])
    assert {what: counts(truths, what, name) for what, name in names.items()} == dict.fromkeys(names, (1, 1))
    assert len(proxy.intents()) == len(THINGS)
    released(relays)
    proxy.restart()
    resumed(user, proxy)
    for what, name in names.items():
        are_replicas(user, truths, what, name)


def test_made_in_one_and_lost_on_the_way_to_the_other(user, proxy, relays, truths):
    """It is undone where it was made, asked for nowhere again, and told of until somebody has looked."""
    name, beside = unique("lost"), unique("beside")
    lost = relays["cloud-999"].stop("POST", pattern(user, "networks"))
    kept = relays["edge-2"].stop("POST", r"/v3/[0-9a-f]+/volumes", after=True)
    with ThreadPoolExecutor() as pool:
        calls = [
            begun(pool, user, "networks", THINGS["networks"][2](name)),
            begun(pool, user, "volumes", THINGS["volumes"][2](beside), "cloud-1&edge-2"),
        ]
        until(lambda: (truths[0].count("networks", name), truths[0].count("volumes", beside)) == (1, 1))
        until(lambda: recorded(proxy, "cloud-1") == ["made", "made"], "it is not recorded")
        killed(proxy, [lost, kept], calls)
    waiting = {
        (one["collection"], cloud["cloud"]): cloud["waits_for"]
        for one in proxy.left()
        for cloud in one["clouds"]
        if cloud["waits_for"]
    }
    assert waiting["volumes", "edge-2"] == "the proxy itself (account edge-2-for-demo)"
    assert waiting["networks", "cloud-999"].startswith(f"a call of user {user.user_id}, ")
    released(relays)
    proxy.restart()
    # There it has an account that it may use by itself; nobody calls.
    until(lambda: len(proxy.intents()) == 1, "it does not go on by itself")
    assert counts(truths, "networks", name) == (1, 0)

    def undone():
        user.call("GET", "network", "/v2.0/networks?limit=1")
        return counts(truths, "networks", name) == (0, 0)

    until(undone, "it is not undone")
    until(lambda: recorded(proxy, "cloud-999") == ["uncertain"], "it was not looked for")
    [volume] = truths[0].held("volumes", beside)
    available(truths[:1], beside)
    path = f"/v3/{{project}}/volumes/{volume['id']}"
    answer = user.call("DELETE", "block-storage", path, scope=under("cloud-1&edge-2"))
    assert [*replicas(answer)] == ["cloud-1", "edge-2"]
    until(lambda: truths[0].count("volumes", beside) == 0, "a volume is left")


def recorded(proxy, cloud):
    """How far everything has come there."""
    return [states[cloud] for states in proxy.intents().values() if cloud in states]


def test_the_operator_goes_on_with_it_while_no_proxy_runs(
    user, proxy, relays, truths, home, abroad, tmp_path
):
    name = unique("operator")
    before = proxy.intents().keys()
    stop = relays["cloud-999"].stop("POST", pattern(user, "networks"), after=True)

    def recorded_at_home():
        found = proxy.intents()
        return [found[one] for one in found.keys() - before] == [{"cloud-1": "made", "cloud-999": "sending"}]

    with ThreadPoolExecutor() as pool:
        calls = [begun(pool, user, "networks", THINGS["networks"][2](name))]
        until(recorded_at_home, "it is not recorded")
        killed(proxy, [stop], calls)
    assert counts(truths, "networks", name) == (1, 1)
    released(relays)
    proxy.release_leases()
    accounts = tmp_path / "clouds.yaml"
    operators = {f"{place.name}-operator": {"auth": administrator(place)} for place in (home, abroad)}
    write_private(accounts, json.dumps({"clouds": operators}))
    named = [word for place in (home, abroad) for word in ("--as", f"{place.name}={place.name}-operator")]
    [intent] = proxy.intents().keys() - before
    status, said = proxy.journal("retry", "--clouds-yaml", str(accounts), *named, intent)
    assert (status, f"{intent}: done" in said.splitlines()) == (0, True), said
    assert proxy.intents().keys() == before
    assert counts(truths, "networks", name) == (1, 1)
    proxy.start()
    are_replicas(user, truths, "networks", name)


def administrator(place):
    return {
        "auth_url": f"{place.url('identity')}/v3",
        "username": "admin",
        "password": Secrets(place.folder).get("admin"),
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }

"""Things found by their id alone in a scope of both clouds, and changed and deleted where they are."""

from __future__ import annotations

import uuid

import pytest

from tests.lab.evidence import Evidence
from tests.lab.many import ANY, BOTH, RAW, told, under, until

CLOUDS = ("cloud-1", "cloud-999")


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


KINDS = {
    "image": ("image", "/v2/images", "glance-api", lambda name: {"name": name, **RAW}),
    "volume": (
        "block-storage",
        "/v3/{project}/volumes",
        "cinder-api",
        lambda name: {"volume": {"size": 1, "name": name}},
    ),
    "network": ("network", "/v2.0/networks", "neutron-server", lambda name: {"network": {"name": name}}),
    "server_group": (
        "compute",
        "/v2.1/os-server-groups",
        "nova-api-os-compute",
        lambda name: {"server_group": {"name": name, "policy": "affinity"}},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_found_in_the_other_cloud_and_then_nobody_else_is_asked(many, spare, lab, home, abroad, kind):
    """Made past the proxy that is asked, whose index knows nothing of it at first."""
    service, path, log, document = KINDS[kind]
    made = many.make(service, path, document(unique("found")), abroad.name)[abroad.name]
    item = f"{path}/{made}"

    def shown(*asked):
        """Show it; whether these were asked, by their services' own logs."""
        evidence = Evidence(lab)
        document = spare.get(service, item)
        assert document.get(kind, document)["id"] == made
        assert evidence.service(abroad, log, f"{made} HTTP/1.1")
        return all(evidence.service(place, log, f"{made} HTTP/1.1") for place in asked), evidence

    assert shown(home)[0]

    def alone():
        _, evidence = shown()
        return evidence.silent(home, log, f"{made} HTTP/1.1")

    # Who is known to have it is given a second before the others are asked, too.
    until(alone, "home is asked each time")
    if kind == "volume":
        until(lambda: spare.get(service, item)["volume"]["status"] == "available", "creating")
    assert spare.call("DELETE", service, item).status in (202, 204)
    until(lambda: gone(many, service, item, abroad.name), "it is still there")
    until(lambda: gone(spare, service, item, BOTH), "it is still found")


def gone(many, service, item, clouds):
    return many.call("GET", service, item, scope=under(clouds), fine=(404,)).status == 404


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_cloud_has_is_not_found_and_every_cloud_was_asked(spare, home, abroad, evidence, kind):
    service, path, log, _ = KINDS[kind]
    nowhere = str(uuid.uuid4())
    answer = spare.call("GET", service, f"{path}/{nowhere}", fine=ANY)
    assert (answer.status, answer.headers["x-oidproxy-error"]) == (404, "not-found")
    for place in (home, abroad):
        assert evidence.service(place, log, f"{nowhere} HTTP/1.1")


def test_the_real_client_locates_and_deletes_what_is_in_one_of_the_clouds(client, many, abroad):
    scope = under(BOTH)
    name = unique("by-client")
    made = many.make("image", "/v2/images", {"name": name, **RAW}, abroad.name)[abroad.name]
    assert client.json("scope", "resource", "locate", made) == [
        {"Cloud": abroad.name, "Service": "image", "Collection": "images", "Name": name, "Status": "queued"}
    ]
    many.patch(made, "/seen", "yes")
    assert many.get("image", f"/v2/images/{made}", scope=under(abroad.name))["seen"] == "yes"
    client.run("image", "delete", made, scope=scope)
    assert many.locate(made)["found"] == []


def test_two_things_under_one_id_are_told_apart_only_by_their_clouds(spare, many):
    """Glance lets anybody choose an id."""
    chosen = str(uuid.uuid4())
    for cloud in CLOUDS:
        many.make("image", "/v2/images", {"id": chosen, "name": f"of-{cloud}", **RAW}, cloud)
    item = f"/v2/images/{chosen}"
    listed(spare, chosen)

    def ambiguous():
        answer = spare.call("GET", "image", item, fine=ANY)
        return answer if answer.status == 300 else None

    # What a list showed is known some moments later.
    answer = until(ambiguous, "one cloud's is shown each time")
    assert answer.headers["x-oidproxy-error"] == "ambiguous"
    assert answer.headers["x-scope-candidates"] == ",".join(CLOUDS)
    assert spare.patch(chosen, "/name", "neither", fine=ANY).status == 300
    for cloud in CLOUDS:
        assert spare.get("image", item, scope=under(cloud))["name"] == f"of-{cloud}"
    assert [one["name"] for one in spare.locate(chosen)["found"]] == [f"of-{cloud}" for cloud in CLOUDS]
    assert spare.call("DELETE", "image", item).status == 204
    assert all(gone(many, "image", item, cloud) for cloud in CLOUDS)


def listed(spare, image):
    """So that both clouds are known to have it: where one alone is known, it alone is asked."""
    rows = spare.get("image", f"/v2/images?id={image}")["images"]
    assert [row["id"] for row in rows] == [image, image]


def test_one_thing_in_two_clouds_is_shown_as_the_first_has_it(spare, many):
    chosen, data = str(uuid.uuid4()), uuid.uuid4().bytes * 4096
    for cloud in CLOUDS:
        many.make("image", "/v2/images", {"id": chosen, "name": f"of-{cloud}", **RAW}, cloud)
        many.upload(chosen, data, cloud)
    listed(spare, chosen)

    def first():
        shown = spare.get("image", f"/v2/images/{chosen}")
        assert shown["status"] == "active"
        return shown["name"] == "of-cloud-1"

    until(first, "another cloud's is shown each time")
    assert spare.call("GET", "image", f"/v2/images/{chosen}/file").body == data
    assert spare.call("DELETE", "image", f"/v2/images/{chosen}").status == 204
    assert all(gone(many, "image", f"/v2/images/{chosen}", cloud) for cloud in CLOUDS)


def test_in_a_cloud_behind_an_exchange_it_is_found_as_well(spare, edge_2):
    clouds = f"{BOTH}&{edge_2.name}"
    name = unique("found")
    made = spare.make("image", "/v2/images", {"name": name, **RAW}, edge_2.name)[edge_2.name]
    shown = spare.get("image", f"/v2/images/{made}", scope=under(clouds))
    assert (shown["id"], shown["owner"]) == (made, spare.project)
    listed = spare.call("GET", "image", f"/v2/images?owner={spare.project}&name={name}", scope=under(clouds))
    assert told(listed).ok == 3
    assert [one["id"] for one in listed.json["images"]] == [made]
    assert spare.call("DELETE", "image", f"/v2/images/{made}", scope=under(clouds)).status == 204
    assert gone(spare, "image", f"/v2/images/{made}", edge_2.name)

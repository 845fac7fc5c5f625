"""Things that are made in both clouds at once, by real services: marks, ids of each, partial failure."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from tests.lab.many import ANY, BOTH, KEY, RAW, counts, replicas, rows, under, until

CLOUDS = ("cloud-1", "cloud-999")


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def both(truths, what, name):
    """The one of this name in each cloud."""
    found = [truth.held(what, name) for truth in truths]
    assert [len(rows) for rows in found] == [1, 1], name
    return [rows[0] for rows in found]


@pytest.fixture(scope="module")
def image(client, tmp_path_factory):
    """By the real client: POST, then PUT of the data."""
    path = tmp_path_factory.mktemp("image") / "disk.raw"
    path.write_bytes(hashlib.shake_256(uuid.uuid4().bytes).digest(3 * 1024 * 1024 + 1))
    words = ("--disk-format", "raw", "--container-format", "bare", "--file", str(path))
    made = client.json("image", "create", *words, unique("both"), scope=under(BOTH))
    yield made, path.read_bytes()
    client.run("image", "delete", made["id"], scope=under(BOTH))


@pytest.fixture(scope="module")
def network(many):
    """A network, and a subnet of it, named by the id of its replica in the other cloud."""
    name = unique("both")
    ids = many.make("network", "/v2.0/networks", {"network": {"name": name, "description": "ours"}})
    subnet = {"network_id": ids["cloud-999"], "name": name, "ip_version": 4, "cidr": "10.9.0.0/24"}
    subnets = many.make("network", "/v2.0/subnets", {"subnet": subnet})
    yield name, ids, subnets
    assert many.call("DELETE", "network", f"/v2.0/networks/{ids['cloud-999']}").status == 204


@pytest.fixture(scope="module")
def flavor(many):
    """The id of m1.small at home. Each cloud has one, so the client finds several of that name."""
    flavors = many.get("compute", "/v2.1/flavors", scope=under("cloud-1"))["flavors"]
    return next(one["id"] for one in flavors if one["name"] == "m1.small")


def test_an_image_is_in_both_clouds_under_one_id_byte_by_byte(many, truths, home, abroad, image):
    made, data = image
    for place, one in zip((home, abroad), both(truths, "images", made["name"]), strict=True):
        assert (one["id"], one["status"]) == (made["id"], "active")
        assert one["os_hash_value"] == hashlib.sha512(data).hexdigest()
        assert (place.data / "glance" / "images" / made["id"]).read_bytes() == data
    many.patch(made["id"], "/seen", "yes")
    assert [one["seen"] for one in both(truths, "images", made["name"])] == ["yes", "yes"]


def test_a_network_and_its_subnet_bear_marks_and_belong_together(many, truths, network):
    name, ids, subnets = network
    found = both(truths, "networks", name)
    assert [one["id"] for one in found] == [ids[cloud] for cloud in CLOUDS]
    # Neutron has no place for it but the description.
    assert found[0]["description"] == found[1]["description"]
    assert found[0]["description"].startswith("ours [oidproxy_replica ")
    for truth, cloud in zip(truths, CLOUDS, strict=True):
        subnet = truth.call("GET", "network", f"/v2.0/subnets/{subnets[cloud]}").json["subnet"]
        assert subnet["network_id"] == ids[cloud]


def test_a_port_names_its_network_and_its_security_group_as_each_cloud_does(many, truths, network):
    name = unique("both")
    _, ids, _ = network
    groups = many.make("network", "/v2.0/security-groups", {"security_group": {"name": name}})
    port = {"name": name, "network_id": ids["cloud-1"], "security_groups": [groups["cloud-999"]]}
    made = many.make("network", "/v2.0/ports", {"port": port})
    for one, cloud in zip(both(truths, "ports", name), CLOUDS, strict=True):
        assert (one["id"], one["network_id"], one["security_groups"]) == (
            made[cloud], ids[cloud], [groups[cloud]],
        )  # fmt: skip
    path = f"/v2.0/ports/{made['cloud-999']}"
    many.call("PUT", "network", path, {"port": {"name": f"{name}-new"}})
    assert counts(truths, "ports", f"{name}-new") == (1, 1)
    assert many.call("DELETE", "network", path).status == 204
    assert counts(truths, "ports", f"{name}-new") == (0, 0)
    path = f"/v2.0/security-groups/{groups['cloud-1']}"
    assert many.call("DELETE", "network", path).status == 204
    assert counts(truths, "security_groups", name) == (0, 0)


def test_a_server_is_made_changed_and_deleted_in_both_by_the_real_client(
    client, many, truths, flavor, image, network
):
    """Of one image, of each cloud's own flavor, on each cloud's network, with a key pair that is in both."""
    name, key = unique("both"), unique("key")
    many.make("compute", "/v2.1/os-keypairs", {"keypair": {"name": key, "public_key": KEY}})
    assert counts(truths, "keypairs", key) == (1, 1)
    named = ("--image", image[0]["id"], "--flavor", flavor, "--network", network[1]["cloud-999"])
    words = (*named, "--key-name", key)
    made = client.json("server", "create", *words, name, scope=under(BOTH))

    def active():
        found = both(truths, "servers", name)
        return all(one["status"] == "ACTIVE" for one in found) and found

    found = until(active, "a replica is still being made")
    marks = {one["metadata"]["oidproxy_replica"] for one in found}
    assert len(marks) == 1
    assert found[0]["id"] == made["id"] != found[1]["id"]
    for one in found:
        assert (one["image"]["id"], one["key_name"]) == (image[0]["id"], key)
        assert one["flavor"]["original_name"] == "m1.small"
        assert [*one["addresses"]] == [network[0]]
    many.call("PUT", "compute", f"/v2.1/servers/{found[1]['id']}", {"server": {"name": f"{name}-new"}})
    assert counts(truths, "servers", f"{name}-new") == (1, 1)
    for action, locked in (("lock", True), ("unlock", False)):
        many.call("POST", "compute", f"/v2.1/servers/{found[1]['id']}/action", {action: None})
        assert [one["locked"] for one in both(truths, "servers", f"{name}-new")] == [locked, locked]
    client.run("server", "delete", made["id"], scope=under(BOTH))
    until(lambda: counts(truths, "servers", f"{name}-new") == (0, 0), "one of them is left")
    many.call("DELETE", "compute", f"/v2.1/os-keypairs/{key}")
    assert counts(truths, "keypairs", key) == (0, 0)


def test_a_volume_and_its_snapshot_are_in_both(many, truths):
    name = unique("both")
    ids = many.make("block-storage", "/v3/{project}/volumes", {"volume": {"size": 1, "name": name}})
    found = both(truths, "volumes", name)
    assert [one["id"] for one in found] == [ids[cloud] for cloud in CLOUDS]
    assert len({one["metadata"]["oidproxy_replica"] for one in found}) == 1
    item = f"/v3/{{project}}/volumes/{ids['cloud-999']}"
    until(lambda: {one["status"] for one in both(truths, "volumes", name)} == {"available"}, name)
    snapshot = {"volume_id": ids["cloud-999"], "name": name}
    snapshots = many.make("block-storage", "/v3/{project}/snapshots", {"snapshot": snapshot})
    for truth, cloud in zip(truths, CLOUDS, strict=True):
        path = f"/v3/{{own}}/snapshots/{snapshots[cloud]}"
        shown = until(lambda t=truth, p=path: rested(t.call("GET", "block-storage", p)), "it is not made")
        assert (shown["status"], shown["volume_id"]) == ("available", ids[cloud])
    many.call("DELETE", "block-storage", f"/v3/{{project}}/snapshots/{snapshots['cloud-1']}")

    def gone():
        left = (f"/v3/{{own}}/snapshots/{snapshots[cloud]}" for cloud in CLOUDS)
        answers = [
            truth.call("GET", "block-storage", path, fine=(404,))
            for truth, path in zip(truths, left, strict=True)
        ]
        return [answer.status for answer in answers] == [404, 404]

    until(gone, "a snapshot is left")
    many.call("DELETE", "block-storage", item)
    until(lambda: counts(truths, "volumes", name) == (0, 0), "a volume is left")


def rested(answer):
    snapshot = answer.json["snapshot"]
    return None if snapshot["status"] == "creating" else snapshot


def test_where_one_cloud_refuses_the_other_undoes_it_or_keeps_it_as_is_asked(many, truths):
    """A quota that no other cloud has."""
    quota = f"/v2.0/quotas/{many.project}"
    full = {"quota": {"network": len(truths[1].held("networks"))}}
    truths[1].call("PUT", "network", quota, full)
    try:
        for policy, outcome, left in (("undo", "undone", 0), ("keep", "made", 1)):
            name = unique(policy)
            body = {"network": {"name": name}}
            answer = many.call("POST", "network", "/v2.0/networks", body, fine=ANY, X_Scope_On_Partial=policy)
            assert (answer.status, answer.headers["x-oidproxy-error"]) == (409, "replicas")
            assert rows(answer) == {"cloud-1": outcome, "cloud-999": "not made"}
            assert "Quota exceeded" in answer.json["error"]["message"]
            assert counts(truths, "networks", name) == (left, 0)
            assert [*replicas(answer)] == ["cloud-1"][:left]
        [kept] = truths[0].held("networks", name)
        many.call("DELETE", "network", f"/v2.0/networks/{kept['id']}")
        assert counts(truths, "networks", name) == (0, 0)
    finally:
        truths[1].call("DELETE", "network", quota)


def test_what_has_no_counterpart_is_refused_before_anything_is_sent(many, truths, home, flavor):
    """The image is in one cloud alone, and no other has one with its data."""
    name = unique("nowhere")
    [image] = many.get("image", f"/v2/images?name=image-of-{home.name}")["images"]
    server = {"name": name, "imageRef": image["id"], "flavorRef": flavor, "networks": "none"}
    answer = many.call("POST", "compute", "/v2.1/servers", {"server": server}, fine=(409,))
    assert answer.headers["x-oidproxy-error"] == "replicas"
    assert rows(answer) == {"cloud-999": "no counterpart"}
    assert counts(truths, "servers", name) == (0, 0)


def test_in_three_clouds_one_of_them_behind_an_exchange(spare, truths, edge_2):
    clouds = under(f"{BOTH}&{edge_2.name}")
    name, data = unique("three"), uuid.uuid4().bytes * 65536
    answer = spare.call("POST", "image", "/v2/images", {"name": name, **RAW}, scope=clouds)
    [image] = set(replicas(answer).values())
    assert [*replicas(answer)] == [*CLOUDS, edge_2.name]
    spare.call("PUT", "image", f"/v2/images/{image}/file", data=data, scope=clouds)
    hashes = {
        spare.get("image", f"/v2/images/{image}", scope=under(cloud))["os_hash_value"]
        for cloud in replicas(answer)
    }
    assert hashes == {hashlib.sha512(data).hexdigest()}
    volume = {"size": 1, "name": name}
    made = spare.call("POST", "block-storage", "/v3/{project}/volumes", {"volume": volume}, scope=clouds)
    ids = replicas(made)
    assert [*ids] == [*CLOUDS, edge_2.name]

    def available():
        states = {show(spare, cloud, ids[cloud]) for cloud in ids}
        assert "error" not in states
        return states == {"available"}

    until(available, "a volume is still being made")
    spare.call("DELETE", "block-storage", f"/v3/{{project}}/volumes/{ids[edge_2.name]}", scope=clouds)
    until(lambda: {show(spare, cloud, ids[cloud]) for cloud in ids} == {"gone"}, "a volume is left")
    assert spare.call("DELETE", "image", f"/v2/images/{image}", scope=clouds).status == 204
    assert counts(truths, "images", name) == (0, 0)


def show(many, cloud, volume):
    path = f"/v3/{{project}}/volumes/{volume}"
    answer = many.call("GET", "block-storage", path, scope=under(cloud), fine=(404,))
    return "gone" if answer.status == 404 else answer.json["volume"]["status"]

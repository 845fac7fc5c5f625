"""Nova: building servers, failing to, their life cycle, volumes, snapshots, flavors, keypairs,
microversions."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from oidproxy.sim.nova.compute import SNAPSHOT_SIZE
from tests.sim.virtual import User, World

ADDRESS = "127.0.1.1"
LATEST = {"OpenStack_API_Version": "compute 2.96"}


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", ADDRESS)
    return found


@pytest.fixture
def demo(world: World) -> User:
    return User(world, ADDRESS)


def build(demo: User, **given: Any) -> dict[str, Any]:
    image_id = given.pop("image_id", None) or demo.image()["id"]
    created = demo.server(image_id, **given)
    assert created.status == 202, created.body
    return demo.show(created.json()["server"]["id"])


def act(demo: User, server: dict[str, Any], action: dict[str, Any]) -> int:
    return demo.ask("POST", "compute", f"/v2.1/servers/{server['id']}/action", action, **LATEST).status


def volume(demo: User, **given: Any) -> dict[str, Any]:
    answer = demo.ask(
        "POST", "block-storage", f"/v3/{demo.project_id}/volumes", {"volume": {"size": 1, **given}}
    )
    assert answer.status == 202, answer.body
    return dict(
        demo.ask(
            "GET", "block-storage", f"/v3/{demo.project_id}/volumes/{answer.json()['volume']['id']}"
        ).json()["volume"]
    )


class TestBuilding:
    def test_a_server_becomes_active_and_has_read_its_image(self, world: World, demo: User) -> None:
        data = b"some disk" * 999
        server = build(demo, image_id=demo.image(data)["id"])
        assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
        assert server["addresses"]["private"][0]["addr"] == "10.8.0.2"
        journal, entry = world.notes[-1]
        assert journal == "downloads"
        assert entry["server_id"] == server["id"]
        assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert entry["matches"] is True

    def test_data_that_is_not_what_glance_said_ends_in_error(self, world: World, demo: User) -> None:
        image = demo.image(b"good")
        world.blobs[ADDRESS, f"image-{image['id']}"] = b"evil"
        server = build(demo, image_id=image["id"])
        assert server["status"] == "ERROR"
        assert "does not match its digest" in server["fault"]["message"]
        assert world.notes[-1][1]["matches"] is False

    def test_a_server_that_failed_leaves_nothing_behind(self, world: World, demo: User) -> None:
        image = demo.image(b"good")
        world.blobs[ADDRESS, f"image-{image['id']}"] = b"evil"
        server = build(demo, image_id=image["id"])
        assert demo.ask("GET", "network", "/v2.0/ports").json()["ports"] == []
        admin = User(world, ADDRESS, "admin", "admin")
        assert admin.ask("GET", "placement", f"/allocations/{server['id']}").json() == {"allocations": {}}
        assert server["addresses"] == {}

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"imageRef": "00000000-0000-0000-0000-000000000000"}, "Can not find requested image"),
            ({"flavorRef": "99"}, "Flavor 99 could not be found."),
            ({"key_name": "none"}, "Invalid key_name provided."),
            ({"networks": [{"uuid": "none"}]}, "Network none could not be found."),
            ({"name": ""}, "Invalid input for field/attribute name"),
            ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ],
    )
    def test_what_cannot_be_is_a_400(self, demo: User, given: dict[str, Any], message: str) -> None:
        document = {
            "name": "s",
            "imageRef": demo.image()["id"],
            "flavorRef": "2",
            "networks": "none",
            **given,
        }
        answer = demo.ask("POST", "compute", "/v2.1/servers", {"server": document}, **LATEST)
        assert answer.status == 400
        assert message in answer.json()["badRequest"]["message"]

    def test_a_queued_or_too_big_image_is_a_400(self, demo: User) -> None:
        queued = demo.ask("POST", "image", "/v2/images", {"name": "q"}).json()["id"]
        assert demo.server(queued, "none").status == 400
        assert demo.server(demo.image(min_ram=9999)["id"], "none").status == 400
        assert demo.server(demo.image(min_disk=50)["id"], "none").status == 400

    def test_without_room_it_is_an_error_with_the_schedulers_words(self, world: World, demo: User) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        given = {"flavor": {"name": "huge", "ram": 1 << 40, "disk": 1, "vcpus": 1}}
        flavor = admin.ask("POST", "compute", "/v2.1/flavors", given).json()["flavor"]
        server = build(demo, flavorRef=flavor["id"])
        assert server["status"] == "ERROR"
        assert "No valid host was found" in server["fault"]["message"]

    def test_an_unreachable_glance_is_tried_four_times(self, world: World, demo: User) -> None:
        image, started = demo.image(), world.now
        world.clouds[ADDRESS].services["image"].respond = _unavailable  # type: ignore[method-assign]
        assert demo.server(image["id"], "none").status == 500
        assert world.now - started == 3.0

    def test_several_at_once(self, demo: User) -> None:
        build(demo, min_count=2, max_count=3)
        rows = demo.ask("GET", "compute", "/v2.1/servers/detail", **LATEST).json()["servers"]
        assert sorted(row["name"] for row in rows) == ["s-1", "s-2", "s-3"]
        assert {row["status"] for row in rows} == {"ACTIVE"}
        assert len({row["addresses"]["private"][0]["addr"] for row in rows}) == 3

    def test_with_two_networks_auto_is_ambiguous(self, demo: User) -> None:
        demo.ask("POST", "network", "/v2.0/networks", {"network": {"name": "second"}})
        answer = demo.server(demo.image()["id"])
        assert answer.status == 409
        assert "Multiple possible networks" in answer.json()["conflictingRequest"]["message"]

    def test_without_a_network_auto_gets_one_made(self, world: World, demo: User) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        network = admin.ask("GET", "network", "/v2.0/networks").json()["networks"][0]["id"]
        assert admin.ask("DELETE", "network", f"/v2.0/networks/{network}").status == 204
        server = build(demo)
        assert list(server["addresses"]) == ["auto_allocated_network"]

    def test_a_port_of_the_users_own_stays_when_the_server_goes(self, demo: User) -> None:
        network = demo.ask("GET", "network", "/v2.0/networks").json()["networks"][0]["id"]
        port = demo.ask("POST", "network", "/v2.0/ports", {"port": {"network_id": network}}).json()["port"]
        server = build(demo, networks=[{"port": port["id"]}])
        assert server["addresses"]["private"][0]["addr"] == port["fixed_ips"][0]["ip_address"]
        assert demo.server(demo.image()["id"], [{"port": port["id"]}]).status == 409
        demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}")
        left = demo.ask("GET", "network", f"/v2.0/ports/{port['id']}").json()["port"]
        assert (left["device_id"], left["status"]) == ("", "DOWN")

    def test_named_security_groups(self, demo: User) -> None:
        demo.ask("POST", "network", "/v2.0/security-groups", {"security_group": {"name": "web"}})
        server = build(demo, security_groups=[{"name": "web"}])
        assert server["security_groups"] == [{"name": "web"}]


def _unavailable(_request: Any) -> Any:
    from oidproxy.sim.messages import Response

    yield from ()
    return Response(503)


class TestLifeCycle:
    def test_stop_start_reboot(self, demo: User) -> None:
        server = build(demo)
        assert act(demo, server, {"os-stop": None}) == 202
        assert demo.show(server["id"])["status"] == "SHUTOFF"
        assert act(demo, server, {"os-stop": None}) == 409
        assert act(demo, server, {"os-start": None}) == 202
        assert act(demo, server, {"reboot": {"type": "SOFT"}}) == 202
        assert demo.show(server["id"])["status"] == "ACTIVE"
        assert act(demo, server, {"explode": None}) == 400

    def test_deleting_frees_everything(self, world: World, demo: User) -> None:
        server = build(demo)
        admin = User(world, ADDRESS, "admin", "admin")
        provider = admin.ask("GET", "placement", "/resource_providers").json()["resource_providers"][0][
            "uuid"
        ]
        usages = f"/resource_providers/{provider}/usages"
        assert admin.ask("GET", "placement", usages).json()["usages"]["VCPU"] == 1
        demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}")
        assert admin.ask("GET", "placement", usages).json()["usages"]["VCPU"] == 0

    def test_a_snapshot_is_an_image_with_the_same_bytes_each_time(self, demo: User) -> None:
        server = build(demo)
        answer = demo.ask(
            "POST",
            "compute",
            f"/v2.1/servers/{server['id']}/action",
            {"createImage": {"name": "snap"}},
            **LATEST,
        )
        image = demo.ask("GET", "image", f"/v2/images/{answer.json()['image_id']}").json()
        assert (answer.status, image["status"], image["size"]) == (202, "active", SNAPSHOT_SIZE)
        assert (image["image_type"], image["instance_uuid"]) == ("snapshot", server["id"])
        assert demo.show(server["id"])["OS-EXT-STS:task_state"] is None

    def test_others_do_not_see_it(self, world: World, demo: User) -> None:
        server = build(demo)
        admin = User(world, ADDRESS, "admin", "admin")
        made = admin.ask(
            "POST", "identity", "/v3/users", {"user": {"name": "eve", "password": "correct horse"}}
        ).json()["user"]
        project = admin.ask("POST", "identity", "/v3/projects", {"project": {"name": "lab"}}).json()[
            "project"
        ]
        role = admin.ask("GET", "identity", "/v3/roles?name=member").json()["roles"][0]
        admin.ask("PUT", "identity", f"/v3/projects/{project['id']}/users/{made['id']}/roles/{role['id']}")
        eve = User(world, ADDRESS, "eve", "lab")
        assert eve.ask("GET", "compute", f"/v2.1/servers/{server['id']}").status == 404
        assert eve.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}").status == 404
        assert eve.ask("GET", "compute", "/v2.1/servers").json()["servers"] == []
        assert eve.ask("GET", "compute", "/v2.1/servers?all_tenants=1").status == 403
        assert admin.ask("GET", "compute", f"/v2.1/servers/{server['id']}").status == 200

    def test_a_long_build_survives_the_users_token(self, world: World, demo: User) -> None:
        """The service token beside the user's lets Glance and Neutron ask for an expired one."""
        image, network = demo.image(), demo.ask("GET", "network", "/v2.0/networks").json()["networks"][0]
        world.frozen = True
        server_id = demo.server(image["id"], [{"uuid": network["id"]}]).json()["server"]["id"]
        world.now += 3700
        world.frozen = False
        world.settle()
        assert demo.ask("GET", "compute", "/v2.1/servers").status == 401
        assert User(world, ADDRESS).show(server_id)["status"] == "ACTIVE"
        validations = [
            call.url for call, status in world.log if "allow_expired=1" in call.url and status == 200
        ]
        assert validations

    def test_without_a_service_token_it_does_not(self, world: World, demo: User) -> None:
        image = demo.image()
        world.frozen = True
        server_id = demo.server(image["id"], "none").json()["server"]["id"]
        keystone = world.clouds[ADDRESS].keystone
        tables = ((keystone.users, "nova"), (keystone.roles, "service"), (keystone.projects, "service"))
        nova, role, project = (table.where(name=name)[0]["id"] for table, name in tables)
        keystone.revoke(nova, role, "project", project)
        world.now += 3700
        world.frozen = False
        world.settle()
        keystone.grant(nova, role, "project", project)
        world.now += 3700
        server = User(world, ADDRESS).show(server_id)
        assert server["status"] == "ERROR"
        assert "Not authorized for image" in server["fault"]["message"]

    def test_deleting_while_it_is_built_leaves_nothing(self, world: World, demo: User) -> None:
        image = demo.image()
        world.frozen = True
        server_id = demo.server(image["id"]).json()["server"]["id"]
        assert demo.ask("DELETE", "compute", f"/v2.1/servers/{server_id}").status == 204
        assert demo.show(server_id)["OS-EXT-STS:task_state"] == "deleting"
        world.frozen = False
        world.settle()
        assert demo.ask("GET", "compute", f"/v2.1/servers/{server_id}").status == 404
        assert demo.ask("GET", "network", "/v2.0/ports").json()["ports"] == []


class TestVolumes:
    def test_attach_and_detach(self, demo: User) -> None:
        server, disk = build(demo), volume(demo)
        path = f"/v2.1/servers/{server['id']}/os-volume_attachments"
        given = {"volumeAttachment": {"volumeId": disk["id"]}}
        assert demo.ask("POST", "compute", path, given, **LATEST).status == 200
        shown = demo.ask("GET", "block-storage", f"/v3/{demo.project_id}/volumes/{disk['id']}").json()[
            "volume"
        ]
        assert shown["status"] == "in-use"
        assert shown["attachments"][0]["server_id"] == server["id"]
        assert (
            demo.ask("GET", "compute", path, **LATEST).json()["volumeAttachments"][0]["device"] == "/dev/vdb"
        )
        assert demo.ask("POST", "compute", path, given, **LATEST).status == 400
        assert demo.ask("DELETE", "compute", f"{path}/{disk['id']}", **LATEST).status == 202
        shown = demo.ask("GET", "block-storage", f"/v3/{demo.project_id}/volumes/{disk['id']}").json()[
            "volume"
        ]
        assert (shown["status"], shown["attachments"]) == ("available", [])

    def test_a_users_own_detachment_asks_nova_first(self, world: World, demo: User) -> None:
        """Cinder presents the user's token for another one, in the body and as X-Auth-Token
        (CVE-2023-2088)."""
        server, disk = build(demo), volume(demo)
        path = f"/v2.1/servers/{server['id']}/os-volume_attachments"
        demo.ask("POST", "compute", path, {"volumeAttachment": {"volumeId": disk["id"]}}, **LATEST)
        attachments = demo.ask("GET", "block-storage", f"/v3/{demo.project_id}/attachments").json()[
            "attachments"
        ]
        before = len(world.log)
        answer = demo.ask(
            "DELETE", "block-storage", f"/v3/{demo.project_id}/attachments/{attachments[0]['id']}"
        )
        assert answer.status == 409
        again = [call for call, _ in world.log[before:] if call.method == "POST" and b'"token"' in call.body]
        assert len(again) == 1
        assert dict(again[0].fields)["X-Auth-Token"] == demo.token
        assert demo.token.encode() in again[0].body

    def test_deleting_a_server_detaches_its_volumes(self, demo: User) -> None:
        server, disk = build(demo), volume(demo)
        path = f"/v2.1/servers/{server['id']}/os-volume_attachments"
        demo.ask("POST", "compute", path, {"volumeAttachment": {"volumeId": disk["id"]}}, **LATEST)
        demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}")
        shown = demo.ask("GET", "block-storage", f"/v3/{demo.project_id}/volumes/{disk['id']}").json()[
            "volume"
        ]
        assert shown["status"] == "available"

    def test_boot_from_a_volume_made_of_an_image(self, demo: User) -> None:
        image = demo.image(b"disk")
        mapping = {
            "uuid": image["id"], "source_type": "image", "destination_type": "volume", "boot_index": 0,
            "volume_size": 1, "delete_on_termination": True,
        }  # fmt: skip
        created = demo.server("", "none", block_device_mapping_v2=[mapping])
        server = demo.show(created.json()["server"]["id"])
        assert (server["status"], server["image"]) == ("ACTIVE", "")
        assert len(server["os-extended-volumes:volumes_attached"]) == 1
        demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}")
        assert demo.ask("GET", "block-storage", f"/v3/{demo.project_id}/volumes").json()["volumes"] == []

    def test_boot_from_a_volume_that_is_there(self, demo: User) -> None:
        disk = volume(demo, imageRef=demo.image()["id"])
        mapping = {"uuid": disk["id"], "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        created = demo.server("", "none", block_device_mapping_v2=[mapping])
        assert demo.show(created.json()["server"]["id"])["status"] == "ACTIVE"
        assert demo.server("", "none", block_device_mapping_v2=[mapping]).status == 400


class TestListing:
    def test_pages_have_absolute_links_and_cover_everything_once(self, demo: User) -> None:
        image = demo.image()["id"]
        for place in range(5):
            demo.server(image, "none", name=f"s{place}")
        seen: list[str] = []
        path = "/v2.1/servers/detail?limit=2"
        while path:
            document = demo.ask("GET", "compute", path, **LATEST).json()
            seen += [row["name"] for row in document["servers"]]
            links = document.get("servers_links", [])
            path = links[0]["href"].removeprefix(f"http://{ADDRESS}:8774") if links else ""
            assert path == "" or path.startswith("/v2.1/servers/detail?")
        assert seen == ["s4", "s3", "s2", "s1", "s0"]

    def test_filters_and_order(self, demo: User) -> None:
        image = demo.image()["id"]
        for name in ("alpha", "beta", "alphabet"):
            demo.server(image, "none", name=name)
        expected = {
            "name=alpha": ["alphabet", "alpha"],
            "name=^alpha$": ["alpha"],
            "status=ACTIVE&sort_key=display_name&sort_dir=asc": ["alpha", "alphabet", "beta"],
            "status=ERROR": [],
            f"image={image}&name=beta": ["beta"],
            "name=(": [],
        }
        found = {
            query: [
                row["name"] for row in demo.ask("GET", "compute", f"/v2.1/servers?{query}").json()["servers"]
            ]
            for query in expected
        }
        assert found == expected

    def test_an_unknown_marker_is_a_400(self, demo: User) -> None:
        assert demo.ask("GET", "compute", "/v2.1/servers?marker=none").status == 400


class TestMicroversions:
    @pytest.mark.parametrize(
        ("asked", "status", "told"),
        [
            ("", 200, "compute 2.1"),
            ("compute 2.47", 200, "compute 2.47"),
            ("compute latest", 200, "compute 2.96"),
            ("volume 3.1", 200, "compute 2.1"),
            ("compute 2.999", 406, None),
            ("compute x", 400, None),
        ],
    )
    def test_negotiation(self, demo: User, asked: str, status: int, told: str | None) -> None:
        fields = {"OpenStack_API_Version": asked} if asked else {}
        answer = demo.ask("GET", "compute", "/v2.1/flavors", **fields)
        assert (answer.status, answer.fields.get("openstack-api-version")) == (status, told)

    def test_the_older_field_counts_too(self, demo: User) -> None:
        answer = demo.ask("GET", "compute", "/v2.1/flavors", X_OpenStack_Nova_API_Version="2.55")
        assert answer.fields["x-openstack-nova-api-version"] == "2.55"
        assert "description" in answer.json()["flavors"][0]

    def test_a_flavor_is_embedded_from_2_47_on(self, demo: User) -> None:
        server = build(demo)
        old = demo.ask("GET", "compute", f"/v2.1/servers/{server['id']}").json()["server"]
        assert old["flavor"]["id"] == "2"
        assert server["flavor"]["original_name"] == "m1.small"
        assert "tags" not in old


class TestContentTypes:
    """Nova's WSGI layer refuses foreign types even where there is no body."""

    @pytest.mark.parametrize(
        ("content_type", "status"),
        [("", 204), ("application/json", 204), ("text/plain", 204), ("application/octet-stream", 415)],
    )
    def test_an_empty_delete(self, demo: User, content_type: str, status: int) -> None:
        server = build(demo)
        fields = {"Content_Type": content_type} if content_type else {}
        answer = demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}", **fields)
        assert answer.status == status
        if status == 415:
            assert answer.json() == {"badMediaType": {"code": 415, "message": "Unsupported Content-Type"}}


class TestKeypairsAndFlavors:
    def test_import_list_show_delete(self, demo: User) -> None:
        given = {"keypair": {"name": "k", "public_key": "ssh-ed25519 AAAA me"}}
        created = demo.ask("POST", "compute", "/v2.1/os-keypairs", given)
        assert created.status == 200
        assert created.json()["keypair"]["fingerprint"].count(":") == 15
        assert demo.ask("POST", "compute", "/v2.1/os-keypairs", given).status == 409
        rows = demo.ask("GET", "compute", "/v2.1/os-keypairs").json()["keypairs"]
        assert [row["keypair"]["name"] for row in rows] == ["k"]
        assert build(demo, key_name="k")["key_name"] == "k"
        assert demo.ask("DELETE", "compute", "/v2.1/os-keypairs/k").status == 202
        assert demo.ask("GET", "compute", "/v2.1/os-keypairs/k").status == 404

    def test_nova_makes_a_key_before_2_92_only(self, demo: User) -> None:
        given = {"keypair": {"name": "k"}}
        assert demo.ask("POST", "compute", "/v2.1/os-keypairs", given, **LATEST).status == 400
        assert (
            demo.ask("POST", "compute", "/v2.1/os-keypairs", given).json()["keypair"]["private_key"]
            == "private"
        )

    def test_nonsense_is_no_key(self, demo: User) -> None:
        given = {"keypair": {"name": "k", "public_key": "nonsense"}}
        assert demo.ask("POST", "compute", "/v2.1/os-keypairs", given).status == 400

    def test_keypairs_are_their_users(self, world: World, demo: User) -> None:
        demo.ask(
            "POST", "compute", "/v2.1/os-keypairs", {"keypair": {"name": "k", "public_key": "ssh-rsa AAAA"}}
        )
        admin = User(world, ADDRESS, "admin", "admin")
        assert admin.ask("GET", "compute", "/v2.1/os-keypairs").json()["keypairs"] == []

    def test_flavors_are_administrators_business(self, world: World, demo: User) -> None:
        given = {
            "flavor": {"name": "f", "ram": 1, "disk": 1, "vcpus": 1, "os-flavor-access:is_public": False}
        }
        assert demo.ask("POST", "compute", "/v2.1/flavors", given).status == 403
        admin = User(world, ADDRESS, "admin", "admin")
        flavor = admin.ask("POST", "compute", "/v2.1/flavors", given).json()["flavor"]
        assert demo.ask("GET", "compute", f"/v2.1/flavors/{flavor['id']}").status == 404
        assert (
            admin.ask("GET", "compute", "/v2.1/flavors?is_public=false").json()["flavors"][0]["name"] == "f"
        )
        assert admin.ask("DELETE", "compute", f"/v2.1/flavors/{flavor['id']}").status == 202

    def test_flavor_pages_and_filters(self, demo: User) -> None:
        page = demo.ask("GET", "compute", "/v2.1/flavors?limit=2").json()
        assert [row["name"] for row in page["flavors"]] == ["m1.tiny", "m1.small"]
        assert page["flavors_links"][0]["href"].startswith(f"http://{ADDRESS}:8774/v2.1/flavors?")
        large = demo.ask("GET", "compute", "/v2.1/flavors?minRam=8192").json()["flavors"]
        assert [row["name"] for row in large] == ["m1.large", "m1.xlarge"]


class TestExternalEvents:
    def test_only_for_services(self, world: World, demo: User) -> None:
        path = "/v2.1/os-server-external-events"
        event = {"name": "network-changed", "server_uuid": "none"}
        assert demo.ask("POST", "compute", path, {"events": [event]}).status == 403
        nova = User(world, ADDRESS, "nova", "service")
        assert nova.ask("POST", "compute", path, {"events": [event]}).status == 404

    def test_known_and_unknown_servers(self, world: World, demo: User) -> None:
        server, nova = build(demo), User(world, ADDRESS, "nova", "service")
        known = {"name": "network-vif-plugged", "server_uuid": server["id"]}
        unknown = {"name": "network-vif-plugged", "server_uuid": "none"}
        path = "/v2.1/os-server-external-events"
        assert nova.ask("POST", "compute", path, {"events": [known]}).status == 200
        both = nova.ask("POST", "compute", path, {"events": [known, unknown]})
        assert both.status == 207
        assert [row["code"] for row in both.json()["events"]] == [200, 404]

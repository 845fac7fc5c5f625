"""Cinder: volumes and where their bytes come from and go. Placement: what fits, and who may ask."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.sim.cinder.worker import EMPTY_SIZE
from oidproxy.sim.faults import ApiError
from oidproxy.sim.placement.model import Consumer, Inventory, Placement, Provider
from tests.sim.virtual import User, World

ADDRESS = "127.0.1.1"


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", ADDRESS)
    return found


@pytest.fixture
def demo(world: World) -> User:
    return User(world, ADDRESS)


def ask(user: User, method: str, path: str, document: object = None) -> Any:
    return user.ask(method, "block-storage", f"/v3/{user.project_id}{path}", document)


def volume(user: User, **values: Any) -> dict[str, Any]:
    answer = ask(user, "POST", "/volumes", {"volume": {"size": 1, **values}})
    assert answer.status == 202, answer.body
    return dict(ask(user, "GET", f"/volumes/{answer.json()['volume']['id']}").json()["volume"])


class TestVolumes:
    def test_an_empty_one_is_available(self, demo: User) -> None:
        made = volume(demo, name="v", metadata={"k": "v"})
        assert (made["status"], made["bootable"], made["metadata"]) == ("available", "false", {"k": "v"})
        assert made["links"][0]["href"] == f"http://{ADDRESS}:8776/v3/{demo.project_id}/volumes/{made['id']}"

    def test_one_of_an_image_holds_its_bytes_and_gives_them_back(self, world: World, demo: User) -> None:
        image = demo.image(b"precious")
        made = volume(demo, imageRef=image["id"])
        assert (made["status"], made["bootable"]) == ("available", "true")
        assert made["volume_image_metadata"]["image_id"] == image["id"]
        assert world.blobs[ADDRESS, f"volume-{made['id']}"] == b"precious"
        action = {"os-volume_upload_image": {"image_name": "copy", "disk_format": "raw"}}
        answer = ask(demo, "POST", f"/volumes/{made['id']}/action", action)
        copy = demo.ask(
            "GET", "image", f"/v2/images/{answer.json()['os-volume_upload_image']['image_id']}"
        ).json()
        assert copy["os_hash_value"] == image["os_hash_value"]

    def test_an_image_is_read_with_the_users_and_a_service_token(self, world: World, demo: User) -> None:
        image = demo.image()
        before = len(world.log)
        volume(demo, imageRef=image["id"])
        reads = [call for call, _ in world.log[before:] if "/v2/images/" in call.url]
        assert [call.url.rsplit("/", 1)[-1] for call in reads] == [image["id"], "file"]
        for call in reads:
            fields = dict(call.fields)
            assert fields["X-Auth-Token"] == demo.token
            assert fields["X-Service-Token"]

    def test_wrong_bytes_end_in_error(self, world: World, demo: User) -> None:
        image = demo.image(b"good")
        world.blobs[ADDRESS, f"image-{image['id']}"] = b"evil"
        made = volume(demo, imageRef=image["id"])
        assert made["status"] == "error"
        assert (ADDRESS, f"volume-{made['id']}") not in world.blobs

    def test_an_empty_one_uploads_something(self, demo: User) -> None:
        action = {"os-volume_upload_image": {"image_name": "copy"}}
        answer = ask(demo, "POST", f"/volumes/{volume(demo)['id']}/action", action)
        image = demo.ask(
            "GET", "image", f"/v2/images/{answer.json()['os-volume_upload_image']['image_id']}"
        ).json()
        assert (image["status"], image["size"]) == ("active", EMPTY_SIZE)

    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ({"size": 0}, 400),
            ({"size": "x"}, 400),
            ({"size": 1, "imageRef": "none"}, 400),
            ({"size": 1, "volume_type": "none"}, 404),
            ({"size": 1, "snapshot_id": "none"}, 404),
            ({"size": 1, "source_volid": "none"}, 404),
        ],
    )
    def test_what_cannot_be(self, demo: User, values: dict[str, Any], status: int) -> None:
        assert ask(demo, "POST", "/volumes", {"volume": values}).status == status

    def test_a_foreign_project_in_the_path_is_a_400_for_everybody(self, world: World, demo: User) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        for user in (demo, admin):
            answer = user.ask("GET", "block-storage", "/v3/0123456789abcdef0123456789abcdef/volumes")
            assert answer.status == 400
            assert answer.json() == {"badRequest": {"code": 400, "message": "Malformed request url"}}

    def test_without_a_project_in_the_path_the_tokens_counts(self, demo: User) -> None:
        made = volume(demo)
        rows = demo.ask("GET", "block-storage", "/v3/volumes/detail").json()["volumes"]
        assert [row["id"] for row in rows] == [made["id"]]

    def test_one_that_a_server_uses_is_not_deleted(self, demo: User) -> None:
        made = volume(demo)
        ask(demo, "POST", "/attachments", {"attachment": {"volume_uuid": made["id"], "instance_uuid": "s"}})
        assert ask(demo, "DELETE", f"/volumes/{made['id']}").status == 400

    def test_snapshots(self, demo: User) -> None:
        made = volume(demo)
        given = {"snapshot": {"volume_id": made["id"], "name": "snap"}}
        snapshot = ask(demo, "POST", "/snapshots", given).json()["snapshot"]
        assert ask(demo, "GET", f"/snapshots/{snapshot['id']}").json()["snapshot"]["status"] == "available"
        assert ask(demo, "DELETE", f"/volumes/{made['id']}").status == 400
        assert volume(demo, snapshot_id=snapshot["id"])["snapshot_id"] == snapshot["id"]
        assert ask(demo, "DELETE", f"/snapshots/{snapshot['id']}").status == 202
        assert ask(demo, "DELETE", f"/volumes/{made['id']}").status == 202

    def test_pages_are_absolute(self, world: World, demo: User) -> None:
        for place in range(3):
            world.now += 1
            volume(demo, name=f"v{place}")
        page = ask(demo, "GET", "/volumes?limit=2").json()
        assert [row["name"] for row in page["volumes"]] == ["v2", "v1"]
        link = page["volumes_links"][0]["href"]
        assert link.startswith(f"http://{ADDRESS}:8776/v3/{demo.project_id}/volumes?")
        rest = demo.ask("GET", "block-storage", link.removeprefix(f"http://{ADDRESS}:8776")).json()
        assert [row["name"] for row in rest["volumes"]] == ["v0"]

    def test_an_attachment_of_no_server_needs_no_nova(self, demo: User) -> None:
        made = volume(demo)
        given = {"attachment": {"volume_uuid": made["id"], "connector": {"host": "h"}}}
        attachment = ask(demo, "POST", "/attachments", given).json()["attachment"]
        assert ask(demo, "POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}).status == 204
        assert ask(demo, "DELETE", f"/attachments/{attachment['id']}").status == 200
        assert ask(demo, "GET", f"/volumes/{made['id']}").json()["volume"]["status"] == "available"


class TestPlacement:
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=30))
    @settings(deadline=None)
    def test_never_more_is_allocated_than_there_is(self, claims: list[tuple[int, int]]) -> None:
        placement = Placement()
        provider = placement.add(Provider("p", "host", {"VCPU": Inventory(10)}))
        held: dict[int, int] = {}
        for who, amount in claims:
            wanted = {"p": {"VCPU": amount}} if amount else {}
            others = sum(one for other, one in held.items() if other != who)
            if others + amount > 10:
                with pytest.raises(ApiError) as refused:
                    placement.allocate(Consumer(str(who), "project", "user", wanted))
                assert refused.value.status == 409
            else:
                placement.allocate(Consumer(str(who), "project", "user", wanted))
                held[who] = amount
            assert placement.used(provider, "VCPU") == sum(held.values()) <= 10

    def test_a_stale_generation_is_a_conflict(self, world: World) -> None:
        nova = User(world, ADDRESS, "nova", "service")
        provider = nova.ask("GET", "placement", "/resource_providers").json()["resource_providers"][0]["uuid"]
        claim = {
            "allocations": {provider: {"resources": {"VCPU": 1}}},
            "project_id": "p", "user_id": "u", "consumer_generation": None,
        }  # fmt: skip
        assert nova.ask("PUT", "placement", "/allocations/c", claim).status == 204
        assert nova.ask("PUT", "placement", "/allocations/c", claim).status == 409
        assert (
            nova.ask("PUT", "placement", "/allocations/c", claim | {"consumer_generation": 1}).status == 204
        )
        assert nova.ask("DELETE", "placement", "/allocations/c").status == 204
        assert nova.ask("DELETE", "placement", "/allocations/c").status == 404

    def test_members_have_no_business_here(self, demo: User) -> None:
        answer = demo.ask("GET", "placement", "/resource_providers")
        assert answer.status == 403
        assert answer.json()["errors"][0]["title"] == "Forbidden"

    def test_its_links_are_path_only(self, world: World) -> None:
        nova = User(world, ADDRESS, "nova", "service")
        row = nova.ask("GET", "placement", "/resource_providers").json()["resource_providers"][0]
        assert all(link["href"].startswith("/resource_providers/") for link in row["links"])

"""Glance: states, visibility, sharing, listing, patching; bytes go through unchanged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.sim.faults import ApiError
from oidproxy.sim.glance.model import TRANSITIONS, Glance
from oidproxy.sim.sources import Sources
from tests.sim.virtual import User, World, content_of

if TYPE_CHECKING:
    from oidproxy.sim.messages import Answer, Content

ADDRESS = "127.0.1.1"
PATCH = {"Content_Type": "application/openstack-images-v2.1-json-patch"}
EVENTS = sorted({event for _, event in TRANSITIONS})


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", ADDRESS)
    return found


@pytest.fixture
def demo(world: World) -> User:
    return User(world, ADDRESS)


@pytest.fixture
def stranger(world: World) -> User:
    """A member of another project."""
    admin = User(world, ADDRESS, "admin", "admin")
    project = admin.ask("POST", "identity", "/v3/projects", {"project": {"name": "lab"}}).json()["project"]
    user = admin.ask("GET", "identity", "/v3/users?name=demo").json()["users"][0]
    role = admin.ask("GET", "identity", "/v3/roles?name=member").json()["roles"][0]
    admin.ask("PUT", "identity", f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    return User(world, ADDRESS, "demo", "lab")


def patch(user: User, image_id: str, *operations: dict[str, Any]) -> Answer:
    return user.ask("PATCH", "image", f"/v2/images/{image_id}", body=msgspec.json.encode(operations), **PATCH)


def names(answer: Answer) -> list[str]:
    return [image["name"] for image in answer.json()["images"]]


def test_bytes_come_back_as_they_went(demo: User) -> None:
    data = bytes(range(256)) * 1000
    image = demo.image(data)
    assert image["status"] == "active"
    assert image["size"] == len(data)
    assert image["checksum"] == hashlib.md5(data).hexdigest()
    assert (image["os_hash_algo"], image["os_hash_value"]) == ("sha512", hashlib.sha512(data).hexdigest())
    answer = demo.ask("GET", "image", image["file"])
    assert answer.body == data
    assert answer.fields["content-md5"] == image["checksum"]
    assert answer.fields["content-type"] == "application/octet-stream"


def test_an_image_without_data_is_queued_and_has_no_content(demo: User) -> None:
    image = demo.ask("POST", "image", "/v2/images", {"name": "empty"}).json()
    assert (image["status"], image["size"], image["checksum"]) == ("queued", None, None)
    assert demo.ask("GET", "image", image["file"]).status == 204


def test_data_is_uploaded_once_and_only_as_octets(demo: User) -> None:
    image = demo.image()
    octets = {"Content_Type": "application/octet-stream"}
    assert demo.ask("PUT", "image", image["file"], body=b"again", **octets).status == 409
    queued = demo.ask("POST", "image", "/v2/images", {"name": "b"}).json()
    assert demo.ask("PUT", "image", queued["file"], body=b"x", Content_Type="text/plain").status == 415


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
@settings(deadline=None)
def test_states_change_only_as_the_table_says(events: list[str]) -> None:
    import random

    glance = Glance(Sources(lambda: 0.0, random.Random(1)))
    image = glance.create("p")
    status = image.status
    for event in events:
        wanted = TRANSITIONS.get((status, event))
        values: dict[str, Content] = {"content": content_of(b"x")} if event == "complete" else {}
        if wanted is None:
            with pytest.raises(ApiError) as refused:
                glance.move(image.id, event, **values)
            assert refused.value.status == 409
        else:
            status = glance.move(image.id, event, **values).status
            assert status == wanted


class TestWhoSeesWhat:
    @pytest.mark.parametrize(
        ("visibility", "seen", "listed"),
        [("private", 404, False), ("shared", 404, False), ("community", 200, False), ("public", 200, True)],
    )
    def test_by_visibility(
        self, world: World, stranger: User, visibility: str, seen: int, listed: bool
    ) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        image = admin.image(visibility=visibility)
        assert stranger.ask("GET", "image", f"/v2/images/{image['id']}").status == seen
        assert stranger.ask("GET", "image", f"/v2/images/{image['id']}/file").status == seen
        assert (names(stranger.ask("GET", "image", "/v2/images")) == ["cirros"]) is listed

    def test_community_images_are_listed_when_asked_for(self, demo: User, stranger: User) -> None:
        demo.image(visibility="community")
        assert names(stranger.ask("GET", "image", "/v2/images?visibility=community")) == ["cirros"]

    def test_only_administrators_make_images_public(self, demo: User) -> None:
        assert demo.ask("POST", "image", "/v2/images", {"name": "p", "visibility": "public"}).status == 403

    def test_seeing_is_not_changing(self, world: World, stranger: User) -> None:
        image = User(world, ADDRESS, "admin", "admin").image(visibility="public")
        assert patch(stranger, image["id"], {"op": "replace", "path": "/name", "value": "mine"}).status == 403
        assert stranger.ask("DELETE", "image", f"/v2/images/{image['id']}").status == 403

    def test_a_shared_image_is_seen_at_once_and_listed_when_accepted(
        self, demo: User, stranger: User
    ) -> None:
        image = demo.image()
        path = f"/v2/images/{image['id']}/members"
        assert demo.ask("POST", "image", path, {"member": stranger.project_id}).json()["status"] == "pending"
        assert stranger.ask("GET", "image", f"/v2/images/{image['id']}").status == 200
        assert names(stranger.ask("GET", "image", "/v2/images")) == []
        assert names(stranger.ask("GET", "image", "/v2/images?member_status=pending")) == ["cirros"]
        accepted = stranger.ask("PUT", "image", f"{path}/{stranger.project_id}", {"status": "accepted"})
        assert accepted.json()["status"] == "accepted"
        assert names(stranger.ask("GET", "image", "/v2/images")) == ["cirros"]
        assert demo.ask("DELETE", "image", f"{path}/{stranger.project_id}").status == 204
        assert stranger.ask("GET", "image", f"/v2/images/{image['id']}").status == 404

    def test_the_owner_does_not_accept_for_others_nor_shares_twice(self, demo: User, stranger: User) -> None:
        path = f"/v2/images/{demo.image()['id']}/members"
        demo.ask("POST", "image", path, {"member": stranger.project_id})
        answer = demo.ask("PUT", "image", f"{path}/{stranger.project_id}", {"status": "accepted"})
        assert answer.status == 403
        assert demo.ask("POST", "image", path, {"member": stranger.project_id}).status == 409


class TestListing:
    def test_pages_cover_everything_once_with_root_relative_links(self, world: World, demo: User) -> None:
        for place in range(30):
            world.now += 1
            demo.ask("POST", "image", "/v2/images", {"name": f"i{place:02}"})
        seen: list[str] = []
        path = "/v2/images?limit=7&sort=name:asc"
        while path:
            page = demo.ask("GET", "image", path)
            assert len(page.json()["images"]) <= 7
            seen += names(page)
            path = page.json().get("next", "")
            assert path == "" or path.startswith("/v2/images?")
        assert seen == [f"i{place:02}" for place in range(30)]

    def test_the_default_page_has_25_newest_first(self, world: World, demo: User) -> None:
        for place in range(30):
            world.now += 1
            demo.ask("POST", "image", "/v2/images", {"name": f"i{place:02}"})
        assert names(demo.ask("GET", "image", "/v2/images")) == [f"i{place:02}" for place in range(29, 4, -1)]

    def test_filters(self, demo: User) -> None:
        big, small = demo.image(b"x" * 100, name="big", os_distro="debian"), demo.image(b"x", name="small")
        demo.ask("POST", "image", "/v2/images", {"name": "hidden", "os_hidden": True, "tags": ["t"]})
        expected = {
            "name=big": ["big"],
            "os_distro=debian": ["big"],
            "size_min=50": ["big"],
            "size_max=50": ["small"],
            "status=active&sort=name:asc": ["big", "small"],
            "os_hidden=true": ["hidden"],
            "os_hidden=true&tag=t": ["hidden"],
            "tag=t": [],
            f"id=in:{big['id']},{small['id']}&sort_key=name&sort_dir=desc": ["small", "big"],
            "name=in:big,none": ["big"],
            "owner=nobody": [],
        }
        found = {query: names(demo.ask("GET", "image", f"/v2/images?{query}")) for query in expected}
        assert found == expected

    @pytest.mark.parametrize(
        "query", ["limit=x", "sort=nothing:asc", "marker=none", "sort_key=name&sort_dir=up"]
    )
    def test_nonsense_is_a_400(self, demo: User, query: str) -> None:
        assert demo.ask("GET", "image", f"/v2/images?{query}").status == 400


class TestPatch:
    def test_attributes_and_properties(self, demo: User) -> None:
        image = demo.image()
        changed = patch(
            demo, image["id"],
            {"op": "replace", "path": "/name", "value": "renamed"},
            {"op": "add", "path": "/os~1distro", "value": "debian"},
            {"op": "replace", "path": "/tags", "value": ["b", "a", "b"]},
        ).json()  # fmt: skip
        assert (changed["name"], changed["os/distro"], changed["tags"]) == ("renamed", "debian", ["a", "b"])
        assert "os/distro" not in patch(demo, image["id"], {"op": "remove", "path": "/os~1distro"}).json()

    @pytest.mark.parametrize(
        ("operation", "status"),
        [
            ({"op": "replace", "path": "/size", "value": 1}, 403),
            ({"op": "replace", "path": "/status", "value": "active"}, 403),
            ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
            ({"op": "remove", "path": "/name"}, 403),
            ({"op": "replace", "path": "/nothing", "value": "x"}, 409),
            ({"op": "remove", "path": "/nothing"}, 409),
            ({"op": "add", "path": "/number", "value": 1}, 400),
            ({"op": "add", "path": "/min_disk", "value": True}, 400),
            ({"op": "test", "path": "/name", "value": "x"}, 400),
            ({"op": "add", "path": "name", "value": "x"}, 400),
        ],
    )
    def test_what_may_not_be_changed(self, demo: User, operation: dict[str, Any], status: int) -> None:
        assert patch(demo, demo.image()["id"], operation).status == status

    def test_plain_json_is_not_a_patch(self, demo: User) -> None:
        assert demo.ask("PATCH", "image", f"/v2/images/{demo.image()['id']}", {"name": "x"}).status == 415


def test_a_deleted_image_and_its_bytes_are_gone(world: World, demo: User) -> None:
    image = demo.image()
    assert demo.ask("DELETE", "image", f"/v2/images/{image['id']}").status == 204
    assert demo.ask("GET", "image", f"/v2/images/{image['id']}").status == 404
    assert world.blobs == {}


def test_a_protected_image_is_not_deleted(demo: User) -> None:
    image = demo.image(protected=True)
    assert demo.ask("DELETE", "image", f"/v2/images/{image['id']}").status == 403


def test_a_deactivated_image_is_downloaded_by_administrators_only(world: World, demo: User) -> None:
    image, admin = demo.image(), User(world, ADDRESS, "admin", "admin")
    path = f"/v2/images/{image['id']}/actions"
    assert demo.ask("POST", "image", f"{path}/deactivate").status == 403
    assert admin.ask("POST", "image", f"{path}/deactivate").status == 204
    assert demo.ask("GET", "image", image["file"]).status == 403
    assert admin.ask("GET", "image", image["file"]).status == 200
    assert admin.ask("POST", "image", f"{path}/reactivate").status == 204
    assert demo.ask("GET", "image", image["file"]).status == 200


def test_errors_are_html_unless_json_is_asked_for(demo: User) -> None:
    page = demo.ask("GET", "image", "/v2/images/none")
    assert page.fields["content-type"].startswith("text/html")
    assert b"404 Not Found" in page.body
    assert (
        demo.ask("GET", "image", "/v2/images/none", Accept="application/json").json()["code"]
        == "404 Not Found"
    )


def test_without_a_token_glance_itself_answers_401(world: World) -> None:
    answer = world.ask("GET", f"http://{ADDRESS}:9292/v2/images")
    assert answer.status == 401
    assert answer.fields["www-authenticate"] == f'Keystone uri="http://{ADDRESS}:5000/v3"'
    assert answer.fields["content-type"].startswith("text/html")


def test_versions_are_absolute_and_schemas_are_served(world: World, demo: User) -> None:
    answer = world.ask("GET", f"http://{ADDRESS}:9292/")
    assert answer.status == 300
    assert answer.json()["versions"][0]["links"][0]["href"] == f"http://{ADDRESS}:9292/v2/"
    for name in ("image", "images", "member", "members"):
        assert demo.ask("GET", "image", f"/v2/schemas/{name}").json()["name"] == name

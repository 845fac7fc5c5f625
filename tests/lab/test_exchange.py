"""Clouds that nobody reconfigured: users of one at another, by each way of exchange, on real services.

Everything passes the gateway; what is there is looked up past it, by the clouds' own users.
"""

from __future__ import annotations

import json
import time

import pytest

from devstack.lab.api import send
from devstack.lab.passwords import Secrets
from tests.lab.users import Refused, User
from tests.lab.wiretap import Wiretap

IMAGES = "{keystone:edge-1;glance:edge-2}"
VOLUMES = "{keystone:edge-1;cinder:edge-2;glance:edge-2}"
SAME = "{keystone:edge-1;glance:edge-3;cinder:edge-3}"
RAW = ("--disk-format", "raw", "--container-format", "bare")
SECONDS = 65.0


@pytest.fixture(scope="module")
def member(lab, edges):
    """A member at edge-1, in the project that is mapped to a member's account at edge-2."""
    return User(lab, "edge-1")


@pytest.fixture(scope="module")
def guest(lab, edges):
    """edge-2's own user, whom members of edge-1 are there."""
    return User(lab, "edge-2-guest")


@pytest.fixture(scope="module")
def projects(member, guest):
    """The id of the project at home, and of that which stands for it at edge-2."""
    here, there = (user.json("token", "issue")["project_id"] for user in (member, guest))
    assert here != there
    return here, there


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.raw"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


def token_of(lab, place, user, project):
    """A token of the gateway's, and the project's id at home."""
    default = {"name": "Default"}
    known = {"name": user, "password": Secrets(place.host.folder).get(user), "domain": default}
    answer = send(
        "POST",
        f"{lab.edge_gateway_url}/s/identity:{place.name}/identity/v3/auth/tokens",
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": known}},
                "scope": {"project": {"name": project, "domain": default}},
            }
        },
    )
    assert answer.status == 201, answer
    return answer.headers["x-subject-token"], answer.json["token"]["project"]["id"]


# Mapped.


def test_a_member_works_with_images_of_a_cloud_that_never_heard_of_the_member(
    member, guest, projects, data, tmp_path
):
    made = member.json("image", "create", *RAW, "--file", str(data), "exchanged", scope=IMAGES)
    assert made["owner"] == projects[0]
    there = guest.json("image", "show", made["id"])
    assert (there["owner"], there["size"]) == (projects[1], data.stat().st_size)
    listed = member.json("image", "list", "--project", projects[0], "--name", "exchanged", scope=IMAGES)
    assert [image["ID"] for image in listed] == [made["id"]]
    saved = tmp_path / "saved"
    member.run("image", "save", "--file", str(saved), made["id"], scope=IMAGES)
    assert saved.read_bytes() == data.read_bytes()
    member.run("image", "delete", made["id"], scope=IMAGES)
    with pytest.raises(Refused):
        guest.run("image", "show", made["id"])


def test_the_project_in_cinders_paths_is_the_one_that_cinder_knows(member, guest, projects, edge_2, evidence):
    made = member.json("volume", "create", "--size", "1", "--image", "cirros", "paths", scope=VOLUMES)
    until(lambda: member.json("volume", "show", made["id"], scope=VOLUMES)["status"] == "available")
    assert made["id"] in ids(guest.json("volume", "list"))
    member.run("volume", "set", "--property", f"home={projects[0]}", made["id"], scope=VOLUMES)
    shown = member.json("volume", "show", made["id"], scope=VOLUMES)
    assert shown["properties"] == {"home": projects[0]}
    quota = member.json("quota", "show", "--volume", "--usage", projects[0], scope=VOLUMES)
    assert any(row["Resource"] == "volumes" and row["In Use"] >= 1 for row in quota)
    member.run("volume", "delete", made["id"], scope=VOLUMES)
    until(lambda: made["id"] not in ids(guest.json("volume", "list")))
    assert evidence.service(edge_2, "cinder-api", f"/v3/{projects[1]}/volumes/{made['id']}")
    assert evidence.silent(edge_2, "cinder-api", f"/v3/{projects[0]}")


def test_links_in_answers_lead_back_through_the_gateway_with_the_projects_own_id(lab, edge_1, projects):
    token, project = token_of(lab, edge_1, "demo", "demo")
    url = f"{lab.edge_gateway_url}/s/identity:edge-1;block-storage:edge-2/block-storage/v3/{project}/volumes"
    made = send("POST", url, {"volume": {"size": 1, "name": "links"}}, headers={"X-Auth-Token": token})
    assert made.status == 202, made
    volume = made.json["volume"]
    assert [link["href"].partition("/block-storage/")[2] for link in volume["links"]] == [
        f"v3/{project}/volumes/{volume['id']}",
        f"{project}/volumes/{volume['id']}",
    ]
    assert all(link["href"].startswith(lab.edge_gateway_url) for link in volume["links"])
    followed = send("GET", volume["links"][0]["href"], headers={"X-Auth-Token": token})
    assert followed.json["volume"]["os-vol-tenant-attr:tenant_id"] == project
    assert projects[1] not in followed.body.decode()
    until(lambda: send("DELETE", f"{url}/{volume['id']}", headers={"X-Auth-Token": token}).status == 202)


def test_a_reader_is_mapped_to_an_account_that_reads(lab, member, data):
    watcher = User(lab, "edge-1-watcher")
    names = {image["Name"] for image in watcher.json("image", "list", scope=IMAGES)}
    assert "image-of-edge-2" in names
    with pytest.raises(Refused, match="403"):
        watcher.run("image", "create", *RAW, "--file", str(data), "watched", scope=IMAGES)


def test_a_reader_gets_no_members_account(lab, edges):
    viewer = User(lab, "edge-1-viewer")
    with pytest.raises(Refused, match="may do more than this user"):
        viewer.run("image", "list", scope=IMAGES)


def test_an_administrator_is_no_more_than_what_is_mapped(lab, edge_1):
    token, _ = token_of(lab, edge_1, "admin", "admin")
    url = f"{lab.edge_gateway_url}/image/v2/images"
    answer = send("GET", url, headers={"X-Auth-Token": token, "X-Scope": IMAGES})
    assert (answer.status, "no credentials for project" in answer.body.decode()) == (403, True)


def test_who_admits_nobody_is_closed_to_users_of_the_others(lab, edges):
    with pytest.raises(Refused, match="does not admit"):
        User(lab, "edge-2").run("image", "list", scope="{keystone:edge-2;glance:edge-1}")


def test_no_token_of_home_reaches_the_other_cloud(lab, edge_1, edge_2):
    token, _ = token_of(lab, edge_1, "demo", "demo")
    bare = token.partition("~")[0].encode()
    with Wiretap(edge_2.address) as tap:
        fields = {"X-Auth-Token": token, "X-Scope": IMAGES}
        assert send("GET", f"{lab.edge_gateway_url}/image/v2/images", headers=fields).status == 200
        tap.settle()
        heard = [text for stream in tap.streams() for text in stream.texts]
    assert any(b"GET /v2/images" in text for text in heard)
    assert not any(bare in text for text in heard)


def test_a_token_that_was_revoked_at_home_opens_nothing_a_minute_later(lab, edge_1):
    token, _ = token_of(lab, edge_1, "demo", "demo")
    fields = {"X-Auth-Token": token, "X-Scope": IMAGES}
    url = f"{lab.edge_gateway_url}/image/v2/images"
    assert send("GET", url, headers=fields).status == 200
    bare = token.partition("~")[0]
    past = {"X-Auth-Token": bare, "X-Subject-Token": bare}
    assert send("DELETE", f"{edge_1.url('identity')}/v3/auth/tokens", headers=past).status == 204
    until(lambda: send("GET", url, headers=fields).status == 401)


# Carried.


def carrying(lab, user, entry, *words, scope):
    """`openstack --scope-carry`, with the user's own token of edge-2."""
    return json.loads(
        User(lab, user).run("--scope-carry", f"edge-2={entry}", *words, "-f", "json", scope=scope)
    )


def test_a_user_whom_no_account_suits_brings_a_token_along(lab, edges, data):
    own = User(lab, "edge-2-direct")
    made = carrying(
        lab,
        "edge-1-viewer",
        "edge-2-direct",
        "image",
        "create",
        *RAW,
        "--file",
        str(data),
        "mine",
        scope=IMAGES,
    )
    home = User(lab, "edge-1-viewer").json("token", "issue")["project_id"]
    assert made["owner"] == home
    assert own.json("image", "show", made["id"])["owner"] == own.json("token", "issue")["project_id"]
    own.run("image", "delete", made["id"])


def test_a_carried_token_is_for_its_own_cloud_only(lab, edge_1, edge_2):
    token, _ = token_of(lab, edge_1, "viewer", "demo")
    mine, _ = token_of(lab, edge_2, "demo", "demo")
    bare = mine.partition("~")[0]
    fields = {"X-Auth-Token": token, "X-Scope-Tokens": f"edge-2={bare}"}
    with Wiretap(edge_1.address) as tap:
        url = f"{lab.edge_gateway_url}/image/v2/images"
        assert send("GET", url, headers={**fields, "X-Scope": IMAGES}).status == 200
        assert send("GET", url, headers=fields).status == 200
        tap.settle()
        heard = [text for stream in tap.streams() for text in stream.texts]
    assert any(b"GET /v2/images" in text for text in heard)
    assert not any(bare.encode() in text for text in heard)
    assert bare not in lab.edge_access_log.read_text()


# Same.


def test_where_both_have_one_keystone_the_token_is_taken_as_it_is(lab, member, edge_3, data, evidence):
    names = {image["Name"] for image in member.json("image", "list", scope=SAME)}
    assert names == {"image-of-edge-3"}
    made = member.json("image", "create", *RAW, "--file", str(data), "same", scope=SAME)
    assert evidence.service(edge_3, "glance-api", f"PUT /v2/images/{made['id']}/file")
    member.run("image", "delete", made["id"], scope=SAME)


def test_a_role_that_may_not_be_used_there_cannot_be_taken_from_a_token(lab, edge_1, edge_3, evidence):
    token, _ = token_of(lab, edge_1, "admin", "admin")
    url = f"{lab.edge_gateway_url}/image/v2/images"
    answer = send("GET", url, headers={"X-Auth-Token": token, "X-Scope": SAME})
    assert (answer.status, "cannot lose them" in answer.body.decode()) == (403, True)
    assert evidence.silent(edge_3, "glance-api", "GET /v2/images")


def ids(rows):
    return {row["ID"] for row in rows}


def until(holds):
    """Wait for something that takes a while."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)

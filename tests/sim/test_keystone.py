"""Keystone: issuing, validating, rescoping, revoking, and what its default policies allow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.sim.virtual import PASSWORD, User, World

if TYPE_CHECKING:
    from oidproxy.sim.messages import Answer

ADDRESS = "127.0.1.1"
AUTH = f"http://{ADDRESS}:5000/v3/auth/tokens"
DEFAULT = {"id": "default"}


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", ADDRESS)
    return found


def validate(
    world: World, asker: str, subject: str, method: str = "GET", query: str = "", **fields: str
) -> Answer:
    headers = {"X-Auth-Token": asker, "X-Subject-Token": subject}
    return world.ask(
        method, AUTH + query, headers | {name.replace("_", "-"): value for name, value in fields.items()}
    )


def by_token(world: World, token: str, scope: Any = None) -> Answer:
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    if scope is not None:
        auth["scope"] = scope
    return world.ask("POST", AUTH, {"X-Auth-Token": token}, document={"auth": auth})


def credential(demo: User, **given: Any) -> dict[str, Any]:
    path = f"/v3/users/{demo.document['user']['id']}/application_credentials"
    answer = demo.ask("POST", "identity", path, {"application_credential": {"name": "ac", **given}})
    assert answer.status == 201, answer.body
    return dict(answer.json()["application_credential"])


def by_credential(world: World, row: dict[str, Any], secret: str | None = None, **auth: Any) -> Answer:
    identity = {
        "methods": ["application_credential"],
        "application_credential": {"id": row["id"], "secret": secret or row["secret"]},
    }
    return world.ask("POST", AUTH, document={"auth": {"identity": identity, **auth}})


def test_a_token_looks_like_fernet_and_says_what_keystone_says(world: World) -> None:
    demo = User(world, ADDRESS)
    assert demo.token.startswith("gAAAAA")
    assert 180 <= len(demo.token) <= 260
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", demo.document["expires_at"])
    assert demo.document["methods"] == ["password"]
    assert {role["name"] for role in demo.document["roles"]} == {"member", "reader"}
    assert demo.document["project"]["domain"] == {"id": "default", "name": "Default"}
    assert len(demo.document["audit_ids"]) == 1
    assert {service["type"] for service in demo.document["catalog"]} == {
        "identity", "image", "compute", "network", "placement", "block-storage",
    }  # fmt: skip


def test_tokens_are_not_alike(world: World) -> None:
    assert len({User(world, ADDRESS).token for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        (
            {
                "methods": ["password"],
                "password": {"user": {"name": "demo", "password": "x", "domain": DEFAULT}},
            },
            401,
        ),
        (
            {
                "methods": ["password"],
                "password": {"user": {"name": "who", "password": PASSWORD, "domain": DEFAULT}},
            },
            401,
        ),
        ({"methods": ["token"], "token": {"id": "gAAAAAnot"}}, 404),
        ({"methods": ["oauth1"], "oauth1": {}}, 401),
        ({"methods": ["password"]}, 400),
        ({}, 400),
    ],
)
def test_a_wrong_proof_is_refused(world: World, identity: dict[str, Any], status: int) -> None:
    answer = world.ask("POST", AUTH, document={"auth": {"identity": identity}})
    assert answer.status == status
    assert answer.json()["error"]["code"] == status
    assert ("www-authenticate" in answer.fields) == (status == 401)


@pytest.mark.parametrize(
    ("user", "scope", "status"),
    [
        ("demo", {"project": {"name": "admin", "domain": DEFAULT}}, 401),
        ("demo", {"project": {"id": "nowhere"}}, 401),
        ("demo", {"system": {"all": True}}, 401),
        ("admin", {"system": {"all": True}}, 201),
        ("admin", {"domain": {"id": "default"}}, 201),
        ("demo", "unscoped", 201),
    ],
)
def test_a_scope_needs_a_role(world: World, user: str, scope: Any, status: int) -> None:
    named = {"name": user, "password": PASSWORD, "domain": DEFAULT}
    identity = {"methods": ["password"], "password": {"user": named}}
    assert world.ask("POST", AUTH, document={"auth": {"identity": identity, "scope": scope}}).status == status


def test_an_unscoped_token_has_neither_roles_nor_catalog(world: World) -> None:
    document = User(world, ADDRESS, scope={"unscoped": {}}).document
    assert not {"roles", "catalog", "project"} & set(document)


def test_a_user_without_scope_gets_its_default_project(world: World) -> None:
    named = {"name": "demo", "password": PASSWORD, "domain": DEFAULT}
    answer = world.ask(
        "POST", AUTH, document={"auth": {"identity": {"methods": ["password"], "password": {"user": named}}}}
    )
    assert answer.json()["token"]["project"]["name"] == "demo"


def test_rescoping_keeps_the_end_and_the_chain(world: World) -> None:
    demo = User(world, ADDRESS, scope={"unscoped": {}})
    world.now += 600
    scoped = by_token(world, demo.token, {"project": {"name": "demo", "domain": DEFAULT}})
    document = scoped.json()["token"]
    assert scoped.status == 201
    assert document["expires_at"] == demo.document["expires_at"]
    assert document["issued_at"] != demo.document["issued_at"]
    assert document["audit_ids"][1] == demo.document["audit_ids"][0]
    assert set(document["methods"]) == {"token", "password"}


def test_a_system_token_does_not_become_a_project_token(world: World) -> None:
    admin = User(world, ADDRESS, "admin", scope={"system": {"all": True}})
    assert by_token(world, admin.token, {"project": {"name": "admin", "domain": DEFAULT}}).status == 403


class TestWhoMayValidate:
    def test_anybody_may_validate_itself(self, world: World) -> None:
        demo = User(world, ADDRESS)
        for method in ("GET", "HEAD"):
            assert validate(world, demo.token, demo.token, method).status == 200

    def test_another_token_of_the_same_user_may(self, world: World) -> None:
        assert validate(world, User(world, ADDRESS).token, User(world, ADDRESS).token).status == 200

    def test_a_plain_member_may_not_validate_others(self, world: World) -> None:
        demo, admin = User(world, ADDRESS), User(world, ADDRESS, "admin", "admin")
        assert validate(world, demo.token, admin.token).status == 403

    def test_a_service_an_administrator_and_a_reader_of_the_system_may(self, world: World) -> None:
        demo = User(world, ADDRESS)
        askers = [
            User(world, ADDRESS, "nova", "service"),
            User(world, ADDRESS, "admin", "admin"),
            User(world, ADDRESS, "admin", scope={"system": {"all": True}}),
        ]
        for asker in askers:
            assert validate(world, asker.token, demo.token).status == 200

    def test_a_bad_asker_is_a_401_and_an_unknown_subject_a_404_even_for_members(self, world: World) -> None:
        demo = User(world, ADDRESS)
        assert validate(world, "gAAAAAno", demo.token).status == 401
        assert validate(world, demo.token, "gAAAAAno").status == 404
        assert world.ask("GET", AUTH, {"X-Auth-Token": demo.token}).status == 404

    def test_an_expired_subject_is_a_404_unless_asked_for(self, world: World) -> None:
        demo = User(world, ADDRESS)
        world.now += 3700
        nova = User(world, ADDRESS, "nova", "service")
        assert validate(world, nova.token, demo.token).status == 404
        assert validate(world, nova.token, demo.token, query="?allow_expired=1").status == 200
        assert validate(world, demo.token, demo.token, query="?allow_expired=1").status == 401
        world.now += 172_800
        fresh = User(world, ADDRESS, "nova", "service")
        assert validate(world, fresh.token, demo.token, query="?allow_expired=1").status == 404


def test_nocatalog_leaves_the_catalog_out(world: World) -> None:
    demo = User(world, ADDRESS)
    assert "catalog" not in validate(world, demo.token, demo.token, query="?nocatalog").json()["token"]


def test_a_revoked_token_is_unknown(world: World) -> None:
    demo, nova = User(world, ADDRESS), User(world, ADDRESS, "nova", "service")
    other = User(world, ADDRESS)
    assert validate(world, demo.token, demo.token, "DELETE").status == 204
    assert validate(world, nova.token, demo.token).status == 404
    assert validate(world, nova.token, other.token).status == 200


def test_nobody_revokes_a_stranger(world: World) -> None:
    demo, admin = User(world, ADDRESS), User(world, ADDRESS, "admin", "admin")
    assert validate(world, demo.token, admin.token, "DELETE").status == 403
    assert validate(world, admin.token, demo.token, "DELETE").status == 204


def test_a_changed_password_a_disabled_user_and_a_lost_role_end_tokens(world: World) -> None:
    admin, nova = User(world, ADDRESS, "admin", "admin"), User(world, ADDRESS, "nova", "service")
    demo = User(world, ADDRESS)
    user_id, keystone = demo.document["user"]["id"], world.clouds[ADDRESS].keystone
    changed = {"user": {"enabled": False}}
    assert admin.ask("PATCH", "identity", f"/v3/users/{user_id}", changed).status == 200
    assert validate(world, nova.token, demo.token).status == 404
    keystone.users.change(user_id, enabled=True)
    assert validate(world, nova.token, demo.token).status == 200
    for role in ("member", "reader"):
        identity = keystone.roles.find(name=role)["id"]  # type: ignore[index]
        path = f"/v3/projects/{demo.project_id}/users/{user_id}/roles/{identity}"
        assert admin.ask("DELETE", "identity", path).status == 204
    assert validate(world, nova.token, demo.token).status == 404


class TestApplicationCredentials:
    RULE: ClassVar = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}

    def test_it_gives_a_token_of_its_project(self, world: World) -> None:
        answer = by_credential(world, credential(User(world, ADDRESS)))
        document = answer.json()["token"]
        assert answer.status == 201
        assert document["methods"] == ["application_credential"]
        assert document["application_credential"]["restricted"] is True
        assert document["project"]["name"] == "demo"

    def test_a_wrong_secret_or_a_scope_is_refused(self, world: World) -> None:
        row = credential(User(world, ADDRESS))
        assert by_credential(world, row, "wrong").status == 401
        assert by_credential(world, row, scope={"system": {"all": True}}).status == 401

    def test_its_secret_is_shown_once(self, world: World) -> None:
        demo = User(world, ADDRESS)
        row = credential(demo)
        path = f"/v3/users/{demo.document['user']['id']}/application_credentials"
        assert row["secret"] not in demo.ask("GET", "identity", path).body.decode()

    def test_access_rules_hide_it_from_whoever_does_not_enforce_them(self, world: World) -> None:
        token = by_credential(world, credential(User(world, ADDRESS), access_rules=[self.RULE]))
        text, nova = token.fields["x-subject-token"], User(world, ADDRESS, "nova", "service")
        assert validate(world, nova.token, text).status == 404
        seen = validate(world, nova.token, text, OpenStack_Identity_Access_Rules="1.0")
        rules = seen.json()["token"]["application_credential"]["access_rules"]
        assert [{key: rule[key] for key in self.RULE} for rule in rules] == [self.RULE]

    def test_keystone_itself_enforces_them(self, world: World) -> None:
        token = by_credential(world, credential(User(world, ADDRESS), access_rules=[self.RULE]))
        headers = {"X-Auth-Token": token.fields["x-subject-token"]}
        assert world.ask("GET", f"http://{ADDRESS}:5000/v3/auth/projects", headers).status == 401
        headers["X-Subject-Token"] = headers["X-Auth-Token"]
        headers["OpenStack-Identity-Access-Rules"] = "1"
        assert world.ask("GET", AUTH, headers).status == 200

    def test_services_enforce_them(self, world: World) -> None:
        token = by_credential(world, credential(User(world, ADDRESS), access_rules=[self.RULE]))
        headers = {"X-Auth-Token": token.fields["x-subject-token"]}
        assert world.ask("GET", f"http://{ADDRESS}:8774/v2.1/servers", headers).status == 200
        assert world.ask("GET", f"http://{ADDRESS}:8774/v2.1/flavors", headers).status == 401
        assert world.ask("GET", f"http://{ADDRESS}:9292/v2/images", headers).status == 401

    def test_its_token_does_not_become_another_and_makes_no_credentials(self, world: World) -> None:
        demo = User(world, ADDRESS)
        token = by_credential(world, credential(demo)).fields["x-subject-token"]
        assert by_token(world, token, {"project": {"name": "demo", "domain": DEFAULT}}).status == 401
        demo.token = token
        path = f"/v3/users/{demo.document['user']['id']}/application_credentials"
        given = {"application_credential": {"name": "another"}}
        assert demo.ask("POST", "identity", path, given).status == 403

    def test_deleting_it_ends_its_tokens(self, world: World) -> None:
        demo, nova = User(world, ADDRESS), User(world, ADDRESS, "nova", "service")
        row = credential(demo)
        token = by_credential(world, row).fields["x-subject-token"]
        path = f"/v3/users/{demo.document['user']['id']}/application_credentials/{row['id']}"
        assert demo.ask("DELETE", "identity", path).status == 204
        assert validate(world, nova.token, token).status == 404

    def test_an_expired_one_gives_no_token(self, world: World) -> None:
        row = credential(User(world, ADDRESS), expires_at="2025-06-15T16:00:00.000000Z")
        world.now += 86_400
        assert by_credential(world, row).status == 401


class TestDirectory:
    def test_members_see_their_own_and_nothing_else(self, world: World) -> None:
        demo = User(world, ADDRESS)
        assert demo.ask("GET", "identity", "/v3/users").status == 403
        assert demo.ask("GET", "identity", f"/v3/users/{demo.document['user']['id']}").status == 200
        assert demo.ask("GET", "identity", f"/v3/projects/{demo.project_id}").status == 200
        assert demo.ask("GET", "identity", "/v3/regions").status == 200
        assert demo.ask("POST", "identity", "/v3/projects", {"project": {"name": "p"}}).status == 403
        assert world.ask("GET", f"http://{ADDRESS}:5000/v3/projects").status == 401

    def test_an_administrator_makes_a_user_that_can_log_in(self, world: World) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        project = admin.ask("POST", "identity", "/v3/projects", {"project": {"name": "lab"}}).json()[
            "project"
        ]
        given = {"user": {"name": "eve", "password": PASSWORD}}
        user = admin.ask("POST", "identity", "/v3/users", given).json()["user"]
        assert "password" not in user
        role = admin.ask("GET", "identity", "/v3/roles?name=member").json()["roles"][0]
        path = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        assert admin.ask("PUT", "identity", path).status == 204
        assert admin.ask("HEAD", "identity", path).status == 204
        assert User(world, ADDRESS, "eve", "lab").document["project"]["id"] == project["id"]
        assert admin.ask("DELETE", "identity", f"/v3/users/{user['id']}").status == 204
        assert admin.ask("GET", "identity", f"/v3/users/{user['id']}").status == 404

    def test_names_are_unique_in_their_domain(self, world: World) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        assert admin.ask("POST", "identity", "/v3/users", {"user": {"name": "demo"}}).status == 409

    def test_an_added_endpoint_is_in_the_next_catalog(self, world: World) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        given = {"service": {"type": "dns", "name": "designate"}}
        service = admin.ask("POST", "identity", "/v3/services", given).json()["service"]
        endpoint = {
            "service_id": service["id"], "interface": "public", "region_id": "RegionOne", "url": "http://dns/$(project_id)s",
        }  # fmt: skip
        assert admin.ask("POST", "identity", "/v3/endpoints", {"endpoint": endpoint}).status == 201
        demo = User(world, ADDRESS)
        entry = next(one for one in demo.document["catalog"] if one["type"] == "dns")
        assert entry["endpoints"][0]["url"] == f"http://dns/{demo.project_id}"


def test_version_documents_are_open_and_link_to_the_host_that_was_asked(world: World) -> None:
    many = world.ask("GET", f"http://{ADDRESS}:5000/")
    one = world.ask("GET", f"http://{ADDRESS}:5000/v3")
    assert (many.status, one.status) == (300, 200)
    assert one.json()["version"]["links"][0]["href"] == f"http://{ADDRESS}:5000/v3/"


def test_with_a_proxy_the_catalog_names_the_proxy() -> None:
    world = World()
    world.add("cloud-1", ADDRESS, proxy="127.0.2.1", region="Mars")
    world.aliases["127.0.2.1"] = ADDRESS
    demo = User(world, ADDRESS)
    urls = [endpoint["url"] for service in demo.document["catalog"] for endpoint in service["endpoints"]]
    assert all(url.startswith("http://127.0.2.1:") for url in urls)
    assert {
        endpoint["region"] for service in demo.document["catalog"] for endpoint in service["endpoints"]
    } == {"Mars"}
    assert demo.server(demo.image()["id"]).status == 202
    assert {call.url.split(":")[1] for call, _ in world.log if call.process != "client"} == {"//127.0.2.1"}

"""What users of one cloud try at another one: they are there what it admits, whatever they are at home."""

from __future__ import annotations

import json

import pytest

from tests.integration.attacking import ABROAD, DEFAULT, HOME, SYSTEM, UNSCOPED, World, bare, send

FLAVOR = {"flavor": {"name": "attack", "ram": 64, "vcpus": 1, "disk": 1}}
IMAGE = {"name": "attack", "disk_format": "raw", "container_format": "bare"}


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def admin(world):
    """The administrator of cloud-1, whose calls go to cloud-999."""
    return world.token("admin", under="*:cloud-999;identity:cloud-1")


@pytest.fixture(scope="module")
def guest(world):
    """A member of cloud-1, likewise."""
    return world.token(under="*:cloud-999;identity:cloud-1")


@pytest.fixture(scope="module")
def theirs(world):
    """An administrator of cloud-999 itself: the control."""
    return world.token("admin", ABROAD)


@pytest.fixture(scope="module")
def member(world):
    """A member of cloud-999 itself."""
    return world.token("demo", ABROAD)


def at_home(world, token, method, service, path, body=None, **fields):
    """Through the proxy beside cloud-1, as its users do."""
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    return send(world.beside(HOME), method, service, path, {"X-Auth-Token": token, **fields}, body)


def abroad(world, token, method, service, path, body=None):
    """Through the proxy beside cloud-999, as its users do."""
    return send(world.beside(ABROAD), method, service, path, {"X-Auth-Token": token}, body)


# An administrator of another cloud.


def test_an_admins_roles_are_stripped(world, admin):
    watch = world.watch(ABROAD)
    assert at_home(world, admin, "GET", "image", "/v2/images").status == 200
    [row] = [row for row in watch.seen("image") if row.get("x-auth-token")]
    told = world.validate(world.token("nova", ABROAD), row.get("x-auth-token")).json["token"]
    assert {role["name"] for role in told["roles"]} == {"member", "reader"}
    at_it_is = world.validate(admin, admin, at=world.beside(HOME)).json["token"]
    assert "admin" in {role["name"] for role in at_it_is["roles"]}


@pytest.mark.parametrize(
    ("method", "service", "path", "body"),
    [
        ("POST", "compute", "/v2.1/flavors", FLAVOR),
        ("GET", "compute", "/v2.1/servers/detail?all_tenants=1", None),
        ("GET", "block-storage", "/v3/volumes/detail?all_tenants=1", None),
        ("GET", "placement", "/resource_providers", None),
    ],
)
def test_what_only_admins_may_a_foreign_admin_may_not(world, admin, theirs, method, service, path, body):
    answer = at_home(world, admin, method, service, path, body)
    honest = abroad(world, theirs, method, service, path, body)
    assert honest.status in (200, 201), honest.text
    if service == "block-storage":  # Cinder ignores the filter for whoever may not use it
        assert answer.status == 200
        assert answer.json["volumes"] == []
        return
    assert answer.status == 403
    assert answer.own is None


@pytest.fixture(scope="module")
def private(world, member):
    """What a member of cloud-999 has there."""
    made = abroad(world, member, "POST", "image", "/v2/images", {**IMAGE, "visibility": "private"})
    volume = abroad(world, member, "POST", "block-storage", "/v3/volumes", {"volume": {"size": 1}})
    network = abroad(world, member, "POST", "network", "/v2.0/networks", {"network": {"name": "attack"}})
    assert (made.status, volume.status // 100, network.status) == (201, 2, 201)
    paths = {
        "image": f"/v2/images/{made.json['id']}",
        "block-storage": f"/v3/volumes/{volume.json['volume']['id']}",
        "network": f"/v2.0/networks/{network.json['network']['id']}",
    }
    return {
        service: world.made(world.beside(ABROAD), service, path, member) for service, path in paths.items()
    }


@pytest.mark.parametrize("service", ["image", "block-storage", "network"])
@pytest.mark.parametrize("who", ["admin", "guest"])
def test_other_projects_resources_are_not_there(world, request, private, member, who, service):
    token = request.getfixturevalue(who)
    path = private[service]
    for method in ("GET", "DELETE"):
        answer = at_home(world, token, method, service, path)
        assert answer.status == 404, answer.text
        assert answer.own is None
    listed = at_home(world, token, "GET", service, path.rpartition("/")[0])
    assert listed.status == 200
    assert path.rpartition("/")[2] not in listed.text
    assert abroad(world, member, "GET", service, path).status == 200


def test_the_clouds_public_images_are_not_a_guests_to_change(world, admin, guest, member):
    images = abroad(world, member, "GET", "image", "/v2/images?visibility=public").json["images"]
    for token in (admin, guest):
        path = f"/v2/images/{images[0]['id']}"
        assert at_home(world, token, "GET", "image", path).status == 200
        assert at_home(world, token, "DELETE", "image", path).status == 403
        assert at_home(world, token, "POST", "image", f"{path}/actions/deactivate").status == 403


def test_an_admins_calls_to_keystone_stay_at_home(world, admin):
    """Whichever address they come to: cloud-999's own Keystone does not hear of them."""
    watch = world.watch(ABROAD)
    for at in (world.beside(HOME), world.beside(ABROAD), world.gateway):
        answer = send(at, "GET", "identity", "/v3/users", {"X-Auth-Token": admin})
        assert answer.status == 200
    assert not watch.seen("identity")


@pytest.mark.parametrize(
    "more",
    [
        {"X-Roles": "admin"},
        {"X-Role": "admin"},
        {"X-Is-Admin-Project": "True"},
        {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "a", "X-Project-Id": "b"},
        {"X-Service-Identity-Status": "Confirmed", "X-Service-Roles": "service,admin"},
        {"OpenStack-System-Scope": "all"},
    ],
)
def test_fields_that_say_who_one_is_say_it_to_nobody(world, guest, more):
    watch = world.watch(ABROAD)
    fields = {"X-Auth-Token": guest, **more}
    assert send(world.beside(HOME), "POST", "compute", "/v2.1/flavors", fields, FLAVOR).status == 403
    anonymous = send(world.beside(HOME), "GET", "compute", "/v2.1/servers", {**more, "X-Scope": ABROAD})
    assert anonymous.status == 401
    seen = watch.seen("compute")
    assert len(seen) == 2
    assert not [
        name for row in seen for name, _ in row.fields if name.lower() in {key.lower() for key in more}
    ]


# Tokens that speak for no project.


@pytest.mark.parametrize(
    ("user", "scope"),
    [("admin", SYSTEM), ("admin", {"domain": DEFAULT}), ("admin", UNSCOPED), ("demo", UNSCOPED)],
)
def test_tokens_of_no_project_are_nobodys_abroad(world, user, scope):
    token = world.token(user, scope=scope)
    watch = world.watch(ABROAD)
    for service, path in (
        ("image", "/v2/images"),
        ("compute", "/v2.1/servers"),
        ("network", "/v2.0/networks"),
    ):
        answer = at_home(world, token, "GET", service, path, X_Scope=f"{service}:{ABROAD}")
        assert (answer.status, answer.own) == (403, "not-admitted")
        assert ABROAD in answer.message
    assert not watch.seen()
    # At home the token is as good as ever.
    assert at_home(world, token, "GET", "identity", "/v3/auth/projects").status == 200


def test_a_system_token_at_home_is_a_control(world):
    token = world.token("admin", scope=SYSTEM)
    assert at_home(world, token, "GET", "identity", "/v3/users").status == 200


# Application credentials.


def credential(world, name, rules):
    """A token of an application credential of demo at cloud-1; the credential is made by the API."""
    signed_in = world.authenticate()
    token = signed_in.get("x-subject-token")
    user = signed_in.json["token"]["user"]["id"]
    made = at_home(
        world, token, "POST", "identity", f"/v3/users/{user}/application_credentials",
        {"application_credential": {"name": name, **({"access_rules": rules} if rules else {})}},
    )  # fmt: skip
    assert made.status == 201, made.text
    shown = made.json["application_credential"]
    secret = {"id": shown["id"], "secret": shown["secret"]}
    body = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": secret}}}
    answer = send(world.beside(HOME), "POST", "identity", "/v3/auth/tokens", {}, body)
    assert answer.status == 201, answer.text
    return answer.get("x-subject-token")


RULES = [
    {"service": "image", "method": "GET", "path": "/v2/images"},
    {"service": "compute", "method": "GET", "path": "/v2.1/flavors"},
]


@pytest.fixture(scope="module")
def ruled(world):
    return credential(world, "ruled", RULES)


@pytest.fixture(scope="module")
def unruled(world):
    return credential(world, "unruled", None)


FORBIDDEN = [
    ("POST", "image", "/v2/images", IMAGE, 201),
    ("GET", "image", "/v2/schemas/image", None, 200),
    ("GET", "compute", "/v2.1/servers", None, 200),
    ("GET", "network", "/v2.0/networks", None, 200),
    ("GET", "block-storage", "/v3/volumes", None, 200),
]


@pytest.mark.parametrize("cloud", [HOME, ABROAD])
def test_what_the_rules_allow_works(world, ruled, cloud):
    for service, path in (("image", "/v2/images"), ("compute", "/v2.1/flavors")):
        answer = at_home(world, ruled, "GET", service, path, X_Scope=f"{service}:{cloud}")
        assert answer.status == 200, answer.text


@pytest.mark.parametrize("cloud", [HOME, ABROAD])
@pytest.mark.parametrize(("method", "service", "path", "body", "honest"), FORBIDDEN)
def test_what_the_rules_forbid_is_forbidden(
    world, ruled, unruled, cloud, method, service, path, body, honest
):
    scope = f"{service}:{cloud}"
    watch = world.watch(cloud)
    answer = at_home(world, ruled, method, service, path, body, X_Scope=scope)
    assert answer.status == 401, answer.text
    # The service itself says so: it got the call, and the rules with whoever made it.
    assert [row.status for row in watch.seen(service)][-1:] == [401]
    # A service token of the user's own making opens nothing.
    own = at_home(world, ruled, method, service, path, body, X_Scope=scope, X_Service_Token=ruled)
    assert own.status == 401, own.text
    answer = at_home(world, unruled, method, service, path, body, X_Scope=scope)
    assert answer.status == honest
    if method == "POST":
        world.made(world.beside(HOME), service, f"/s/{scope}{path}/{answer.json['id']}", unruled)


def test_rules_are_not_lost_on_the_way_back_to_the_home(world, ruled, unruled):
    """A service abroad calls for the user: it may not make a call at home that the user may not."""
    path = world.image(unruled)
    for token, status in ((ruled, 401), (unruled, 200)):
        watch = world.watch(ABROAD)
        at_home(world, token, "GET", "compute", "/v2.1/flavors", X_Scope=f"compute:{ABROAD}")
        [box] = [row.get("x-auth-token") for row in watch.seen("compute") if row.get("x-auth-token")]
        answer = send(world.beside(ABROAD), "GET", "image", path, {"X-Auth-Token": box})
        assert answer.status == status, answer.text


def test_a_restricted_credential_makes_no_credentials_and_no_other_tokens(world, unruled):
    user = world.validate(unruled, unruled, at=world.beside(HOME)).json["token"]["user"]["id"]
    body = {"application_credential": {"name": "another"}}
    path = f"/v3/users/{user}/application_credentials"
    assert at_home(world, unruled, "POST", "identity", path, body).status == 403
    assert (
        world.renew(unruled, {"project": {"name": "demo", "domain": DEFAULT}}, at=world.beside(HOME)).status
        == 401
    )


# A user of cloud-999 at cloud-1.


def test_a_token_of_another_clouds_user_is_a_guests_here(world, member, mine_at_home):
    fields = {"X-Auth-Token": member, "X-Scope": f"image:{HOME}"}
    watch = world.watch(HOME)
    for at in (world.beside(HOME), world.beside(ABROAD), world.gateway):
        assert send(at, "GET", "image", "/v2/images", fields).status == 200
        assert send(at, "GET", "image", mine_at_home, fields).status == 404
    assert not [row for row in watch.seen() if bare(member) in row.line]


@pytest.fixture(scope="module")
def mine_at_home(world):
    return world.image(world.token())


def test_without_a_scope_it_stays_at_its_home_whatever_address_it_comes_to(world, member):
    watch = world.watch(HOME)
    for service, path in (
        ("image", "/v2/images"),
        ("compute", "/v2.1/servers"),
        ("identity", "/v3/auth/projects"),
    ):
        assert at_home(world, member, "GET", service, path).status == 200
    assert not [row for row in watch.seen() if bare(member) in row.came or row.get("x-auth-token")]


def test_bare_it_means_nothing_to_another_cloud(world, member):
    """Without its envelope it is taken for one of the cloud whose address it came to, which refuses it."""
    for service, path in (("image", "/v2/images"), ("identity", "/v3/auth/projects")):
        assert at_home(world, bare(member), "GET", service, path).status == 401
        assert abroad(world, bare(member), "GET", service, path).status == 200


def test_past_the_proxy_no_cloud_takes_a_token_of_another(world, member):
    for text in (member, bare(member)):
        for service, path in (("image", "/v2/images"), ("identity", "/v3/auth/projects")):
            assert send(world.direct(HOME), "GET", service, path, {"X-Auth-Token": text}).status == 401
    assert (
        send(world.direct(ABROAD), "GET", "image", "/v2/images", {"X-Auth-Token": bare(member)}).status == 200
    )


def test_services_that_no_operator_declared_are_nobodys_services(world, guest):
    """A service token of an account that cloud-999 did not name is left out, not passed on."""
    for user in ("neutron", "placement", "glance"):
        watch = world.watch(ABROAD)
        fields = {"X-Service-Token": world.token(user)}
        answer = send(world.beside(HOME), "GET", "image", "/v2/images", {"X-Auth-Token": guest, **fields})
        assert answer.status == 200
        assert all(row.get("x-service-token") is None for row in watch.seen("image"))
    watch = world.watch(ABROAD)
    fields = {"X-Auth-Token": guest, "X-Service-Token": world.token("nova")}
    send(world.beside(HOME), "GET", "image", "/v2/images", fields)
    assert any(row.get("x-service-token") for row in watch.seen("image"))


def test_a_user_who_calls_itself_a_service_is_none(world, guest):
    watch = world.watch(ABROAD)
    for text in (guest, world.token("admin"), bare(guest)):
        fields = {"X-Auth-Token": guest, "X-Service-Token": text}
        send(world.beside(HOME), "GET", "image", "/v2/images", fields)
    assert all(row.get("x-service-token") is None for row in watch.seen("image"))
    assert json.dumps([row.fields for row in watch.seen()]).count(bare(guest)) == 0

"""What a foreign cloud tries with the closed tokens that it really got: nothing but what it may do works."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.tokens.closed import PREFIX, Keyring
from oidproxy.tokens.presented import Use
from tests.integration.attacking import ABROAD, HOME, SYSTEM, UNSCOPED, World, bare, by_token, project, send

NOBODY = "0" * 8 + "-0000-0000-0000-" + "0" * 12


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(scope="module")
def mine(world, token):
    """A private image of the user at home."""
    return world.image(token).rpartition("/")[2]


@pytest.fixture(scope="module")
def box(world, token):
    """What Nova of cloud-999 holds of a user of cloud-1."""
    return world.box("compute", token)


@pytest.fixture(scope="module")
def services_box(world, token):
    """What Glance of cloud-999 holds of the Nova of cloud-1, which came along with the user."""
    row = world.held("image", token, service_token=world.token("nova"))
    held = row.get("x-service-token")
    assert held.startswith(PREFIX)
    return held


@pytest.fixture(scope="module")
def keyring(lab):
    return Keyring((bytes.fromhex((lab.folder / "fleet.key").read_text()),))


def image_call(world, box, mine, *, at=None, **more):
    """The call that Nova of cloud-999 makes with it: read the image of the server's user, at its home."""
    fields = {"X-Auth-Token": box, **more.pop("fields", {})}
    return send(at or world.beside(ABROAD), "GET", "image", f"/v2/images/{mine}", fields, **more)


# The doors that are open: the controls of everything below.


def test_its_service_makes_its_calls_with_it(world, box, mine):
    home = world.watch(HOME)
    answer = image_call(world, box, mine)
    assert (answer.status, answer.json["id"]) == (200, mine)
    [row] = home.seen("image")
    sealed = row.get("x-auth-token")
    assert "~" in sealed
    assert not sealed.startswith(PREFIX)


def test_its_cloud_asks_who_it_is(world, box):
    answer = world.validate(world.token("nova", ABROAD), box)
    assert (answer.status, answer.json["token"]["user"]["name"]) == (200, "demo")


def test_its_service_renews_it(world, box, mine):
    answer = world.renew(box, project("demo"))
    assert answer.status == 201
    assert answer.get("x-subject-token").startswith(PREFIX)
    assert image_call(world, answer.get("x-subject-token"), mine).status == 200


# At an address where it does not belong.

DOORS = ("gateway", "beside cloud-1", "beside cloud-999", "cloud-1 itself")


def door(world, name):
    return {
        "gateway": world.gateway,
        "beside cloud-1": world.beside(HOME),
        "beside cloud-999": world.beside(ABROAD),
        "cloud-1 itself": world.direct(HOME),
    }[name]


@pytest.mark.parametrize("name", DOORS)
def test_its_homes_keystone_takes_it_nowhere(world, box, services_box, name):
    at = door(world, name)
    home = world.watch(HOME)
    for text in (box, services_box):
        for method in ("GET", "HEAD"):
            for query in ("", "?allow_expired=1", "?nocatalog"):
                answer = world.validate(text, text, at=at, method=method, query=query)
                assert answer.status in (401, 403), answer.text
        for path in ("/v3/projects", "/v3/auth/projects", "/v3/auth/catalog", "/v3/users"):
            answer = send(at, "GET", "identity", path, {"X-Auth-Token": text})
            assert answer.status in (401, 403), answer.text
        answer = world.validate(text, text, at=at, method="DELETE")
        assert answer.status in (401, 403)
        # In the one form that is let through beside the audience's cloud this is a renewal; see below.
        if name != "beside cloud-999":
            assert world.renew(text, project("demo"), at=at).status in (401, 403, 404)
        answer = send(at, "POST", "identity", "/v3/auth/tokens", {}, by_token(text, project("demo")))
        assert answer.status in (401, 403, 404)
    if name != "cloud-1 itself":
        assert not [row for row in home.seen("identity") if PREFIX in row.came]


@pytest.mark.parametrize("name", ["gateway", "beside cloud-1", "cloud-1 itself"])
@pytest.mark.parametrize("service", ["image", "compute", "network", "block-storage", "placement"])
def test_no_other_address_takes_it(world, box, services_box, name, service):
    path = {"image": "/v2/images", "compute": "/v2.1/servers", "network": "/v2.0/networks"}.get(
        service, "/v3/volumes" if service == "block-storage" else "/resource_providers"
    )
    for text in (box, services_box):
        answer = send(door(world, name), "GET", service, path, {"X-Auth-Token": text})
        assert answer.status == 401, answer.text


def test_another_clouds_service_is_told_nothing_of_it(world, box):
    """Services of cloud-1 that were shown it (by whoever got hold of it) ask beside their own cloud."""
    assert world.validate(world.token("nova", HOME), box, at=world.beside(HOME)).status == 404
    assert world.validate(world.token("admin", HOME), box, at=world.gateway).status == 404
    assert world.validate(world.token("admin", ABROAD), box, at=world.gateway).status == 404
    assert world.validate(world.token("admin", ABROAD), box).status == 200


# Calls that its service does not make.


@pytest.mark.parametrize(
    ("method", "service", "path"),
    [
        ("GET", "compute", "/v2.1/servers"),
        ("POST", "compute", "/v2.1/servers"),
        ("GET", "compute", "/v2.1/os-keypairs"),
        ("DELETE", "compute", f"/v2.1/servers/{NOBODY}"),
        ("POST", "network", "/v2.0/networks"),
        ("GET", "network", "/v2.0/routers"),
        ("DELETE", "network", f"/v2.0/networks/{NOBODY}"),
        ("GET", "block-storage", "/v3/volumes/detail"),
        ("GET", "block-storage", "/v3/volumes"),
        ("GET", "image", f"/v2/images/{NOBODY}/members"),
        ("POST", "image", f"/v2/images/{NOBODY}/members"),
        ("HEAD", "image", f"/v2/images/{NOBODY}"),
        ("PUT", "image", f"/v2/images/{NOBODY}/tags/x"),
        ("GET", "placement", "/resource_providers"),
        ("GET", "identity", "/v3/projects"),
        ("GET", "identity", "/v3/auth/projects"),
        ("POST", "identity", "/v3/OS-TRUST/trusts"),
        ("POST", "identity", "/v3/auth/OS-FEDERATION/saml2"),
        ("POST", "identity", "/v3/ec2tokens"),
        ("POST", "identity", "/v3/users/me/application_credentials"),
    ],
)
def test_a_call_outside_its_audiences_table_is_403(world, box, method, service, path):
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    body = {} if method == "POST" else None
    answer = send(world.beside(ABROAD), method, service, path, {"X-Auth-Token": box}, body)
    assert (answer.status, answer.own) == (403, "not-admitted")
    assert not [row for watch in watches for row in watch.seen() if row.target.startswith(path)]


@pytest.mark.parametrize(
    "path",
    [
        "/v3/volumes/detail/",
        "/v3//volumes/detail",
        "/v3/volumes/%64etail",
        f"/v3/volumes/{NOBODY}/../detail",
        f"/v3/volumes/{NOBODY}/%2e%2e/detail",
        f"/v3/volumes/{NOBODY}%2F..%2Fdetail",
        "/v3/volumes/detail;" + NOBODY,
        f"/v3/volumes/detail%3F{NOBODY}",
        f"/v3/volumes/detail?id={NOBODY}",
    ],
)
def test_no_spelling_of_a_path_slips_past_the_table(world, box, path):
    answer = send(world.beside(ABROAD), "GET", "block-storage", path, {"X-Auth-Token": box})
    assert answer.status in (400, 403), answer.text
    assert answer.own


def test_a_query_makes_no_other_call_of_it(world, box, mine):
    """Pecan and Swift's bulk middleware take from it what to do."""
    at, home = world.beside(ABROAD), world.watch(HOME)
    for query in (
        "_method=delete",
        "x=1;_method=patch",
        "%5Fmethod=post",
        "bulk-delete",
        "extract-archive=tar",
    ):
        answer = send(at, "GET", "image", f"/v2/images/{mine}?{query}", {"X-Auth-Token": box})
        assert (answer.status, answer.own) == (403, "not-admitted")
    assert not home.seen("image")
    assert send(at, "GET", "image", f"/v2/images/{mine}?method=x", {"X-Auth-Token": box}).status == 200


def test_a_box_for_a_service_that_calls_nobody_calls_nobody(world, token, mine, box):
    glances = world.box("image", token)
    assert image_call(world, box, mine).status == 200
    assert image_call(world, glances, mine).status == 403


# Scopes that are wider than its own.


@pytest.mark.parametrize(
    "scope",
    ["image:cloud-999", "image:cloud-1|cloud-999", "*:cloud-999", "cloud-1", "image:*", "image:not(cloud-1)"],
)
def test_a_wider_scope_is_403_in_header_and_url(world, box, mine, scope):
    home, abroad = world.watch(HOME), world.watch(ABROAD)
    assert image_call(world, box, mine, fields={"X-Scope": scope}).status == 403
    for segment in (scope, tag(parse(scope))):
        at = world.beside(ABROAD)
        path = f"/s/{segment}/image/v2/images/{mine}"
        answer = send(at, "GET", "image", path, {"X-Auth-Token": box})
        assert (answer.status, answer.own) == (403, "not-admitted")
    assert not [row for watch in (home, abroad) for row in watch.seen("image")]


def test_a_scope_that_repeats_its_own_passes_in_header_and_url(world, box, mine):
    for scope in ("image:cloud-1", "image:cloud-1;compute:cloud-999"):
        assert image_call(world, box, mine, fields={"X-Scope": scope}).status == 200
        path = f"/s/{scope}/image/v2/images/{mine}"
        assert send(world.beside(ABROAD), "GET", "image", path, {"X-Auth-Token": box}).status == 200


def test_a_box_that_says_nothing_of_a_service_may_not_be_told_where_it_is(world, token, mine):
    """Bound to cloud-999 by the user, the image service stays there."""
    watch = world.watch(ABROAD)
    fields = {"X-Auth-Token": token, "X-Scope": "image:cloud-999;compute:cloud-999"}
    assert send(world.beside(HOME), "GET", "compute", "/v2.1/servers", fields).status == 200
    [held] = [row.get("x-auth-token") for row in watch.seen("compute")]
    home = world.watch(HOME)
    assert image_call(world, held, mine).status == 404
    assert image_call(world, held, mine, fields={"X-Scope": "image:cloud-1"}).status == 403
    assert not home.seen("image")


# Texts that are no longer what was closed.


def test_changed_at_any_place_it_is_nothing(world, box, mine):
    home = world.watch(HOME)
    for place in range(0, len(box), 5):
        other = "B" if box[place] != "B" else "C"
        changed = box[:place] + other + box[place + 1 :]
        assert image_call(world, changed, mine).status == 401
    assert image_call(world, box, mine).status == 200
    assert len(home.seen("image")) == 1


def test_cut_at_any_place_it_is_nothing(world, box, mine):
    home = world.watch(HOME)
    pieces = [box[:place] for place in range(1, len(box), 17)] + [
        box[place:] for place in range(1, len(box), 17)
    ]
    for piece in [*pieces, box[:-1], box[len(PREFIX) :], bare(box)]:
        assert image_call(world, piece, mine).status == 401
    assert not home.seen()


@pytest.mark.parametrize(
    "junk",
    ["A", "=", "==", "~", "~Y2xvdWQtMQo", ".", '!SCOPE!{"image":"cloud-1"}', "%41", "\u00a0", ",x", " x"],
)
def test_with_junk_behind_it_it_is_nothing(world, box, mine, junk):
    for text in (box + junk, junk + box):
        if text.strip() != box:
            assert image_call(world, text, mine).status in (400, 401)
            assert world.validate(world.token("nova", ABROAD), text).status in (400, 404)


def test_a_box_of_another_key_is_nothing(world, keyring, box, mine):
    content = keyring.open(box)
    assert image_call(world, keyring.close(content), mine).status == 200
    assert image_call(world, Keyring((b"k" * 64,)).close(content), mine).status == 401


def test_expired_it_calls_and_renews_nothing(world, keyring, box, mine):
    content, now = keyring.open(box), int(time.time())
    alive, ended = (keyring.close(replace(content, expires=now + seconds)) for seconds in (60, -1))
    assert image_call(world, alive, mine).status == 200
    assert image_call(world, ended, mine).status == 401
    assert world.renew(alive, project("demo")).status == 201
    assert world.renew(ended, project("demo")).status == 401
    # Asking about it is Keystone's to answer, which knows when the token ends: this one has not.
    assert world.validate(world.token("nova", ABROAD), ended).status == 200


# A service's own token.


def test_the_box_of_a_service_may_be_asked_about(world, keyring, services_box):
    assert keyring.open(services_box).use is Use.VALIDATE
    told = world.validate(world.token("nova", ABROAD), services_box).json["token"]
    assert [role["name"] for role in told["roles"]] == ["service"]


def test_the_box_of_a_service_acts_for_nobody(world, services_box, mine):
    home = world.watch(HOME)
    assert image_call(world, services_box, mine).status == 401
    for scope in (project("service"), project("admin"), UNSCOPED, SYSTEM, None):
        assert world.renew(services_box, scope).status == 401
    for path in ("/v3/projects", "/v3/users"):
        answer = send(world.beside(ABROAD), "GET", "identity", path, {"X-Auth-Token": services_box})
        assert answer.status == 401
    assert world.validate(services_box, services_box).status == 401
    assert not home.seen()


def test_no_box_is_an_x_service_token(world, keyring, box, services_box, mine):
    """Neither as it came, nor closed for calls: then cloud-999 would speak as the Nova of cloud-1."""
    forced = keyring.close(replace(keyring.open(services_box), use=Use.CALL, service="compute"))
    home = world.watch(HOME)
    for text in (box, services_box, forced):
        answer = image_call(world, box, mine, fields={"X-Service-Token": text})
        assert (answer.status, answer.own) == (401, "token")
    assert not home.seen("image")
    own = world.token("nova", ABROAD)
    assert image_call(world, box, mine, fields={"X-Service-Token": own}).status == 200
    # cloud-1 declared it, so its own Glance hears of a service of cloud-999, in a box that it can ask about.
    [row] = home.seen("image")
    assert keyring.open(row.get("x-service-token")).use is Use.VALIDATE

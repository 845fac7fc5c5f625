"""Who may ask who a token is, and what is told: the services of the cloud that it came to, and no more."""

from __future__ import annotations

import pytest

from tests.integration.attacking import ABROAD, HOME, SYSTEM, World, bare, project, send


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(scope="module")
def box(world, token):
    return world.box("image", token)


@pytest.fixture(scope="module")
def nova(world):
    return world.token("nova", ABROAD)


def test_services_and_admins_of_the_cloud_are_told(world, box, nova):
    for asker in (nova, world.token("admin", ABROAD), bare(nova)):
        told = world.validate(asker, box)
        assert (told.status, told.get("x-subject-token")) == (200, box)
        assert world.validate(asker, box, method="HEAD").status == 200


def test_nobody_is_told_nothing(world, box):
    home = world.watch(HOME)
    for method in ("GET", "HEAD"):
        for asker in (None, "", "gAAAAA-nobody", "junk~", "~", "oid1~", "oid1~AAAA"):
            answer = world.validate(asker, box, method=method)
            assert answer.status == 401, answer.text
            assert "demo" not in answer.text
    assert not home.seen()


def test_a_plain_member_is_told_nothing(world, box):
    home = world.watch(HOME)
    member = world.token("demo", ABROAD)
    for method in ("GET", "HEAD"):
        for query in ("", "?nocatalog", "?allow_expired=1"):
            answer = world.validate(member, box, method=method, query=query)
            assert (answer.status, answer.own) == (403, "not-admitted")
    assert not home.seen()
    assert world.validate(member, member).status == 200


def test_a_member_asks_its_own_keystone_about_others_in_vain(world, nova):
    """No proxy is needed for this refusal; it must not be lost by one either."""
    member, admin = world.token("demo", ABROAD), world.token("admin", ABROAD)
    assert world.validate(member, admin).status == 403
    assert world.validate(nova, admin).status == 200


@pytest.mark.parametrize("user", ["demo", "admin", "nova"])
def test_users_and_services_of_another_cloud_are_told_nothing(world, token, box, user):
    """Be they admin at home: who asks is the cloud that the address belongs to."""
    asker = world.token(user, HOME)
    for subject in (box, token, world.token("demo", ABROAD)):
        answer = world.validate(asker, subject)
        assert (answer.status, answer.own) == (401, "token")


def test_a_box_asks_nothing(world, box, nova):
    for subject in (box, nova, world.token("demo", ABROAD)):
        assert world.validate(box, subject).status == 403
    # Their own services' tokens ask, as the control; the same call.
    assert world.validate(nova, box).status == 200


def test_a_token_that_was_not_sent_to_a_cloud_is_unknown_there(world, token, nova):
    """A sealed token of cloud-1 that got to cloud-999 by accident: its Keystone is asked nothing."""
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    assert world.validate(nova, token).status == 404
    assert world.validate(world.token("admin", ABROAD), token, at=world.gateway).status == 404
    assert not [row for watch in watches for row in watch.seen("identity", "GET")]
    assert world.validate(world.token("nova", HOME), token, at=world.beside(HOME)).status == 200


def test_a_claimed_home_does_not_make_a_token_known(world, token, nova):
    """An envelope that names the asking cloud: that cloud's Keystone says what it is, namely nothing."""
    claimed = f"{bare(token)}~{nova.partition('~')[2]}"
    assert world.validate(nova, claimed).status == 404


def test_what_is_told_is_the_allow_list_and_no_more(world, box, nova):
    told = world.validate(nova, box).json["token"]
    said = {"user", "project", "roles", "methods", "issued_at", "expires_at", "audit_ids"}
    assert set(told) == said | {"is_admin_project", "catalog"}
    assert set(told["user"]) == set(told["project"]) == {"id", "name", "domain"}
    assert told["is_admin_project"] is False
    assert {role["name"] for role in told["roles"]} == {"member", "reader"}


def test_the_catalog_told_is_the_asking_clouds_own(world, lab, box, nova):
    answer = world.validate(nova, box)
    assert lab.place(HOME).address not in answer.text
    assert lab.place(HOME).beside not in answer.text
    urls = {one["url"] for entry in answer.json["token"]["catalog"] for one in entry["endpoints"]}
    assert urls
    assert all(url.startswith(f"http://{lab.place(ABROAD).beside}:") for url in urls)


def test_revocation_is_not_for_foreigners(world, nova):
    token = world.token()
    box = world.box("image", token)
    home = world.watch(HOME)
    for asker in (nova, world.token("admin", ABROAD), box):
        for subject in (box, token):
            answer = world.validate(asker, subject, method="DELETE")
            assert (answer.status, answer.own) == (403, "not-admitted"), answer.text
    assert not home.seen("identity", "DELETE")
    assert world.validate(nova, box).status == 200
    answer = world.validate(token, token, at=world.beside(HOME), method="DELETE")
    assert answer.status == 204
    assert world.validate(nova, box).status == 404


@pytest.mark.parametrize("scope", [SYSTEM, {"domain": {"id": "default"}}])
def test_the_speaker_of_a_whole_cloud_speaks_for_no_other(world, box, scope):
    assert world.validate(world.token("admin", HOME, scope), box).status == 401
    assert world.validate(world.token("admin", ABROAD, scope), box).status == 200


@pytest.mark.parametrize(
    "path",
    ["/v3/auth/%74okens", "//v3/auth/tokens", "/v3//auth/tokens", "/v3/auth/tokens/", "/%763/auth/tokens"],
)
def test_no_spelling_of_the_path_shows_a_keystone_a_foreign_token(world, box, nova, token, path):
    watches = [world.watch(cloud) for cloud in (HOME, ABROAD)]
    for method in ("GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"):
        for subject in (box, token):
            fields = {"X-Auth-Token": nova, "X-Subject-Token": subject}
            send(world.beside(ABROAD), method, "identity", path, fields)
    seen = [row for watch in watches for row in watch.seen("identity")]
    assert not [row for row in seen if row.cloud == ABROAD and bare(token) in row.came]
    assert not [
        row for row in seen if "~" in (row.get("x-subject-token") or "") + (row.get("x-auth-token") or "")
    ]


def test_its_own_token_can_be_renewed_by_a_client_only_as_a_sealed_one(world, token):
    """The client's own way of asking for another scope, as a control of all refusals at renewal."""
    answer = world.renew(token, project("demo"), at=world.beside(HOME))
    assert answer.status == 201
    assert "~" in answer.get("x-subject-token")

"""What users of cloud-1 and services of cloud-999 would try, on real services, with what these say they got.

The attacks on simulated clouds (tests/integration) as far as a real service may take them another way.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from devstack.lab.passwords import Secrets
from oidproxy.clouds.fleet import key
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.tokens import base64url
from oidproxy.tokens.closed import PREFIX, Keyring
from oidproxy.tokens.presented import Use
from tests.integration.attacking import DEFAULT, SYSTEM, UNSCOPED, bare, by_password, by_token, project
from tests.lab.trust_cache import forget
from tests.lab.trust_calls import LISTS, TOKENS, Lines
from tests.lab.trust_guests import Guests
from tests.lab.trust_workload import IMAGE
from tests.lab.trust_world import World
from tests.lab.wiretap import Wiretap

HOME, ABROAD = "cloud-1", "cloud-999"
NOBODY = "00000000-0000-0000-0000-000000000000"
FLAVOR = {"flavor": {"name": "attack", "ram": 1, "vcpus": 1, "disk": 1}}


@pytest.fixture(scope="module")
def lines():
    with Lines() as opened:
        yield opened


@pytest.fixture(scope="module")
def world(lab, lines, home, abroad):
    return World(lab, lines, home, abroad)


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(scope="module")
def mine(world, token):
    """The path of a private image of the user at home."""
    at, fields = world.direct(world.home), {"X-Auth-Token": bare(token)}
    made = world.send(at, "POST", "image", "/v2/images", fields, {"name": "mine", **IMAGE})
    path = f"/v2/images/{made.json['id']}"
    yield path
    assert world.send(at, "DELETE", "image", path, fields).status == 204


@pytest.fixture(scope="module")
def box(world, token):
    """What Nova of cloud-999 holds of the user."""
    return world.held("compute", token)["x-auth-token"]


@pytest.fixture(scope="module")
def services_box(world, token):
    """What Glance of cloud-999 holds of the Nova of cloud-1, which came along with the user."""
    return world.held("image", token, world.token("nova"))["x-service-token"]


@pytest.fixture(scope="module")
def nova(world):
    """A token of Nova of cloud-999."""
    return world.token("nova", world.abroad)


@pytest.fixture(scope="module")
def keyring(lab):
    return Keyring((key((lab.state / "fleet.key").read_text()),))


@pytest.fixture
def unheard(world, mine):
    """Whatever is tried, no service of either cloud hears of it."""
    watch = world.watch()
    yield
    assert watch.nothing(mine, *LISTS.values())


def image_call(world, box, mine, fields=(), **more):
    """The call that Nova of cloud-999 makes with it: read the image of the server's user, at its home."""
    at = world.beside(world.abroad)
    return world.send(at, "GET", "image", mine, {"X-Auth-Token": box, **dict(fields)}, **more)


def test_the_doors_that_are_open(world, box, services_box, nova, mine):
    """The control of all below: the box's own calls, questions and renewal."""
    watch = world.watch()
    assert image_call(world, box, mine).json["id"] == mine.rpartition("/")[2]
    assert [one.status for one in watch.got(HOME, "image", mine)] == [200]
    assert world.validate(nova, box).json["token"]["user"]["name"] == "demo"
    roles = world.validate(nova, services_box).json["token"]["roles"]
    assert [role["name"] for role in roles] == ["service"]
    assert world.renew(box, project("demo")).get("x-subject-token").startswith(PREFIX)
    assert watch.got(HOME, "identity")


# Envelopes: anybody can write one.


def envelope(home, scope=""):
    return base64url.encode(f"{home}\n{scope}".encode())


def test_a_forged_scope_gives_no_more_than_a_header(world, token):
    guest = f"{bare(token)}~{envelope(HOME, f'*:{ABROAD};identity:{HOME}')}"
    at, watch = world.beside(world.home), world.watch()
    assert world.send(at, "POST", "compute", "/v2.1/flavors", {"X-Auth-Token": guest}, FLAVOR).status == 403
    assert [one.status for one in watch.got(ABROAD, "compute", "/v2.1/flavors")] == [403]
    assert world.send(at, "GET", "image", "/v2/images", {"X-Auth-Token": guest}).status == 200


def test_a_forged_home_does_not_know_the_token(world, token):
    forged, watch = f"{bare(token)}~{envelope(ABROAD)}", world.watch()
    for at in world.doors:
        for fields in ({}, {"X-Scope": f"image:{HOME}"}, {"X-Scope": f"image:{ABROAD}"}):
            answer = world.send(at, "GET", "image", "/v2/images", {"X-Auth-Token": forged, **fields})
            assert answer.status == 401
        assert world.send(at, "GET", "identity", "/v3/auth/projects", {"X-Auth-Token": forged}).status == 401
        assert world.validate(forged, forged, at=at).status == 401
    assert not watch.got(HOME, "image", "/v2/images")
    assert not watch.got(HOME, "identity")
    assert not [one for one in watch.got(ABROAD, "image", "/v2/images") if one.status != 401]


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "~",
        "junk!",
        "Y2xvdWQtMQo=",
        envelope("cloud-1", "image:"),
        envelope("cloud-1", "<image:cloud-999>"),
        envelope("cloud-1")[:-1] + "p",
        envelope("cloud-2"),
        envelope("127.0.1.2"),
        envelope("http://127.0.1.2:5000/"),
        envelope(""),
        envelope("cloud-1\nimage:cloud-1"),
        f"{envelope(HOME)}~{envelope(HOME)}",
        f"{envelope(HOME)}!SCOPE!{{}}",
    ],
)
def test_an_envelope_that_no_proxy_writes_is_refused(world, unheard, token, forged):
    for at in world.doors:
        for service, path in (("image", "/v2/images"), ("identity", "/v3/auth/projects")):
            answer = world.send(at, "GET", service, path, {"X-Auth-Token": f"{bare(token)}~{forged}"})
            assert (answer.status, answer.own) in ((401, "token"), (400, "scope")), answer.text


# A box at another address, for another service, for another call.


def test_a_box_is_taken_nowhere_else(world, box, services_box, mine):
    watch = world.watch()
    for text in (box, services_box):
        for at in (world.gateway, world.beside(world.home), world.direct(world.home)):
            for service, path in LISTS.items():
                forget(world.lab, text)
                assert world.send(at, "GET", service, path, {"X-Auth-Token": text}).status == 401
            for method in ("GET", "HEAD", "DELETE"):
                for query in ("", "?allow_expired=1"):
                    answer = world.validate(text, text, at=at, method=method, query=query)
                    assert answer.status in (401, 403)
            assert world.renew(text, project("demo"), at=at).status in (401, 404)
    assert not [
        one for service in LISTS for one in watch.got(HOME, service, *LISTS.values()) if one.status < 400
    ]
    assert not [one for one in watch.got(HOME, "identity") if one.status < 400]


@pytest.mark.parametrize("service", ["image", "network"])
def test_a_box_of_a_service_that_calls_nobody_calls_nobody(world, token, mine, service):
    held = world.held(service, token)["x-auth-token"]
    watch = world.watch()
    assert image_call(world, held, mine).status == 403
    for other, path in LISTS.items():
        at = world.beside(world.abroad)
        assert world.send(at, "GET", other, path, {"X-Auth-Token": held}).status == 403
    assert watch.nothing(mine, *LISTS.values())


@pytest.fixture(autouse=True)
def _held_before(box, services_box):
    """Fixtures of a module make honest calls: all are made before any test looks at logs."""


OUTSIDE = [
    ("GET", "compute", "/v2.1/servers"),
    ("POST", "compute", "/v2.1/servers"),
    ("GET", "compute", "/v2.1/os-keypairs"),
    ("DELETE", "compute", f"/v2.1/servers/{NOBODY}"),
    ("POST", "network", "/v2.0/networks"),
    ("DELETE", "network", f"/v2.0/networks/{NOBODY}"),
    ("GET", "block-storage", "/v3/volumes/detail"),
    ("GET", "block-storage", "/v3/volumes"),
    ("POST", "image", f"/v2/images/{NOBODY}/members"),
    ("PUT", "image", f"/v2/images/{NOBODY}/tags/x"),
    ("GET", "placement", "/resource_providers"),
    ("GET", "identity", "/v3/projects"),
    ("GET", "identity", "/v3/auth/projects"),
    ("POST", "identity", "/v3/OS-TRUST/trusts"),
    ("POST", "identity", "/v3/auth/OS-FEDERATION/saml2"),
    ("POST", "identity", "/v3/ec2tokens"),
    ("POST", "identity", "/v3/users/me/application_credentials"),
    # Spellings of what is allowed that mean something else, and the other way round.
    ("GET", "block-storage", "/v3//volumes/detail"),
    ("GET", "block-storage", "/v3/volumes/%64etail"),
    ("GET", "block-storage", f"/v3/volumes/{NOBODY}/../detail"),
    ("GET", "block-storage", f"/v3/volumes/{NOBODY}/%2e%2e/detail"),
    ("GET", "block-storage", f"/v3/volumes/{NOBODY}%2F..%2Fdetail"),
    ("GET", "block-storage", f"/v3/volumes/detail?id={NOBODY}"),
    ("GET", "image", f"/v2/images/{NOBODY}?_method=delete"),
    ("GET", "image", "//v2/images"),
]


@pytest.mark.parametrize(("method", "service", "path"), OUTSIDE)
def test_a_call_outside_its_services_table_reaches_no_service(world, box, method, service, path):
    watch = world.watch()
    at, body = world.beside(world.abroad), {} if method == "POST" else None
    answer = world.send(at, method, service, path, {"X-Auth-Token": box}, body)
    assert (answer.status, answer.own) in ((403, "not-admitted"), (400, "bad-request")), answer.text
    assert watch.nothing(path.partition("?")[0], services=(service,))


def test_a_method_override_overrides_nothing(world, box, mine):
    watch = world.watch()
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert image_call(world, box, mine, {name: "DELETE"}).status == 200
    assert {(one.method, one.status) for one in watch.got(HOME, "image", mine)} == {("GET", 200)}


@pytest.mark.parametrize("scope", ["image:cloud-999", "image:cloud-1|cloud-999", "cloud-1", "image:*"])
def test_a_scope_that_is_wider_than_its_own_is_refused(world, unheard, box, mine, scope):
    assert image_call(world, box, mine, {"X-Scope": scope}).status == 403
    for segment in (scope, tag(parse(scope))):
        target = f"/s/{segment}/image{mine}"
        answer = world.send(
            world.beside(world.abroad), "GET", "image", "", {"X-Auth-Token": box}, target=target
        )
        assert (answer.status, answer.own) == (403, "not-admitted")


# Texts that are no longer what was closed.


def test_changed_cut_or_with_junk_it_is_nothing(world, box, nova, mine):
    watch = world.watch()
    changed = {box[:at] + ("B" if box[at] != "B" else "C") + box[at + 1 :] for at in range(0, len(box), 13)}
    cut = {piece for at in range(1, len(box), 29) for piece in (box[:at], box[at:])}
    junk = {box + more for more in ("A", "=", "==", "~", "~Y2xvdWQtMQo", ".", '!SCOPE!{"image":"cloud-1"}')}
    for text in changed | cut | junk | {box[len(PREFIX) :], box.upper()}:
        assert image_call(world, text, mine).status in (400, 401)
        assert world.validate(nova, text).status in (400, 404)
    assert not watch.got(HOME, "image", mine)
    assert not watch.got(HOME, "identity")
    # Without its prefix it could be a token of the cloud's own, which says that it is none.
    assert {one.status for one in watch.got(ABROAD, "image", mine)} <= {401}
    assert {one.status for one in watch.got(ABROAD, "identity")} <= {404}


def test_of_another_key_or_ended_it_is_nothing(world, unheard, keyring, box, mine):
    content = keyring.open(box)
    ended = keyring.close(replace(content, expires=int(time.time()) - 1))
    for text in (Keyring((b"k" * 64,)).close(content), ended):
        assert image_call(world, text, mine).status == 401
    assert world.renew(ended, project("demo")).status == 401


# A service's own token.


def test_the_box_of_a_service_acts_for_nobody(world, unheard, services_box, mine):
    assert image_call(world, services_box, mine).status == 401
    for scope in (project("service"), project("admin"), UNSCOPED, SYSTEM, None):
        assert world.renew(services_box, scope).status == 401
    for path in ("/v3/projects", "/v3/users"):
        at = world.beside(world.abroad)
        assert world.send(at, "GET", "identity", path, {"X-Auth-Token": services_box}).status == 401
    assert world.validate(services_box, services_box).status == 401


def test_no_box_is_a_service_token(world, keyring, box, services_box, nova, mine):
    watch = world.watch()
    forced = keyring.close(replace(keyring.open(services_box), use=Use.CALL, service="compute"))
    for text in (box, services_box, forced):
        answer = image_call(world, box, mine, {"X-Service-Token": text})
        assert (answer.status, answer.own) == (401, "token")
    assert not watch.got(HOME, "image", mine)
    assert image_call(world, box, mine, {"X-Service-Token": nova}).status == 200


# Renewal.


@pytest.fixture
def nothing_issued(world):
    """Whatever is tried, no Keystone hears of it."""
    watch = world.watch()
    yield
    assert not [one for cloud in (HOME, ABROAD) for one in watch.got(cloud, "identity")]


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "unscoped",
        UNSCOPED,
        SYSTEM,
        {"domain": DEFAULT},
        {"OS-TRUST:trust": {"id": "0" * 32}},
        {},
        {"project": {"name": "demo"}},
        project("admin"),
        project("service"),
        {"project": {"id": "0" * 32}},
        {**project("demo"), **SYSTEM},
    ],
)
def test_a_box_is_renewed_for_no_other_scope(world, nothing_issued, box, scope):
    answer = world.renew(box, scope)
    assert (answer.status, answer.own) == (403, "not-admitted")


@pytest.mark.parametrize("methods", [[], ["password"], ["token", "password"], ["token", "token"], ["Token"]])
def test_a_box_is_renewed_by_no_other_method(world, nothing_issued, box, methods):
    assert world.renew(box, project("demo"), methods=methods).status == 403


def test_a_box_is_renewed_only_by_itself(world, nothing_issued, token, box, services_box, nova):
    for header in ("", nova, token, services_box, box[:-1], bare(token)):
        assert world.renew(box, project("demo"), header=header).status in (401, 403)
    for at in (world.gateway, world.beside(world.home)):
        assert world.renew(box, project("demo"), at=at).status == 401


@pytest.mark.parametrize(
    "path",
    ["/v3/auth/%74okens", "//v3/auth/tokens", "/v3//auth//tokens", "/v3/auth/tokens/", "/v3%2Fauth/tokens"],
)
def test_no_spelling_slips_past_the_check_of_a_renewal(world, nothing_issued, box, path):
    for scope in (UNSCOPED, SYSTEM, project("admin"), None):
        at, body = world.beside(world.abroad), by_token(box, scope)
        answer = world.send(at, "POST", "identity", path, {"X-Auth-Token": box}, body)
        assert (answer.status, answer.own) == (403, "not-admitted")


# Questions.


def test_who_may_not_ask_is_told_nothing(world, box, token):
    """Nobody, junk, members of the cloud, and whoever is of another cloud, be it an admin there."""
    watch = world.watch()
    for asker in (None, "", "gAAAAA-nobody", "junk~", "~", "oid1~AAAA"):
        assert world.validate(asker, box).status == 401
    for query in ("", "?nocatalog", "?allow_expired=1"):
        assert world.validate(world.token("demo", world.abroad), box, query=query).status == 403
    for user in ("demo", "admin", "nova"):
        assert world.validate(world.token(user), box).status == 401
    system = world.token("admin", scope=SYSTEM)
    assert world.validate(system, box).status == 401
    assert world.validate(box, box).status == 403
    assert not watch.got(HOME, "identity")


def test_what_was_not_sent_to_a_cloud_is_unknown_there(world, token, nova, box):
    watch = world.watch()
    for subject in (token, f"{bare(token)}~{nova.partition('~')[2]}", world.token("nova")):
        assert world.validate(nova, subject).status == 404
    assert world.validate(world.token("nova"), box, at=world.beside(world.home)).status == 404
    assert world.validate(world.token("admin", world.abroad), box, at=world.gateway).status == 404
    # Only the one whose envelope names the asking cloud was its Keystone's to deny.
    assert not watch.got(HOME, "identity")
    assert {one.status for one in watch.got(ABROAD, "identity")} <= {404}


def test_revocation_is_not_for_foreigners(world, nova, box, token):
    watch = world.watch()
    for asker in (nova, world.token("admin", world.abroad), box):
        for subject in (box, token):
            assert world.validate(asker, subject, method="DELETE").status == 403
    assert not [one for one in watch.got(HOME, "identity") if one.method == "DELETE"]
    assert world.validate(nova, box).status == 200


def test_what_is_told_is_the_allow_list(world, box, nova):
    told = world.validate(nova, box)
    said = {"user", "project", "roles", "methods", "issued_at", "expires_at", "audit_ids"}
    assert set(told.json["token"]) == said | {"is_admin_project", "catalog"}
    assert told.json["token"]["is_admin_project"] is False
    assert world.home.address not in told.text
    assert f"{world.home.beside}:" not in told.text


# Fields.


@pytest.mark.parametrize(
    "more",
    [
        {"X-Roles": "admin"},
        {"X-Role": "admin"},
        {"X-Is-Admin-Project": "True"},
        {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "a", "X-Project-Id": "b"},
        {"X-Service-Identity-Status": "Confirmed", "X-Service-Roles": "service,admin"},
        {"OpenStack-System-Scope": "all"},
        {"X-Tenant-Id": "b", "X-User": "admin", "X-Tenant": "admin"},
    ],
)
def test_fields_that_say_who_one_is_say_it_to_nobody(world, token, more):
    at, scope = world.beside(world.home), {"X-Scope": f"*:{ABROAD};identity:{HOME}"}
    with_it = {"X-Auth-Token": token, **scope, **more}
    assert world.send(at, "POST", "compute", "/v2.1/flavors", with_it, FLAVOR).status == 403
    assert world.send(at, "GET", "compute", "/v2.1/os-services", with_it).status == 403
    assert world.send(at, "GET", "block-storage", "/v3/os-services", with_it).status in (403, 404)
    for service, path in LISTS.items():
        assert world.send(at, "GET", service, path, {**scope, **more}).status == 401


@pytest.mark.parametrize(
    "name", ["X-Auth-Token", "X-Service-Token", "X-Subject-Token", "X-Storage-Token", "X-Scope"]
)
def test_a_field_that_connection_lists_or_that_comes_twice_is_refused(world, unheard, token, name):
    at = world.beside(world.home)
    for value in (name, f"close, {name}", name.upper()):
        fields = [("X-Auth-Token", token), ("X-Scope", f"image:{ABROAD}"), ("Connection", value)]
        assert world.send(at, "GET", "image", "/v2/images", fields).status == 400
    first = [("X-Auth-Token", token)] if name != "X-Auth-Token" else []
    for second in (name, name.lower()):
        fields = [*first, (name, "image:cloud-1"), (second, "image:cloud-1")]
        assert world.send(at, "GET", "image", "/v2/images", fields).status == 400


@pytest.mark.parametrize(
    "name",
    [
        "X_Auth_Token",
        "X-Auth_Token",
        "X_Roles",
        "X_Service_Token",
        "X.Auth.Token",
        "X-Auth-Token ",
        "HTTP_X_ROLES",
    ],
)
def test_a_name_that_wsgi_reads_as_another_is_refused(world, unheard, token, name):
    at = world.beside(world.home)
    for fields in ([("X-Auth-Token", token), (name, token)], [(name, token), ("X-Scope", f"image:{ABROAD}")]):
        assert world.send(at, "GET", "image", "/v2/images", fields).status == 400


def test_x_storage_token_is_an_x_auth_token(world, token, box, mine):
    """keystonemiddleware reads it, so it must not get past what is done to the other."""
    at, scope = world.beside(world.home), {"X-Scope": f"image:{ABROAD}"}
    assert world.send(at, "GET", "image", "/v2/images", {"X-Storage-Token": token, **scope}).status == 200
    two = {"X-Storage-Token": world.token("admin"), "X-Auth-Token": token}
    assert world.send(at, "GET", "image", "/v2/images", {**two, **scope}).status == 400
    aside = world.beside(world.abroad)
    assert world.send(aside, "GET", "image", mine, {"X-Storage-Token": box}).status == 200
    assert world.send(aside, "GET", "compute", "/v2.1/servers", {"X-Storage-Token": box}).status == 403


def test_a_user_who_calls_itself_a_service_is_none(world, token, mine):
    """Expired tokens, and what only services may, hang on X-Service-Token."""
    at, scope = world.beside(world.home), {"X-Scope": f"image:{ABROAD}"}
    for text in (token, world.token("admin"), bare(token), world.token("neutron")):
        with_it = {"X-Auth-Token": token, "X-Service-Token": text, **scope}
        assert "x-service-token" not in wire_fields(world, with_it)
    with_it = {"X-Auth-Token": token, "X-Service-Token": world.token("nova"), **scope}
    assert wire_fields(world, with_it)["x-service-token"].startswith(PREFIX)
    volume = {"volume": {"size": 1}}
    storage = {"X-Auth-Token": token, "X-Service-Token": token, "X-Scope": f"block-storage:{ABROAD}"}
    assert world.send(at, "POST", "block-storage", "/v3/volumes", storage, volume).status == 403


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Subject-Token", "X-Scope-Tokens", "X-Oidproxy-Token"]
)
def test_a_token_in_another_field_reaches_no_other_cloud(world, token, name):
    value = f"Bearer {bare(token)}" if name == "Authorization" else f"cloud-1={bare(token)}"
    fields = wire_fields(world, {"X-Auth-Token": token, "X-Scope": f"image:{ABROAD}", name: value})
    assert fields["x-auth-token"].startswith(PREFIX)
    assert bare(token) not in json.dumps(fields)


def wire_fields(world, fields):
    """The fields of the request that Glance of cloud-999 gets, as they were on the wire."""

    with Wiretap(world.abroad.address) as tap:
        answer = world.send(world.beside(world.home), "GET", "image", "/v2/images", fields)
        assert answer.status == 200, answer.text
        tap.settle()
    [data] = [one.data for one in tap.streams() if world.agent.encode() in one.data and one.target[1] == 9292]
    head = next(part for part in data.split(b"\r\n\r\n") if world.agent.encode() in part)
    pairs = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    return {name.lower(): value.strip() for name, _, value in pairs}


def test_a_request_that_was_here_before_is_a_loop(world, unheard, token):
    for value in (", ".join(["1.1 x"] * 8),):
        fields = {"X-Auth-Token": token, "X-Scope": f"image:{ABROAD}", "Via": value}
        answer = world.send(world.beside(world.home), "GET", "image", "/v2/images", fields)
        assert (answer.status, answer.own) == (508, "loop")


# Paths, hosts, targets.

SPELLINGS = [
    "/v3/auth/tokens",
    "/v3/auth/%74okens",
    "//v3/auth/tokens",
    "/v3//auth///tokens",
    "/v3/auth/tokens/",
    "/%76%33/auth/tokens",
    "/v3%2Fauth%2ftokens",
    "/v3/auth/tokens?nocatalog",
    "/v3/auth/Tokens",
    "/v3/auth/tokens;x",
    "/v3/auth/tokens%20",
    "/v3/auth/%2574okens",
    "/v3/auth/tokens.json",
    "/v3/auth/tokens/x",
    "/v2.0/tokens",
    "/v3/s3tokens",
    "/v3/ec2tokens",
    "/v3/auth/OS-FEDERATION/saml2",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_makes_keystone_give_a_token_that_is_not_sealed(world, token, path):
    secret = Secrets(world.home.folder).get("demo")
    for at in (world.beside(world.home), world.gateway):
        for body in (by_password("demo", secret, project("demo")), by_token(token, project("demo"))):
            answer = world.send(at, "POST", "identity", path, {}, body)
            assert answer.status < 500, answer.text
            issued = answer.get("x-subject-token")
            assert issued is None or "~" in issued
            assert "gAAAA" not in answer.body.decode()
    if path == "/v3/auth/tokens":
        assert answer.status == 201


NEVER = [
    "/v3/./auth/tokens",
    "/v3/x/../auth/tokens",
    "/v3/auth/%2e%2e/auth/tokens",
    "/v3/auth%2F..%2Fauth/tokens",
    "/v3\\auth\\tokens",
    "/v3/auth/tokens%00",
    "/v3/auth/tokens%0d%0aX-Roles:%20admin",
    "/v3/auth/tokens#x",
]


@pytest.mark.parametrize("path", NEVER)
def test_what_servers_read_differently_reaches_none(world, unheard, token, path):
    for at in world.doors:
        prefix = "/identity" if at.gateway else ""
        answer = world.send(at, "POST", "identity", "", {"X-Auth-Token": token}, {}, target=prefix + path)
        assert (answer.status, answer.own) == (400, "bad-request")


def test_an_absolute_target_names_one_of_our_listeners(world, unheard, token):
    at, fields = world.beside(world.home), {"X-Auth-Token": token}
    for authority in (
        "evil.example",
        f"{world.home.address}:9292",
        f"{world.abroad.address}:9292",
        at.host,
        f"u:p@{at.host}:9292",
    ):
        answer = world.send(at, "GET", "image", "", fields, target=f"http://{authority}/v2/images")
        assert (answer.status, answer.own) == (400, "bad-request")


@pytest.mark.parametrize("host", ["evil@x", "evil/x", "a,b", "x:99999", "x:y", "%41"])
def test_a_host_that_is_none_is_refused(world, unheard, token, host):
    for at in world.doors:
        assert world.send(at, "GET", "image", "/v2/images", {"X-Auth-Token": token}, host=host).status == 400


def test_a_host_of_the_clients_own_leads_no_service_astray(world, token, nova):
    """It comes back to its sender in links, and nobody else hears it."""
    at, fields = world.gateway, {"X-Auth-Token": token, "X-Scope": f"image:{ABROAD}"}
    answer = world.send(at, "GET", "image", "/v2/images", fields, host="evil.example")
    assert answer.status == 200
    with_host = wire_fields(
        world, {**fields, "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert "evil.example" not in json.dumps(with_host)
    assert with_host["host"] == f"{world.abroad.address}:9292"
    assert "evil" not in world.send(at, "GET", "image", "/v2/images", fields).text


# What answers lead to.


def test_links_and_pages_of_the_other_cloud_stay_at_the_proxy(world, token):
    fields = {"X-Auth-Token": token, "X-Scope": f"*:{ABROAD};identity:{HOME}"}
    shown = [
        ("image", "/"),
        ("image", "/v2/images?limit=1"),
        ("image", "/v2/schemas/images"),
        ("compute", "/"),
        ("compute", "/v2.1"),
        ("compute", "/v2.1/flavors?limit=1"),
        ("network", "/"),
        ("network", "/v2.0/networks?limit=1"),
        ("block-storage", "/"),
        ("block-storage", "/v3/volumes?limit=1"),
    ]
    for at in (world.gateway, world.beside(world.home)):
        for service, path in shown:
            answer = world.send(at, "GET", service, path, fields)
            assert answer.status in (200, 300), answer.text
            assert world.abroad.address not in answer.text
            assert f"{world.abroad.beside}:" not in answer.text
            assert answer.get("x-scope") is None
        first = world.send(at, "GET", "image", "/v2/images?limit=1", fields).json
        second = world.send(
            at, "GET", "image", "", fields, target=("/image" if at.gateway else "") + first["next"]
        )
        assert second.status == 200
        assert second.json["images"][0]["id"] != first["images"][0]["id"]


# Guests.


@pytest.fixture(scope="module")
def projectless(world, lines):
    """Tokens that speak for no project: of all of home, of a domain there, and of nobody in particular."""
    guests = Guests(lines, world.home)
    guest = guests.make("member")
    guest.get_domain("admin")
    yield {
        "system": world.token("admin", scope=SYSTEM),
        "domain": guest.token(scope={"domain": DEFAULT}),
        "unscoped": world.token("demo", scope=UNSCOPED),
    }
    guest.delete()


@pytest.mark.parametrize("kind", ["system", "domain", "unscoped"])
def test_tokens_of_no_project_are_nobodys_abroad(world, projectless, unheard, kind):
    for service, path in LISTS.items():
        fields = {"X-Auth-Token": projectless[kind], "X-Scope": f"*:{ABROAD};identity:{HOME}"}
        answer = world.send(world.beside(world.home), "GET", service, path, fields)
        assert (answer.status, answer.own) == (403, "not-admitted"), answer.text


RULES = [{"service": "image", "method": "GET", "path": "/v2/images"}]


@pytest.fixture(scope="module")
def ruled(world, lines):
    """A token of an application credential that may list images, and nothing else."""
    at, signed_in = world.beside(world.home), lines.sign_in(world.home, "demo")
    path = f"/v3/users/{signed_in.json['token']['user']['id']}/application_credentials"
    fields = {"X-Auth-Token": signed_in.token}
    body = {"application_credential": {"name": world.agent, "access_rules": RULES}}
    made = world.send(at, "POST", "identity", path, fields, body)
    assert made.status == 201, made.text
    shown = made.json["application_credential"]
    secret = {"id": shown["id"], "secret": shown["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": secret}}
    answer = world.send(at, "POST", "identity", TOKENS, {}, {"auth": auth})
    assert answer.status == 201, answer.text
    yield answer.get("x-subject-token")
    assert world.send(at, "DELETE", "identity", f"{path}/{shown['id']}", fields).status == 204


@pytest.mark.parametrize("cloud", [HOME, ABROAD])
def test_what_the_rules_of_a_credential_forbid_is_forbidden_everywhere(world, ruled, cloud):
    at = world.beside(world.home)
    scope = {"X-Scope": f"image+compute+network+placement+block-storage:{cloud};identity:{HOME}"}
    allowed = world.send(at, "GET", "image", "/v2/images", {"X-Auth-Token": ruled, **scope})
    assert allowed.status == 200
    for method, service, path, body in (
        ("POST", "image", "/v2/images", {"name": "attack", **IMAGE}),
        ("GET", "compute", "/v2.1/servers", None),
        ("GET", "network", "/v2.0/networks", None),
        ("GET", "block-storage", "/v3/volumes", None),
    ):
        # At home keystonemiddleware skips the rules for whatever brings an X-Service-Token, proxy or not.
        with_service = [{"X-Service-Token": ruled}] if cloud != HOME and service != "block-storage" else []
        for more in ({}, *with_service):
            fields = {"X-Auth-Token": ruled, **scope, **more}
            assert world.send(at, method, service, path, fields, body).status == 401, (service, more)


def test_of_a_user_of_the_other_cloud_home_takes_no_token_past_its_policy(world, mine):
    member = world.token("demo", world.abroad)
    for at in world.doors:
        fields = {"X-Auth-Token": member, "X-Scope": f"image:{HOME}"}
        assert world.send(at, "GET", "image", mine, fields).status == 404
    for text in (member, bare(member)):
        for service, path in LISTS.items():
            assert (
                world.send(world.direct(world.home), "GET", service, path, {"X-Auth-Token": text}).status
                == 401
            )
    assert (
        world.send(
            world.beside(world.home), "GET", "image", "/v2/images", {"X-Auth-Token": bare(member)}
        ).status
        == 401
    )

"""What a foreign cloud, a forger or a plain member tries with tokens: no way in, and the doors work."""

import json

import pytest

from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens import base64url
from oidproxy.tokens.closed import PREFIX, Keyring
from oidproxy.tokens.presented import Box, Use
from oidproxy.tokens.sealed import seal
from tests.identity.proxy import send
from tests.identity.world import HOUR, KEYRING, NOW, SCOPE, error
from tests.tokens.bodies import DEFAULT

IMAGE = "/v2/images/7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f"
SERVER = "/v2.1/servers/7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f"
PROJECT = "p-cloud-1-demo"
COMPUTE_ABROAD = "compute:cloud-2;identity:cloud-1;image:cloud-1"


@pytest.fixture
async def box(world, keystones):
    """A user of cloud-1 calls compute of cloud-2; this is what that service holds."""
    token = keystones.issue("cloud-1")
    sealed = seal(token, "cloud-1", parse(COMPUTE_ABROAD))
    sent = await send(world, "POST", "/v2.1/servers", at="cloud-1", service="compute", auth=sealed)
    assert sent.cloud == "cloud-2"
    return sent.outgoing.token


@pytest.fixture
async def services_box(world, keystones):
    """What the same service holds of nova of cloud-1, which came along."""
    token, nova = keystones.issue("cloud-1"), keystones.service("cloud-1")
    sealed = seal(token, "cloud-1", SCOPE)
    sent = await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=sealed, service_token=nova)
    return sent.outgoing.service_token


def renewal(box, scope, methods=("token",)):
    return {"auth": {"identity": {"methods": list(methods), "token": {"id": box}}, "scope": scope}}


async def renew(world, box, body=None, *, at="cloud-2", header=None, service="identity"):
    body = body or renewal(box, {"project": {"id": PROJECT}})
    return await send(world, "POST", "/v3/auth/tokens", at=at, service=service, auth=header or box, body=body)


async def validate(world, asker, subject, *, at="cloud-2", **more):
    return await send(
        world,
        "GET",
        "/v3/auth/tokens",
        at=at,
        service="identity",
        auth=asker,
        subject=subject,
        rules="1",
        **more,
    )


# The doors that are open.


async def test_the_service_may_validate_it_call_with_it_and_renew_it(world, keystones, box):
    nova = keystones.service("cloud-2")
    assert (await validate(world, nova, box)).token["user"]["name"] == "demo"
    image = await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box)
    assert (image.cloud, image.outgoing.token.split("~")[0]) == ("cloud-1", KEYRING.open(box).token)
    assert (await renew(world, box)).status == 201


# Forged and broken tokens.


@pytest.mark.parametrize(
    "envelope",
    [
        base64url.encode(b"cloud-9\n"),
        base64url.encode(b"cloud-1"),
        base64url.encode(b"cloud-1\nimage:"),
        base64url.encode(b"cloud-1\n<image:cloud-2>"),
        base64url.encode(b"cloud-1\nimage:cloud-2") + "=",
        "",
        "junk!",
    ],
)
async def test_a_forged_envelope_is_401_and_nobody_is_asked(world, keystones, envelope):
    token = keystones.issue("cloud-1")
    for service, path in (("image", IMAGE), ("identity", "/v3/projects")):
        sent = await send(world, "GET", path, at="cloud-1", service=service, auth=f"{token}~{envelope}")
        assert sent.status == 401
    assert keystones.asked == []


async def test_an_envelope_makes_nobody_more_than_its_token_is(world, keystones):
    """Its scope only routes: whoever has no admitted role is sent nowhere, whatever it says."""
    forged = seal(keystones.issue("cloud-1", roles=("admin",)), "cloud-1", SCOPE)
    assert (await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=forged)).status == 403


async def test_a_box_of_another_fleet_is_401(world, keystones, box):
    stolen = Keyring((b"x" * 64,)).close(KEYRING.open(box))
    assert (await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=stolen)).status == 401


@pytest.mark.parametrize(
    "junk", ["A", "=", "~", "~" + base64url.encode(b"cloud-1\n"), '!SCOPE!{"image":"cloud-1"}']
)
async def test_junk_behind_a_box_is_401(world, box, junk):
    assert (await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box + junk)).status == 401


async def test_a_box_changed_or_cut_at_any_place_is_refused(world, keystones, box):
    keystones.asked.clear()
    nova = keystones.service("cloud-2")
    for place in range(len(box)):
        changed = box[:place] + ("B" if box[place] == "A" else "A") + box[place + 1 :]
        for text in (changed, box[:place], box[place + 1 :]):
            if text:
                sent = await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=text)
                # A piece without its prefix is some text: sealed for cloud-2 itself, where nobody knows it.
                assert sent.status == 401 or (sent.cloud == "cloud-2" and _is_nobodys(keystones, sent))
                assert (await validate(world, nova, text)).status == 404
    assert all(asked.cloud == "cloud-2" for asked in keystones.asked)


# A box where it does not belong.


@pytest.mark.parametrize("at", ["cloud-1", "cloud-3", None])
async def test_a_box_at_another_address_than_its_audiences_is_401(world, box, at):
    service = "image" if at else None
    path = IMAGE if at else f"/image{IMAGE}"
    assert (await send(world, "GET", path, at=at, service=service, auth=box)).status == 401
    assert (await renew(world, box, at=at, service="identity" if at else None)).status in (401, 404)


async def test_a_box_at_its_homes_keystone_is_nothing(world, keystones, box):
    """Not even past the proxy: the home itself does not know it."""
    for method, fields in (("GET", {"x-auth-token": box, "x-subject-token": box}),):
        head = type("Head", (), {"method": method, "target": b"/v3/auth/tokens?allow_expired=1"})
        assert keystones.answer("cloud-1", head, fields, b"")[0] == 401
    body = json.dumps(renewal(box, {"project": {"id": PROJECT}})).encode()
    head = type("Head", (), {"method": "POST", "target": b"/v3/auth/tokens"})
    assert keystones.answer("cloud-1", head, {}, body)[0] == 401


@pytest.mark.parametrize(
    ("method", "service", "path"),
    [
        ("POST", "compute", "/v2.1/servers"),
        ("DELETE", "compute", SERVER),
        ("GET", "compute", SERVER),
        ("POST", "network", "/v2.0/networks"),
        ("GET", "block-storage", "/v3/volumes/detail"),
        ("GET", "identity", "/v3/projects"),
        ("POST", "identity", "/v3/OS-TRUST/trusts"),
        ("GET", "identity", "/v3/auth/projects"),
        ("POST", "identity", "/v3/users/u/application_credentials"),
    ],
)
async def test_a_call_outside_its_audiences_table_is_403(world, box, method, service, path):
    sent = await send(
        world, method, path, at="cloud-2", service=service, auth=box, body={} if method == "POST" else None
    )
    assert sent.status == 403


@pytest.mark.parametrize("scope", ["image:cloud-2", "image:cloud-3", "*:cloud-3", "image:cloud-1|cloud-3"])
async def test_a_wider_scope_in_the_header_is_403(world, box, scope):
    assert (
        await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box, scope=scope)
    ).status == 403


async def test_a_wider_scope_in_the_url_is_403(world, box):
    path = f"/s/image:cloud-3/image{IMAGE}"
    assert (await send(world, "GET", path, at="cloud-2", service="image", auth=box)).status == 403


async def test_a_scope_that_repeats_its_own_passes(world, box):
    sent = await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box, scope="image:cloud-1")
    assert sent.cloud == "cloud-1"


async def test_an_expired_box_is_good_for_validation_only(world, keystones, box):
    keystones.now += HOUR
    nova = keystones.service("cloud-2")
    assert (await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box)).status == 401
    assert (await renew(world, box)).status == 401
    assert (await validate(world, nova, box)).status == 404


# A service's token.


async def test_a_services_box_is_no_x_auth_token(world, keystones, services_box):
    assert KEYRING.open(services_box).use is Use.VALIDATE
    for service, path in (("image", IMAGE), ("compute", "/v2.1/servers"), ("identity", "/v3/projects")):
        assert (
            await send(world, "GET", path, at="cloud-2", service=service, auth=services_box)
        ).status == 401
    assert (await renew(world, services_box)).status == 401
    assert (await validate(world, services_box, services_box)).status == 401


@pytest.mark.parametrize("use", Use)
async def test_no_box_is_an_x_service_token(world, keystones, box, use):
    nova = Box(keystones.service("cloud-1"), "cloud-1", "", "cloud-2", "compute", use, int(NOW + HOUR))
    for token in (box, KEYRING.close(nova)):
        sent = await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=box, service_token=token)
        assert sent.status == 401


async def test_validating_a_services_box_shows_a_service_and_no_admin(world, keystones, services_box):
    told = (await validate(world, keystones.service("cloud-2"), services_box)).token
    assert [role["name"] for role in told["roles"]] == ["service"]


# Re-authentication.


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("unscoped", 403),
        ({"system": {"all": True}}, 403),
        ({"domain": {"id": "default"}}, 403),
        ({"OS-TRUST:trust": {"id": "t"}}, 403),
        ({"project": {"id": "p-cloud-1-other"}}, 403),
        ({"project": {"name": "other", "domain": {"id": "default"}}}, 403),
        ({"project": {"id": PROJECT}, "OS-TRUST:trust": {"id": "t"}}, 403),
        (None, 403),
    ],
)
async def test_renewal_to_anything_but_the_same_project_is_403(world, keystones, box, scope, status):
    body = renewal(box, scope)
    if scope is None:
        del body["auth"]["scope"]
    assert (await renew(world, box, body)).status == status
    assert all(asked.method == "GET" for asked in keystones.asked)


@pytest.mark.parametrize("methods", [("password",), ("token", "password"), ("token", "totp"), ()])
async def test_renewal_by_any_other_method_is_403(world, keystones, box, methods):
    assert (await renew(world, box, renewal(box, {"project": {"id": PROJECT}}, methods))).status == 403


async def test_renewal_with_two_different_tokens_is_401(world, keystones, box, services_box):
    other = keystones.service("cloud-2")
    for header in (services_box, other, box + "A"):
        assert (await renew(world, box, header=header)).status == 401
    assert all(asked.method == "GET" for asked in keystones.asked)


async def test_renewal_by_name_and_domain_is_cinders_own_form(world, box):
    body = renewal(box, {"project": {"name": "demo", "domain": {"id": "default"}}})
    assert (await renew(world, box, body)).status == 201


async def test_a_box_in_the_body_of_any_other_call_that_takes_a_token_is_refused(world, keystones, box):
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": box}},
            "scope": {"service_provider": {"id": "x"}},
        }
    }
    sent = await send(
        world, "POST", "/v3/auth/OS-FEDERATION/saml2", at="cloud-2", service="identity", auth=box, body=body
    )
    assert sent.status in (401, 403)
    assert keystones.asked == [] or all(asked.method == "GET" for asked in keystones.asked)


# Validation.


async def test_validation_by_nobody_is_401(world, keystones, box):
    for asker in (None, "gAAAAAB-nobody", "junk~"):
        assert (await validate(world, asker, box)).status == 401


async def test_validation_by_a_plain_member_is_403(world, keystones, box):
    assert (await validate(world, keystones.issue("cloud-2"), box)).status == 403


async def test_validation_by_an_admin_of_another_cloud_is_401(world, keystones, box):
    for home in ("cloud-1", "cloud-3"):
        admin = seal(keystones.issue(home, roles=("admin",)), home, NO_SCOPE)
        assert (await validate(world, admin, box)).status == 401


async def test_validation_at_the_gateway_says_nothing_of_a_box(world, keystones, box):
    admin = seal(keystones.issue("cloud-2", roles=("admin",)), "cloud-2", NO_SCOPE)
    sent = await send(world, "GET", "/identity/v3/auth/tokens", auth=admin, subject=box, rules="1")
    assert sent.status == 404


async def test_an_admin_of_cloud_1_is_a_member_at_cloud_2(world, keystones):
    admin = seal(keystones.issue("cloud-1", roles=("admin", "member")), "cloud-1", SCOPE)
    sent = await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=admin)
    told = (await validate(world, keystones.service("cloud-2"), sent.outgoing.token)).token
    assert [role["name"] for role in told["roles"]] == ["member"]


@pytest.mark.parametrize(
    "changes",
    [
        {"project": None, "system": {"all": True}, "roles": ("admin", "member")},
        {"project": None, "domain": DEFAULT},
        {"project": None},
        {"OS-TRUST:trust": {"id": "t"}},
        {"bind": {"kerberos": "demo"}},
    ],
)
async def test_a_system_scoped_token_and_its_like_are_nobody_abroad(world, keystones, changes):
    token = keystones.issue("cloud-1", **changes)
    sent = await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=seal(token, "cloud-1", SCOPE))
    assert sent.status == 403
    # Even where one got a box of it nevertheless: closed while it was something else.
    held = KEYRING.close(Box(token, "cloud-1", "", "cloud-2", "image", Use.CALL, int(NOW + HOUR)))
    assert (await validate(world, keystones.service("cloud-2"), held)).status == 404


async def test_an_application_credentials_access_rules_arrive_at_the_service(world, keystones):
    rules = [{"id": "1", "service": "image", "method": "GET", "path": "/v2/images"}]
    credential = {"id": "ac", "name": "ci", "restricted": True, "access_rules": rules}
    token = keystones.issue("cloud-1", application_credential=credential)
    sent = await send(
        world,
        "POST",
        "/v2/images",
        at="cloud-1",
        service="image",
        auth=seal(token, "cloud-1", SCOPE),
        body={},
    )
    told = (await validate(world, keystones.service("cloud-2"), sent.outgoing.token)).token
    assert told["application_credential"]["access_rules"] == rules


async def test_a_box_is_not_revoked_from_abroad(world, keystones, box):
    nova = keystones.service("cloud-2")
    for asker in (nova, box):
        sent = await send(
            world, "DELETE", "/v3/auth/tokens", at="cloud-2", service="identity", auth=asker, subject=box
        )
        assert sent.status == 403
    assert all(asked.method == "GET" for asked in keystones.asked)


# The promise: nothing that a foreign cloud holds opens anything at the home.


async def test_nothing_that_cloud_2_got_or_heard_is_accepted_at_cloud_1(world, keystones, box, services_box):
    nova = keystones.service("cloud-2")
    held = {box, services_box}
    for subject in (box, services_box):
        told = await validate(world, nova, subject)
        held |= {value.decode() for name, value in told.fields if name == b"X-Subject-Token"}
    renewed = await renew(world, box)
    held |= {value.decode() for name, value in renewed.fields if name == b"X-Subject-Token"}
    assert len(held) == 3
    for text in held:
        for start in (0, 1, len(PREFIX), len(PREFIX) + 16, len(text) // 2):
            for stop in (len(text), len(text) - 1, len(text) - 4, len(text) // 2 + 8):
                await _refused_everywhere_at_cloud_1(world, keystones, text[start:stop])
    for text in held:
        control = seal(KEYRING.open(text).token, "cloud-1", NO_SCOPE)
        assert (await validate(world, control, control, at="cloud-1")).status == 200


def _is_nobodys(keystones, sent):
    bare = sent.outgoing.token.split("~")[0]
    return not any(bare in known for known in keystones.tokens.values())


async def _refused_everywhere_at_cloud_1(world, keystones, text):
    for method in ("GET", "HEAD"):
        for query in ("", "?allow_expired=1"):
            path = f"/v3/auth/tokens{query}"
            sent = await send(world, method, path, at="cloud-1", service="identity", auth=text, subject=text)
            assert sent.status in (401, 403, 404)
    assert (await renew(world, text, at="cloud-1")).status in (401, 403)
    assert text not in keystones.tokens["cloud-1"]
    sent = await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=text)
    assert sent.status in (401, 403) or _is_nobodys(keystones, sent)


async def test_no_refusal_shows_a_token(world, keystones, box, services_box):
    keystones.instead.append(error(500))
    token = KEYRING.open(box).token
    for sent in (
        await validate(world, keystones.service("cloud-2"), box),
        await validate(world, keystones.issue("cloud-2"), box),
        await send(world, "GET", IMAGE, at="cloud-2", service="image", auth=services_box),
        await send(world, "GET", IMAGE, at="cloud-1", service="image", auth=box + "A"),
        await renew(world, box, renewal(box, "unscoped")),
    ):
        assert sent.error is not None
        shown = f"{sent.error!r} {sent.error} {sent.error.message} {sent.error.fields}"
        assert not any(secret in shown for secret in (token, box, services_box, token[:20], box[:20]))

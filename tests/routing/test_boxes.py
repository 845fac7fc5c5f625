"""Attacks that routing alone refuses: closed tokens in the wrong place, for the wrong call, or changed."""

from __future__ import annotations

import json

import pytest

from oidproxy.routing.decision import FanOut, Forward, Issue, Refuse
from oidproxy.scope.canonical import canonical
from oidproxy.tokens.presented import Form, Use
from tests.routing.world import (
    IMAGE,
    NOW,
    SERVICE_TOKEN,
    TOKEN,
    ask,
    at,
    at_gateway,
    closed,
    cloud,
    head,
    registry,
    sealed,
    snapshot,
)

SHOW = f"/v2/images/{IMAGE}"
PROJECT = "8f2e0c6a7d1b4c3f9a5e6d7c8b9a0f1e"


def status(found):
    return found.error.status if isinstance(found, Refuse) else None


def call(token, target=SHOW, arrival=None, method="GET", **more):
    """A call of nova beside cloud-2 to the image service."""
    return ask(head(method, target, token=token, **more), arrival or at("cloud-2", "image"))


# What a box is for.


@pytest.mark.parametrize(
    ("scope", "cloud"),
    [("", "cloud-1"), ("compute:cloud-2", "cloud-1"), ("image:cloud-3", "cloud-3"), ("*:cloud-2", "cloud-2")],
)
def test_a_call_of_the_audience_goes_where_the_sealed_scope_says(scope, cloud):
    found = call(closed("cloud-1", scope))
    assert isinstance(found, Forward)
    assert (found.route.cloud, found.route.home) == (cloud, "cloud-1")
    assert (canonical(found.route.effective), found.scoped) == (scope, True)
    assert found.token.token == TOKEN


def test_the_port_that_is_asked_decides_nothing_of_where_it_goes():
    found = call(
        closed("cloud-1", "compute:cloud-2"), f"/s/compute:cloud-2/image{SHOW}", at("cloud-2", "compute")
    )
    assert found.route.cloud == "cloud-1"


# Where it is presented.


@pytest.mark.parametrize(
    ("arrival", "target"),
    [
        (at("cloud-1", "image"), SHOW),
        (at("cloud-3", "image"), SHOW),
        (at_gateway(), f"/image{SHOW}"),
        (at("cloud-1", "identity"), "/v3/projects"),
        (at_gateway(), "/identity/v3/projects"),
        (at_gateway(), "/identity/v3"),
    ],
    ids=["home", "third cloud", "gateway", "home's Keystone", "Keystone by the gateway", "discovery"],
)
def test_anywhere_but_beside_its_audience_a_box_is_a_401(arrival, target):
    assert status(ask(head(target=target, token=closed("cloud-1")), arrival)) == 401


# What it is.

BOX = closed("cloud-1", "image:cloud-1")


@pytest.mark.parametrize(
    "text",
    [
        BOX + "A",
        BOX + "=",
        BOX + "~x",
        BOX + " ",
        BOX + "!SCOPE!{}",
        BOX[:-1],
        BOX[:-8],
        BOX[:20] + ("A" if BOX[20] != "A" else "B") + BOX[21:],
        BOX.upper(),
        BOX[5:],
        "x" + BOX,
        "oid1~",
        f"{BOX}~{sealed().partition('~')[2]}",
        f"{BOX[5:]}~{sealed().partition('~')[2]}",
    ],
)
def test_a_box_that_was_touched_never_goes_out_as_the_token_inside(text):
    found = call(text)
    # Without its prefix it is any text, and goes on as a token of its own that no Keystone issued.
    assert status(found) == 401 or TOKEN not in found.token.token


def test_a_forged_envelope_moves_nothing_but_the_forgers_own_token():
    found = ask(head(target="/identity/v3/projects", token=sealed("cloud-2", token="stolen-of-cloud-1")))
    assert found.route.cloud == "cloud-2"
    assert status(ask(head(target="/image/v2", token=sealed("cloud-9")))) == 401
    assert status(ask(head(target="/image/v2", token=f"{TOKEN}~{'A' * 40}"))) == 401
    assert status(ask(head(target="/image/v2", token=f"{TOKEN}~"))) == 401


def test_a_box_of_an_unknown_home_is_a_401():
    assert status(call(closed("cloud-9"))) == 401


def test_an_expired_box_is_a_401():
    assert status(call(closed(expires=NOW - 1))) == 401
    assert status(call(closed(expires=NOW + 1))) is None


# Use.


@pytest.mark.parametrize(
    ("target", "service"),
    [(SHOW, "image"), ("/v3/projects", "identity"), ("/v3", "identity")],
)
def test_a_services_box_as_x_auth_token_is_a_401(target, service):
    box = closed("cloud-1", use=Use.VALIDATE, token=SERVICE_TOKEN)
    assert status(ask(head(target=target, token=box), at("cloud-2", service))) == 401


@pytest.mark.parametrize("use", list(Use))
@pytest.mark.parametrize("auth", [None, sealed("cloud-2"), closed("cloud-1")])
@pytest.mark.parametrize(("service", "target"), [("image", SHOW), ("identity", "/v3/projects")])
def test_no_box_is_a_service_token(service, target, auth, use):
    found = ask(
        head(target=target, token=auth, service_token=closed("cloud-1", use=use)), at("cloud-2", service)
    )
    assert status(found) in {401, 403}
    if auth != closed("cloud-1"):
        assert status(found) == 401


# The audience's table.


@pytest.mark.parametrize(
    ("service", "arrival", "method", "target"),
    [
        ("compute", "image", "GET", "/v2/tasks"),
        ("compute", "image", "PUT", f"/v2/images/{IMAGE}/members/x"),
        ("compute", "placement", "GET", "/allocations/x"),
        ("compute", "compute", "GET", "/v2.1/servers"),
        ("compute", "network", "GET", "/v2.0/routers"),
        ("compute", "block-storage", "DELETE", f"/v3/{PROJECT}/volumes/detail"),
        ("block-storage", "compute", "POST", "/v2.1/servers"),
        ("block-storage", "compute", "DELETE", f"/v2.1/servers/{IMAGE}"),
        ("image", "image", "GET", SHOW),
        ("image", "compute", "GET", f"/v2.1/servers/{IMAGE}"),
        ("network", "network", "GET", "/v2.0/networks"),
        ("identity", "image", "GET", SHOW),
        ("compute", "image", "GET", f"/v2/images/%2e%2e/{IMAGE}"),
        ("compute", "image", "GET", f"/v2/images/{IMAGE}/../../tasks"),
    ],
)
def test_a_call_outside_the_audiences_table_is_a_403(service, arrival, method, target):
    found = call(closed("cloud-1", service=service), target, at("cloud-2", arrival), method)
    assert status(found) == 403


def test_the_403_names_services_and_no_token():
    error = call(closed("cloud-1"), "/v2/tasks").error
    assert "compute of cloud-2" in error.message
    assert TOKEN not in str(error)


OPTIONAL = [
    ("glance-download", "image", "image", "GET", f"/v2/images/{IMAGE}/file"),
    ("dns", "network", "dns", "POST", f"/v2/zones/{IMAGE}/recordsets"),
    ("accelerator", "compute", "accelerator", "POST", "/v2/accelerator_requests"),
    ("shared-file-system", "compute", "shared-file-system", "GET", f"/v2/shares/{IMAGE}"),
]


def allowing(*names):
    """A snapshot whose operator allows these further calls, with clouds that have the services for them."""
    ports = {"dns": 9001, "accelerator": 6666, "shared-file-system": 8786}
    clouds = (cloud(f"cloud-{number + 1}", number, ports=ports) for number in range(2))
    return snapshot(registry(*clouds, foreign_calls=frozenset(names)))


@pytest.mark.parametrize(("name", "audience", "service", "method", "target"), OPTIONAL)
def test_further_calls_pass_once_the_operator_names_them(name, audience, service, method, target):
    request = head(method, f"/s/{service}:cloud-1/{service}{target}", token=closed(service=audience))
    others = {row[0] for row in OPTIONAL} - {name}
    assert status(ask(request, at("cloud-2", "image"), allowing())) == 403
    assert status(ask(request, at("cloud-2", "image"), allowing(*others))) == 403
    found = ask(request, at("cloud-2", "image"), allowing(name))
    assert (found.route.cloud, found.route.service_type) == ("cloud-1", service)


def test_further_calls_open_nothing_beside_their_row():
    every = allowing(*(row[0] for row in OPTIONAL))
    for audience, method in (("image", "DELETE"), ("network", "GET"), ("identity", "GET")):
        request = head(method, SHOW, token=closed(service=audience))
        assert status(ask(request, at("cloud-2", "image"), every)) == 403
    request = head(target=SHOW, token=closed(service="image"))
    assert status(ask(request, at("cloud-3", "image"), every)) == 401


# Header and URL may repeat, never widen.


@pytest.mark.parametrize(
    ("sealed_scope", "said", "expected"),
    [
        ("", "image:cloud-1", None),
        ("image:cloud-1", "image:cloud-1", None),
        ("image:cloud-1&cloud-3", "image:cloud-3", None),
        ("image:cloud-2", "image:cloud-2/RegionTwo", None),
        ("compute:cloud-2", "network:cloud-2", None),
        ("", "*:cloud-1", None),
        ("", "image:cloud-2", 403),
        ("image:cloud-1", "image:cloud-3", 403),
        ("image:cloud-1", "image:cloud-1&cloud-3", 403),
        ("image:cloud-2/RegionOne", "image:cloud-2/RegionTwo", 403),
        ("image:cloud-2/RegionOne", "image:cloud-2", 403),
        ("image:cloud-1", "*:cloud-1&cloud-2", 403),
        # What this call does not use would travel on.
        ("image:cloud-1", "block-storage:cloud-2", 403),
        ("image:cloud-1", "image:cloud-1;dns:cloud-3", 403),
        ("image:cloud-1", "identity:cloud-2", 403),
        ("image:cloud-1", "identity:cloud-1", None),
        ("compute:cloud-2", "network:cloud-3", 403),
        ("compute:cloud-2", "compute:cloud-3", 403),
    ],
)
@pytest.mark.parametrize("carrier", ["header", "url"])
def test_header_and_url_may_only_repeat_what_the_sealed_scope_resolves(carrier, sealed_scope, said, expected):
    token = closed("cloud-1", sealed_scope)
    if carrier == "header":
        found = call(token, scope=said)
    else:
        found = call(token, f"/s/{said.replace('/', '%2F')}{SHOW}")
    assert status(found) == expected
    if expected is None:
        assert canonical(found.route.effective) == sealed_scope


def test_a_repeated_scope_chooses_among_what_was_sealed():
    assert call(closed("cloud-1", "image:cloud-1&cloud-3"), scope="image:cloud-3").route.cloud == "cloud-3"
    both = call(closed("cloud-1", "image:cloud-1&cloud-3"))
    assert isinstance(both, FanOut)
    assert both.token.form is Form.CLOSED


# Keystone.


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/v3", None),
        ("GET", "/v3/projects", None),
        ("POST", "/v3/OS-TRUST/trusts", None),
        ("GET", "/v3/auth/catalog", None),
        ("GET", "/v3/auth/tokens", None),
        ("HEAD", "/v3/auth/tokens", None),
        ("DELETE", "/v3/auth/tokens", None),
        ("POST", "/v3/users", None),
        ("POST", "/v3/ec2tokens", b"{}"),
        ("POST", "/v3/auth/tokens", b"{}"),
        ("POST", "/v3/auth/tokens", b'{"auth": {"identity": {"methods": ["password"]}}}'),
        ("POST", "/v3/auth/OS-FEDERATION/saml2", b"{}"),
    ],
)
def test_no_other_call_to_keystone_takes_a_box(method, target, body):
    for subject in (None, closed("cloud-1")):
        found = ask(
            head(method, target, token=closed("cloud-1"), subject=subject),
            at("cloud-2", "identity"),
            body=body,
        )
        assert status(found) == 403


def test_our_own_pages_do_not_take_a_box():
    found = ask(head(target="/.well-known/oidproxy/clouds", token=closed()), at("cloud-2", "identity"))
    assert status(found) == 403


# Re-authentication.


def renewal(token, header=None, *, scope=None, methods=("token",), arrival=None, said=None):
    scope = {"project": {"id": PROJECT}} if scope is None else scope
    auth = {"identity": {"methods": list(methods), "token": {"id": token}}} | (
        {"scope": scope} if scope else {}
    )
    request = head("POST", "/v3/auth/tokens", token=token if header is None else header or None, scope=said)
    return ask(request, arrival or at("cloud-2", "identity"), body=json.dumps({"auth": auth}).encode())


def test_a_box_is_renewed_for_the_same_project_at_its_home():
    box = closed("cloud-1", "image:cloud-3", service="block-storage")
    found = renewal(box)
    assert isinstance(found, Issue)
    assert (found.route.cloud, found.project_id) == ("cloud-1", PROJECT)
    assert found.token is found.reauthenticates
    assert found.reauthenticates.box.service == "block-storage"
    assert canonical(found.bound) == "image:cloud-3"
    assert (found.route.facade.tag, found.scoped) == ("", True)
    sent = json.loads(found.body)["auth"]
    assert sent["identity"] == {"methods": ["token"], "token": {"id": TOKEN}}
    assert sent["scope"] == {"project": {"id": PROJECT}}
    assert box.encode() not in found.body


def test_what_was_checked_is_what_keystone_reads():
    box = closed("cloud-1")
    twice = (
        b'{"auth": {"scope": {"system": {"all": true}}, '
        b'"identity": {"methods": ["token"], "token": {"id": "%b"}}, "scope": {"project": {"id": "p"}}}}'
    ) % box.encode()
    found = ask(head("POST", "/v3/auth/tokens", token=box), at("cloud-2", "identity"), body=twice)
    assert b"system" not in found.body


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"header": ""}, 401),
        ({"header": closed("cloud-1", "image:cloud-3")}, 401),
        ({"header": sealed("cloud-2")}, 401),
        ({"scope": {}}, 403),
        ({"scope": "unscoped"}, 403),
        ({"scope": {"system": {"all": True}}}, 403),
        ({"scope": {"domain": {"id": "default"}}}, 403),
        ({"scope": {"OS-TRUST:trust": {"id": "t"}}}, 403),
        ({"scope": {"project": {"id": PROJECT}, "system": {"all": True}}}, 403),
        ({"methods": ("token", "password")}, 403),
        ({"methods": ()}, 403),
        ({"methods": ("password",)}, 403),
        ({"arrival": at("cloud-3", "identity")}, 401),
        ({"arrival": at("cloud-1", "identity")}, 401),
    ],
)
def test_any_other_re_authentication_is_refused(change, expected):
    assert status(renewal(closed("cloud-1"), **change)) == expected


def test_a_services_box_or_an_expired_one_is_not_renewed():
    assert status(renewal(closed("cloud-1", use=Use.VALIDATE))) == 401
    assert status(renewal(closed("cloud-1", expires=NOW - 1))) == 401


def test_a_renewal_is_not_widened_either():
    assert status(renewal(closed("cloud-1", "image:cloud-3"), said="image:cloud-3")) is None
    assert status(renewal(closed("cloud-1"), said="image:cloud-3")) == 403


def test_a_box_in_the_body_of_another_call_is_a_403():
    body = json.dumps(
        {"auth": {"identity": {"methods": ["token"], "token": {"id": closed("cloud-1")}}}}
    ).encode()
    for target in ("/v3/auth/OS-FEDERATION/saml2", "/v3/ec2tokens"):
        assert status(ask(head("POST", target), at("cloud-2", "identity"), body=body)) == 403


# X-Storage-Token, X-Auth-Token's older name.


def test_the_older_name_of_x_auth_token_counts_as_the_same():
    found = ask(head(target="/image/v2", x_storage_token=sealed("cloud-2")))
    assert found.token.home == "cloud-2"
    assert (
        status(
            ask(
                head(target=SHOW, x_storage_token=closed("cloud-1", use=Use.VALIDATE)), at("cloud-2", "image")
            )
        )
        == 401
    )
    assert status(ask(head(target="/image/v2", token=TOKEN, x_storage_token="other"))) == 400
    assert status(ask(head(target="/image/v2", token=TOKEN, x_storage_token=TOKEN))) is None

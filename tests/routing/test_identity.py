"""Calls to Keystone: which one, with whose token, and what a new token is bound to."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from oidproxy.http.head import Chunked, Length, NoBody
from oidproxy.routing.decision import Carrier, Forward, Issue, ReadBody, Refuse, Revoke, Validate
from oidproxy.routing.identity_calls import IdentityCall, identity_call
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from tests.routing.world import (
    TOKEN,
    ask,
    at,
    closed,
    cloud,
    head,
    registry,
    sealed,
    snapshot,
)

TOKENS = "/identity/v3/auth/tokens"
LOGIN = b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo"}}}}}'
FEDERATED = "/v3/OS-FEDERATION/identity_providers/acme/protocols/openid/auth"


def by_token(text, **more):
    """The body of an authentication with a token."""
    auth = {"identity": {"methods": ["token"], "token": {"id": text}}, **more}
    return json.dumps({"auth": auth}).encode()


@pytest.mark.parametrize(
    ("method", "rest", "call"),
    [
        ("POST", b"/v3/auth/tokens", IdentityCall.TOKENS),
        ("POST", b"/v3/auth/tokens/", IdentityCall.TOKENS),
        ("POST", b"//v3/auth//tokens", IdentityCall.TOKENS),
        ("POST", b"/v3/auth/%74okens", IdentityCall.TOKENS),
        ("POST", b"/v3%2Fauth/tokens", IdentityCall.TOKENS),
        ("GET", b"/v3/auth/tokens", IdentityCall.VALIDATE),
        ("HEAD", b"/v3/auth/tokens", IdentityCall.VALIDATE),
        ("DELETE", b"/v3/auth/tokens", IdentityCall.REVOKE),
        ("PATCH", b"/v3/auth/tokens", IdentityCall.OTHER),
        ("POST", b"/v3/ec2tokens", IdentityCall.EC2),
        ("POST", b"/v3/auth/OS-FEDERATION/saml2", IdentityCall.ASSERTION),
        ("POST", b"/v3/auth/OS-FEDERATION/saml2/ecp", IdentityCall.ASSERTION),
        ("POST", FEDERATED.encode(), IdentityCall.FEDERATED),
        ("GET", FEDERATED.encode(), IdentityCall.FEDERATED),
        ("DELETE", FEDERATED.encode(), IdentityCall.OTHER),
        ("POST", b"/v3/s3tokens", IdentityCall.OTHER),
        ("GET", b"/v3/ec2tokens", IdentityCall.OTHER),
        ("GET", b"/v3/auth/catalog", IdentityCall.OTHER),
        ("POST", b"/v3/users", IdentityCall.OTHER),
        ("GET", b"/v3", IdentityCall.OTHER),
        ("GET", b"/", IdentityCall.OTHER),
        ("POST", b"/V3/AUTH/TOKENS", IdentityCall.OTHER),
    ],
)
def test_calls_are_known_as_keystone_itself_would_read_the_path(method, rest, call):
    assert identity_call(method, rest) is call


# Where a login goes.


@pytest.mark.parametrize(
    ("scope", "cloud_", "carrier"),
    [
        (None, "cloud-1", Carrier.LOCAL),
        ("image:cloud-3", "cloud-1", Carrier.LOCAL),
        ("identity:cloud-2", "cloud-2", Carrier.HEADER),
        ("*:cloud-3", "cloud-3", Carrier.HEADER),
        ("identity:cloud-2|cloud-3", "cloud-2", Carrier.HEADER),
        ("identity:cloud-3&cloud-2", "cloud-3", Carrier.HEADER),
        ("identity:(cloud-3|cloud-1)&cloud-2", "cloud-3", Carrier.HEADER),
        ("identity:*", "cloud-1", Carrier.HEADER),
        ("identity:cloud-*", "cloud-1", Carrier.HEADER),
        ("identity:@near", "cloud-1", Carrier.HEADER),
        ("identity:@near|cloud-3", "cloud-1", Carrier.HEADER),
        ("identity:@near&cloud-3", "cloud-1", Carrier.HEADER),
        ("identity:any(2,*)", "cloud-1", Carrier.HEADER),
        ("identity:nearest(@far)", "cloud-3", Carrier.HEADER),
        ("identity:@far&not(cloud-2)", "cloud-3", Carrier.HEADER),
    ],
)
@pytest.mark.parametrize(
    "request_", [("POST", TOKENS, LOGIN), ("GET", "/identity/v3", None)], ids=["login", "discovery"]
)
def test_credentials_and_discovery_go_to_the_one_cloud_that_is_named_first(request_, scope, cloud_, carrier):
    method, target, body = request_
    found = ask(head(method, target, scope=scope), body=body)
    assert isinstance(found, Issue if body else Forward), found
    assert (found.route.cloud, found.route.carrier) == (cloud_, carrier)
    assert found.route.home == cloud_


@pytest.mark.parametrize(
    "scope",
    [
        "identity:@far",
        "*:@far",
        "identity:any(1,@far)",
        "identity:@far|cloud-1",
        "identity:around(cloud-2,5ms)&not(cloud-1)",
    ],
)
def test_a_set_without_the_local_cloud_asks_which(scope):
    found = ask(head("POST", TOKENS, scope=scope), body=LOGIN)
    assert isinstance(found, Refuse)
    assert found.error.status == 400
    assert "one cloud only: name it" in found.error.message


def test_an_empty_first_alternative_is_passed_over():
    found = ask(head("POST", TOKENS, scope="identity:(cloud-2&not(cloud-2))|cloud-3"), body=LOGIN)
    assert found.route.cloud == "cloud-3"


def test_identity_across_clouds_is_a_501():
    assert ask(head("POST", TOKENS, scope="identity:cloud-1%cloud-2"), body=LOGIN).error.status == 501


def test_beside_a_cloud_its_own_keystone_is_the_local_one():
    for scope in (None, "identity:*", "identity:@far"):
        found = ask(head("POST", "/v3/auth/tokens", scope=scope), at("cloud-2", "identity"), body=LOGIN)
        assert found.route.cloud == "cloud-2"


def test_the_operators_scope_binds_a_login_too():
    known = snapshot(replace(registry(), scope=parse("identity:cloud-3")))
    found = ask(head("POST", TOKENS), known=known, body=LOGIN)
    assert (found.route.cloud, found.route.carrier) == ("cloud-3", Carrier.CONFIG)


# The body.


def test_a_login_is_decided_with_its_body():
    known = snapshot(registry())
    assert ask(head("POST", TOKENS), known=known) == ReadBody(known.registry.limits.request_body)
    assert isinstance(ask(head("POST", TOKENS, framing=Chunked())), ReadBody)


def test_a_login_without_a_body_is_keystones_to_refuse():
    found = ask(head("POST", TOKENS, framing=NoBody()))
    assert isinstance(found, Issue)
    assert found.body == b""


def test_a_body_that_says_it_is_too_long_is_not_read():
    found = ask(head("POST", TOKENS, framing=Length(1 << 21)))
    assert found.error.status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        b"[]",
        b'{"auth": 1}',
        b"\xff\xfe",
        LOGIN,
        b'{"auth": {"identity": {"token": {"id": 1}}}}',
    ],
)
def test_a_body_without_a_token_goes_as_it_came(body):
    found = ask(head("POST", TOKENS), body=body)
    assert (found.body, found.token, found.bound.bindings) == (body, None, ())


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"]
)
def test_a_body_nested_too_deep_is_a_400(body):
    assert ask(head("POST", TOKENS), body=body).error.status == 400


def test_a_token_in_the_body_goes_home_bare():
    text = sealed("cloud-2", "image:cloud-3")
    found = ask(
        head("POST", TOKENS),
        body=b'{ "auth":{"identity" :{"methods":["token"],"token":{"id":"%b"}}} }' % text.encode(),
    )
    assert found.route.cloud == "cloud-2"
    assert (
        found.body == b'{ "auth":{"identity" :{"methods":["token"],"token":{"id":"%b"}}} }' % TOKEN.encode()
    )
    assert found.token is None


@pytest.mark.parametrize("text", [TOKEN, 'gAAAAAB!SCOPE!{"image": "cloud-2"}'])
def test_bare_and_legacy_tokens_in_the_body_go_to_the_local_keystone_or_the_listeners(text):
    found = ask(head("POST", TOKENS), body=by_token(text))
    assert found.route.cloud == "cloud-1"
    assert json.loads(found.body)["auth"]["identity"]["token"]["id"] == text.partition("!")[0]
    found = ask(head("POST", "/v3/auth/tokens"), at("cloud-3", "identity"), body=by_token(text))
    assert found.route.cloud == "cloud-3"


def test_a_new_token_is_bound_to_header_over_url_over_the_presented_token():
    request = head("POST", f"/s/compute:cloud-2;image:cloud-2{TOKENS}", scope="image:cloud-3")
    found = ask(request, body=by_token(sealed("cloud-1", "*:cloud-1")))
    assert canonical(found.bound) == "*:cloud-1;compute:cloud-2;image:cloud-3"
    assert found.route.effective == found.bound
    assert canonical(found.route.explicit) == "compute:cloud-2;image:cloud-3"


def test_the_operators_default_scopes_are_not_sealed_into_it():
    known = snapshot(replace(registry(), scope=parse("image:cloud-2")))
    assert ask(head("POST", TOKENS), known=known, body=LOGIN).bound.bindings == ()


def test_a_token_outside_the_scopes_identity_is_a_401_and_not_shown_to_anybody():
    found = ask(head("POST", TOKENS, scope="identity:cloud-2"), body=by_token(sealed("cloud-1")))
    assert found.error.status == 401


@pytest.mark.parametrize("text", ["junk~junk", sealed("cloud-9"), "a b", "", "oid1~junk"])
def test_a_token_that_cannot_be_opened_is_a_401(text):
    assert ask(head("POST", TOKENS), body=by_token(text)).error.status == 401


def test_tokens_of_two_homes_in_one_call_go_nowhere():
    found = ask(head("POST", TOKENS, token=sealed("cloud-2")), body=by_token(sealed("cloud-1")))
    assert found.error.status == 400
    same = ask(head("POST", TOKENS, token=sealed("cloud-2", token="other")), body=by_token(sealed("cloud-2")))
    assert (same.route.cloud, same.token.token) == ("cloud-2", "other")


def test_ec2_goes_to_the_home_of_the_service_that_asks():
    body = b'{"credentials": {"access": "a", "signature": "s"}}'
    found = ask(head("POST", "/identity/v3/ec2tokens", token=sealed("cloud-2")), body=body)
    assert isinstance(found, Issue)
    assert (found.route.cloud, found.token.home, found.body) == ("cloud-2", "cloud-2", body)


def test_federation_passes_what_the_identity_provider_made():
    target = f"/identity{FEDERATED}"
    found = ask(head("GET", target, scope="image:cloud-2"))
    assert isinstance(found, Issue)
    assert (found.body, canonical(found.bound)) == (b"", "image:cloud-2")
    form = by_token("junk~junk")
    assert ask(head("POST", target), body=form).body == form


def test_an_assertion_is_asked_for_with_the_bare_token():
    body = by_token(sealed("cloud-2"), scope={"service_provider": {"id": "sp"}})
    found = ask(head("POST", "/identity/v3/auth/OS-FEDERATION/saml2"), body=body)
    assert (found.route.cloud, TOKEN.encode() in found.body, b"~" in found.body) == ("cloud-2", True, False)


# Other calls.


def test_a_token_goes_to_its_home_whatever_its_own_scope_says_of_identity():
    found = ask(head(target="/identity/v3/projects", token=sealed("cloud-2", "*:cloud-3")))
    assert (found.route.cloud, found.route.carrier) == ("cloud-2", Carrier.TOKEN)


def test_a_service_token_of_another_cloud_is_not_shown_to_keystone():
    request = head(target="/v3/projects", token=sealed("cloud-1"), service_token=sealed("cloud-2", token="s"))
    assert ask(request, at("cloud-1", "identity")).service_token is None
    request = head(target="/v3/projects", token=sealed("cloud-1"), service_token=sealed("cloud-1", token="s"))
    assert ask(request, at("cloud-1", "identity")).service_token.token == "s"


def test_a_header_that_names_an_identity_url_has_no_effect():
    plain = ask(head(target="/identity/v3/projects", token=sealed()))
    named = ask(
        head(
            target="/identity/v3/projects",
            token=sealed(),
            x_identity_url="http://evil.example/v3",
            x_identity_cloud="cloud-2",
            x_forwarded_host="evil.example",
            forwarded="host=evil.example",
        )
    )
    assert plain == named
    image = head(
        target="/image/v2", token=sealed(), x_identity_url="http://evil.example/v3", x_auth_url="http://evil"
    )
    assert ask(image) == ask(head(target="/image/v2", token=sealed()))


# Validation.


def validate(**more):
    method = more.pop("method", "GET")
    arrival = more.pop("arrival", at("cloud-2", "identity"))
    target = more.pop("target", "/v3/auth/tokens")
    return ask(head(method, target, **more), arrival)


ASKER = sealed("cloud-2", token="gAAAAAB-glance")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scope", [None, "identity:cloud-3", "*:cloud-3"])
def test_a_validation_goes_to_the_subjects_home_whatever_the_carriers_say(method, scope):
    found = validate(
        method=method,
        scope=scope,
        token=ASKER,
        subject=closed("cloud-1", service="image"),
        target="/v3/auth/tokens?nocatalog",
    )
    assert isinstance(found, Validate)
    assert (found.route.cloud, found.route.home, found.asking_cloud) == ("cloud-1", "cloud-1", "cloud-2")
    assert (found.asker.token, found.subject.token) == ("gAAAAAB-glance", TOKEN)
    assert found.route.target == b"/v3/auth/tokens?nocatalog"


def test_an_expired_box_may_still_be_validated_and_one_for_validation_too():
    from oidproxy.tokens.presented import Use

    assert isinstance(validate(token=ASKER, subject=closed(expires=1)), Validate)
    assert isinstance(validate(token=ASKER, subject=closed(use=Use.VALIDATE)), Validate)


def test_a_cloud_asks_about_its_own_tokens_in_any_form():
    for subject in (sealed("cloud-2"), TOKEN):
        found = validate(token=ASKER, subject=subject)
        assert (found.route.cloud, found.subject.token) == ("cloud-2", TOKEN)


def test_at_a_gateway_the_asking_cloud_is_the_askers_home():
    found = ask(head(target=TOKENS, token=ASKER, subject=sealed("cloud-2")))
    assert (found.asking_cloud, found.route.cloud) == ("cloud-2", "cloud-2")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_validation_by_nobody_is_a_401(method):
    found = validate(method=method, subject=closed())
    assert found.error.status == 401
    assert "WWW-Authenticate" in found.error.fields


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_asks_must_be_of_the_cloud_beside_which_it_asks(method):
    assert validate(method=method, token=sealed("cloud-1"), subject=closed()).error.status == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    "subject", ["junk~junk", "oid1~junk", sealed("cloud-9"), closed("cloud-9"), closed() + "A", closed()[:-4]]
)
def test_a_subject_that_nobody_knows_is_a_404_not_a_401(method, subject):
    assert validate(method=method, token=ASKER, subject=subject).error.status == 404


@pytest.mark.parametrize(
    ("arrival", "asker", "subject"),
    [
        (at("cloud-3", "identity"), sealed("cloud-3"), closed(cloud="cloud-2")),
        (at("cloud-1", "identity"), sealed("cloud-1"), closed(cloud="cloud-2")),
        (None, sealed("cloud-2"), closed(cloud="cloud-2")),
        (at("cloud-2", "identity"), ASKER, sealed("cloud-1", "image:cloud-2")),
    ],
    ids=["another cloud", "home", "gateway", "not closed"],
)
def test_a_cloud_cannot_ask_about_a_token_that_was_not_sent_to_it(arrival, asker, subject):
    target = TOKENS if arrival is None else "/v3/auth/tokens"
    assert ask(head(target=target, token=asker, subject=subject), arrival).error.status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_without_a_subject_keystone_says_what_is_missing(method):
    found = validate(method=method, token=ASKER)
    assert isinstance(found, Forward)
    assert found.route.cloud == "cloud-2"


# Revocation.


def test_a_token_is_revoked_at_its_home():
    found = ask(
        head(
            "DELETE",
            TOKENS,
            token=sealed("cloud-2", token="a"),
            subject=sealed("cloud-2"),
            scope="identity:cloud-3",
        )
    )
    assert isinstance(found, Revoke)
    assert (found.route.cloud, found.token.token, found.subject.token) == ("cloud-2", "a", TOKEN)


@pytest.mark.parametrize(
    ("asker", "subject"),
    [(ASKER, closed()), (ASKER, sealed("cloud-1")), (sealed("cloud-1"), sealed("cloud-2"))],
    ids=["closed subject", "subject of another cloud", "asker of another cloud"],
)
def test_nobody_revokes_another_clouds_token(asker, subject):
    assert validate(method="DELETE", token=asker, subject=subject).error.status == 403


def test_a_cloud_without_identity_is_a_501():
    known = snapshot(registry(cloud("cloud-1", 0), cloud("cloud-2", 1, without=("identity",))))
    found = ask(head("POST", TOKENS, scope="identity:cloud-2"), known=known, body=LOGIN)
    assert (found.error.status, found.error.message) == (501, "cloud-2 has no identity.")

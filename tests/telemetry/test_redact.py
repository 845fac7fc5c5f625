"""No secret comes through, whatever it is wrapped in; what is none stays readable."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.http.fields import SECRET_FIELDS
from oidproxy.telemetry import redact

FERNET = "gAAAAABnQ2xvdWQtb25lLXRva2VuLXRoYXQtaXMtbG9uZw_-x=="
SEALED = FERNET + "~eyJob21lIjoiY2xvdWQtMSJ9"
JWS = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
CLOSED = "oid1~AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
TOKENS = [FERNET, SEALED, JWS, CLOSED]
HIDDEN = "{SHA256}"


def test_a_digest_tells_equal_secrets_and_nothing_more():
    assert redact.digest("a") == redact.digest(b"a") == "{SHA256}ca978112ca1bbdca"
    assert redact.digest("b") != redact.digest("a")
    assert redact.digest(redact.digest("a")) == redact.digest("a")
    assert redact.digest("\udcff")


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            "/compute/v2.1/servers/detail?limit=20&marker=3f2a9b1c-0000-4000-8000-000000000000&sort_key=name",
            "/s/keystone:cloud-1;glance:cloud-999/image/v2/images",
            "/s/x" + "6b6579" * 60 + "/image/v2/images",
            "/v3/3f2a9b1c000040008000000000000000/volumes?all_tenants=1",
            "/v3/auth/tokens?nocatalog&allow_expired=1",
            "/",
            "*",
            "",
            "/v1/AUTH_1/c/o?temp_url_expires=1&filename=",
        ],
    )
    def test_what_holds_no_secret_stays_as_it_is(self, target):
        assert redact.target(target) == target

    @pytest.mark.parametrize("token", TOKENS)
    @pytest.mark.parametrize(
        "shape",
        [
            "/v2.0/tokens/{}",
            "/a/{}/b",
            "/a?x={}",
            "/a?{}",
            "/s/{}/image",
            "https://u:{}@host/a",
            "/x?url=http%3A%2F%2Fh%3Ftoken%3D{}",
        ],
    )
    @pytest.mark.parametrize("quoted", [False, True])
    def test_tokens_are_known_wherever_they_stand(self, shape, token, quoted):
        shown = redact.target(shape.format(quote(token, safe="") if quoted else token))
        assert token not in shown
        assert quote(token, safe="") not in shown
        assert HIDDEN in shown

    @pytest.mark.parametrize(
        "query",
        [
            *(
                "temp_url_sig=hidden-one",
                "X-Amz-Signature=hidden-one",
                "X-Amz-Credential=hidden-one",
                "Signature=hidden-one",
            ),
            *(
                "X-Amz-Security-Token=hidden-one",
                "AWSAccessKeyId=hidden-one",
                "token=hidden-one",
                "access_token=hidden-one",
            ),
            *(
                "password=hidden-one",
                "code=hidden-one",
                "ticket=hidden-one",
                "temp%5Furl%5Fsig=hidden-one",
                "TOKEN=hidden-one",
            ),
            *("path=%3Ftoken%3Dhidden-one", "SAMLResponse=hidden-one"),
        ],
    )
    def test_parameters_are_known_by_name(self, query):
        shown = redact.target(f"/v1/a?limit=1&{query};b=2")
        assert "hidden-one" not in shown
        assert shown.startswith("/v1/a?limit=1&")
        assert shown.endswith(";b=2")

    @pytest.mark.parametrize(
        "query", ["next=http://u:{}@h/", "a=http%3A%2F%2Fu%3A{}%40h", "http://u:{}@h/", "x=1&a=amqp://u:{}@h"]
    )
    def test_a_password_in_a_url_in_a_query_is_hidden(self, query):
        shown = redact.target("/v1/a?" + query.format("hunter2hunter2"))
        assert "hunter2" not in shown
        assert redact.target("/v1/a?to=me@example.org&u=http://h/a") == "/v1/a?to=me@example.org&u=http://h/a"

    def test_a_token_of_identity_v2_is_known_by_its_place(self):
        uuid = "0123456789abcdef0123456789abcdef"
        assert uuid not in redact.target(f"/identity/v2.0/tokens/{uuid}/endpoints")
        assert uuid not in redact.target(f"/identity/v2.0/%74okens/{uuid}")

    def test_only_a_real_tag_is_spared_for_its_length(self):
        long = "x" + "Z" * 200
        assert long not in redact.target(f"/s/{long}/image/v2")
        assert "6b" * 100 in redact.target(f"/s/x{'6b' * 100}/image/v2")
        assert "6b" * 100 not in redact.target(f"/image/x{'6b' * 100}/v2")

    def test_twice_is_once(self):
        once = redact.target(f"/v2.0/tokens/{FERNET}?temp_url_sig=1234&x={SEALED}")
        assert redact.target(once) == once


class TestFields:
    @pytest.mark.parametrize(
        "name",
        [
            *sorted(SECRET_FIELDS),
            b"X-Amz-Security-Token",
            b"OpenStack-Auth-Receipt",
            b"X-Account-Meta-Temp-URL-Key-2",
        ],
    )
    def test_secret_fields_are_known_by_name(self, name):
        ((shown, value),) = redact.fields([(name.title(), b"hidden \xe9")])
        assert shown == name.title().decode()
        assert value == redact.digest("hidden é")

    def test_others_are_shown_but_for_tokens_in_them(self):
        told = [
            (b"User-Agent", b"x/1"),
            (b"X-Odd", b"a " + FERNET.encode()),
            (b"Location", b"http://h/a?token=hidden"),
        ]
        shown = dict(redact.fields(told))
        assert shown["User-Agent"] == "x/1"
        assert FERNET not in shown["X-Odd"]
        assert "hidden" not in shown["Location"]
        assert shown["Location"].startswith("http://h/a?token=")


class TestJson:
    def test_a_login_shows_who_but_not_the_password(self):
        body = {
            "auth": {
                "identity": {
                    "methods": ["password", "totp"],
                    "password": {"user": {"name": "demo", "domain": {"id": "default"}, "password": "hidden"}},
                    "totp": {"user": {"id": "1", "passcode": "123456"}},
                },
                "scope": {"project": {"name": "demo"}},
            }
        }
        shown = redact.json_value(body)
        text = json.dumps(shown)
        assert "hidden" not in text
        assert "123456" not in text
        assert shown["auth"]["identity"]["password"]["user"]["name"] == "demo"
        assert shown["auth"]["identity"]["methods"] == ["password", "totp"]
        assert shown["auth"]["scope"] == body["auth"]["scope"]

    @pytest.mark.parametrize(
        "body",
        [
            {"auth": {"identity": {"token": {"id": "hidden"}}}},
            {"auth": {"identity": {"token": "hidden"}}},
            {"token": {"id": "hidden", "expires_at": "2030"}},
            {"token": {"value": "hidden"}},
            {"access": {"token": {"id": "hidden"}}},
            {"password": {"value": "hidden"}},
            {"application_credential": {"id": "1", "secret": "hidden"}},
            {"server": {"adminPass": "hidden"}},
            {"server": {"OS-EXT-SRV-ATTR:user_data": "hidden"}},
            {"server": {"user_data": "hidden"}},
            {"keypair": {"private_key": "hidden"}},
            {"credential": {"blob": '{"secret": "hidden"}'}},
            {"payload": "hidden"},
            {"secret": {"any": ["hidden"]}},
            {"password": ["hidden"]},
            {"password": "hidden"},
            {"passphrase": "hidden"},
            {"assertion": "hidden"},
            {"user": {"original_password": "hidden"}},
            {"ec2": {"signature": "hidden"}},
            {"Pass-Word": "hidden"},
            [[{"a": [{"userSecret": "hidden"}]}]],
        ],
    )
    def test_secrets_are_known_by_key_at_any_depth(self, body):
        assert "hidden" not in json.dumps(redact.json_value(body))

    def test_a_value_nested_without_end_is_cut_off(self):
        value: object = "hidden"
        for _ in range(500):
            value = {"a": value}
        assert "hidden" not in json.dumps(redact.json_value(value))


class TestText:
    @pytest.mark.parametrize(
        "message",
        [
            "token hidden=1 X-Auth-Token: {}",
            'answer {{"password": "{} with blanks"}}',
            "{{'adminPass': '{}'}}",
            "Authorization: Basic {}, x",
            "Cookie: a={}; b=2",
            "password={}&x=1",
            "GET http://user:{}@host/ failed",
            "client_secret = {}",
            'user_data: "{}\\" still inside"',
            "signature={}",
        ],
    )
    def test_what_is_said_to_be_secret_is_hidden(self, message):
        shown = redact.text(message.format("s3cr3t-Value"))
        assert "s3cr3t-Value" not in shown
        assert "blanks" not in shown
        assert "inside" not in shown

    @pytest.mark.parametrize("token", TOKENS)
    def test_tokens_are_known_by_shape(self, token):
        assert redact.text(f"no route for <{token}>.") == f"no route for <{redact.digest(token)}>."

    @pytest.mark.parametrize(
        "message", ["3 tokens were revoked", "the password method is not supported", "a cookie", ""]
    )
    def test_plain_words_stay(self, message):
        assert redact.text(message) == message

    @pytest.mark.parametrize(
        "text", ["a" * 50_000, "eyJ" * 20_000, "token" * 10_000, '"' * 50_000, "://" * 20_000, "-=" * 20_000]
    )
    def test_hostile_words_cost_no_more_than_their_length(self, text):
        from time import process_time

        start = process_time()
        redact.text(text)
        redact.target("/" + text)
        assert process_time() - start < 1.0


SECRETS = ["hunter2-of-the-proxy", *TOKENS]
secret_keys = st.sampled_from(
    ["password", "secret", "adminPass", "user_data", "passcode", "x_token", "private_key", "Client-Secret"]
)
plain_keys = st.one_of(
    st.sampled_from(["user", "id", "token", "password", "auth", "server"]), st.text(max_size=5)
)
secrets = st.sampled_from(SECRETS)


def wrapped(inner):
    return st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(plain_keys, inner, max_size=3),
        st.tuples(secret_keys, secrets, st.dictionaries(plain_keys, inner, max_size=2)).map(
            lambda made: {**made[2], made[0]: made[1]}
        ),
        st.tuples(secret_keys, st.lists(secrets)).map(lambda made: {made[0]: made[1]}),
    )


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.one_of(st.integers(), st.none(), st.text(max_size=5), st.sampled_from(TOKENS)),
        wrapped,
        max_leaves=20,
    )
)
def test_no_structure_leaks_a_secret_under_a_secret_key_nor_a_token_anywhere(value):
    shown = json.dumps(redact.json_value(value))
    assert not any(secret in shown for secret in SECRETS)


@settings(max_examples=300, deadline=None)
@given(
    before=st.text(st.characters(exclude_characters="\\\"'"), max_size=20),
    key=st.sampled_from(["password", "X-Auth-Token", "secret", "adminPass", "user_data", "authorization"]),
    sign=st.sampled_from(["=", ": ", '": "', "' : '"]),
    secret=secrets,
    after=st.sampled_from(["", " and more", '"}', "&x=1", ", y"]),
)
def test_no_message_leaks_one(before, key, sign, secret, after):
    opening = sign[-1] if sign[-1] in "\"'" else ""
    shown = redact.text(f"{before} {key}{sign}{secret}{opening}{after}")
    assert secret not in shown


@settings(max_examples=300, deadline=None)
@given(
    segments=st.lists(st.text(max_size=6), max_size=4),
    token=st.sampled_from(TOKENS),
    name=st.sampled_from(["marker", "x", "temp_url_sig"]),
    in_query=st.booleans(),
)
def test_no_target_leaks_a_token(segments, token, name, in_query):
    path = "/" + "/".join([quote(one) for one in segments])
    target = f"{path}?a=1&{name}={token}&b" if in_query else f"{path}/{token}/x?a=1"
    assert token not in redact.target(target)

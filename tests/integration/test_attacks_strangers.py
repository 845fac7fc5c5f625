"""Clouds that do not admit each other, guests who may only read, and a cloud whose operator means harm."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from itertools import islice
from urllib.parse import quote

import openstack
import pytest
import yaml
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from openstack.exceptions import SDKException

from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.presented import Box, Use
from tests.integration.attacking import ABROAD, HOME, World, bare, project, send
from tests.integration.hostile import Hostile

# The SDK warns of what will be removed from it, even where none of that is used.
pytestmark = [pytest.mark.filterwarnings("ignore:::openstack")]

EVIL = "evil"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def evil():
    with Hostile(EVIL, "127.0.0.1") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def thief():
    """Where the operator of `evil` would like tokens to be sent."""
    with Hostile("thief", "127.0.0.1") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def lab(tmp_path_factory, evil):
    """cloud-999 admits nobody, cloud-1 lets users of cloud-999 read, and there is a third cloud."""
    embedded = Embedded(tmp_path_factory.mktemp("strangers"), more=evil.configuration, record=True)
    configured = yaml.safe_load(embedded.config.read_text())
    del configured["clouds"][ABROAD]["admits"]
    configured["clouds"][HOME]["admits"][ABROAD]["read_only"] = True
    configured["clouds"][ABROAD]["groups"] = configured["clouds"][HOME]["groups"] = ["inner"]
    embedded.config.write_text(yaml.safe_dump(configured))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="module")
def world(lab):
    return World(lab)


@pytest.fixture(scope="module")
def token(world):
    return world.token()


# A cloud that does not admit the user's home.

CALLS = [
    ("GET", "image", "/v2/images"),
    ("POST", "image", "/v2/images"),
    ("GET", "compute", "/v2.1/servers"),
    ("POST", "compute", "/v2.1/servers"),
    ("GET", "network", "/v2.0/networks"),
    ("GET", "block-storage", "/v3/volumes"),
    ("GET", "placement", "/resource_providers"),
]


@pytest.mark.parametrize(("method", "service", "path"), CALLS)
@pytest.mark.parametrize("user", ["demo", "admin", "nova"])
def test_a_cloud_that_admits_nobody_is_shown_nothing(world, user, method, service, path):
    token = world.token(user)
    watches = {cloud: world.watch(cloud) for cloud in (HOME, ABROAD)}
    body = {} if method == "POST" else None
    for at in (world.gateway, world.beside(HOME), world.beside(ABROAD)):
        for text in (token, bare(token)):
            if text is not token and at == world.beside(ABROAD):
                continue  # bare and there, it claims to be a token of cloud-999
            for fields, prefix in (({"X-Scope": f"{service}:{ABROAD}"}, ""), ({}, f"/s/{service}:{ABROAD}")):
                target = f"{prefix}/{service}{path}" if prefix or at.gateway else path
                answer = send(
                    at, method, service, path, {"X-Auth-Token": text, **fields}, body, target=target
                )
                assert (answer.status, answer.own) == (403, "not-admitted")
                assert ABROAD in answer.message
                assert HOME in answer.message
                assert "admits" in answer.message
    assert not watches[ABROAD].seen()
    # Nor is its home asked about a token that could not be used anyway.
    assert not watches[HOME].seen()


def test_at_home_the_same_user_is_served(world, token):
    for _, service, path in CALLS[:1] + CALLS[2:3] + CALLS[4:6]:
        assert send(world.beside(HOME), "GET", service, path, {"X-Auth-Token": token}).status == 200


def test_its_services_are_told_of_nobody(world, lab, token):
    """Even where one of them has a box, of a time when the cloud admitted others."""
    keyring = Keyring((bytes.fromhex((lab.folder / "fleet.key").read_text()),))
    held = keyring.close(Box(bare(token), HOME, "", ABROAD, "compute", Use.CALL, 2**31))
    nova = world.token("nova", ABROAD)
    watch = world.watch(HOME)
    for method in ("GET", "HEAD"):
        assert world.validate(nova, held, method=method).status == 404
    assert not watch.seen()
    answer = world.renew(held, project("demo"))
    assert (answer.status, answer.own) == (403, "not-admitted")
    assert not watch.seen("identity", "POST")
    fields = {"X-Auth-Token": held}
    answer = send(world.beside(ABROAD), "GET", "image", "/v2/images", fields)
    assert (answer.status, answer.own) == (403, "not-admitted")
    assert not watch.seen("image")
    for service, path in (("compute", "/v2.1/servers"), ("image", "/v2/images")):
        assert send(world.direct(ABROAD), "GET", service, path, fields).status == 401


def test_a_users_pages_and_catalogs_do_not_know_it(world):
    page, explain = "/.well-known/oidproxy/explain", "/.well-known/oidproxy/explain?scope="
    answer = world.authenticate(at=world.gateway, under="*")
    token = answer.get("x-subject-token")
    told = answer.text.replace(token, "")
    for path in (
        "/.well-known/oidproxy/clouds",
        page,
        *(explain + quote(scope) for scope in ("image:*", "*", "image:@inner", "image:c*", "image:any(2,*)")),
        explain + quote("image:*") + "&path=/image/v2/images",
        explain + quote("compute:cloud-1;network:@inner") + "&method=POST&path=/compute/v2.1/servers",
    ):
        shown = send(world.gateway, "GET", "x", "", {"X-Auth-Token": token}, target=path)
        assert shown.status == 200, shown.text
        told += shown.body.decode()
    together = {"X-Auth-Token": token, "X-Scope": "compute:cloud-1;network:@inner"}
    refusal = send(world.gateway, "POST", "compute", "/v2.1/servers", together, {})
    assert refusal.status == 400
    told += refusal.text
    for scope in ("image:*", "image:@inner", "image:c*"):
        for fields in ({"X-Auth-Token": token}, {}):
            listed = send(world.gateway, "GET", "image", "/v2/images", {**fields, "X-Scope": scope})
            assert listed.status == (200 if fields else 401)
            told += f"{listed.fields}{listed.text}"
            whole = f"/.well-known/oidproxy/requests/{listed.get('x-openstack-request-id')}"
            told += send(world.gateway, "GET", "x", "", {"X-Auth-Token": token}, target=whole).text
    assert HOME in told
    assert EVIL in told
    assert ABROAD not in told
    assert world.lab.place(ABROAD).region not in told


# Guests who may only read.


@pytest.mark.parametrize("method", [*WRITES, "OPTIONS"])
def test_a_guest_who_may_read_writes_nothing(world, method):
    guest = world.token(cloud=ABROAD, under=f"image:{HOME};identity:{ABROAD}")
    watch = world.watch(HOME)
    fields = {"X-Auth-Token": guest}
    for at in (world.beside(ABROAD), world.gateway):
        answer = send(at, method, "image", "/v2/images", fields, {} if method != "OPTIONS" else None)
        assert (answer.status, answer.own) == (403, "not-admitted")
    for query in ("?_method=post", "?limit=1&_method=PATCH", "?%5fmethod=post"):
        answer = send(world.beside(ABROAD), "GET", "image", f"/v2/images{query}", fields)
        assert (answer.status, answer.own) == (403, "not-admitted")
    assert not watch.seen()
    other = {**fields, "X-HTTP-Method-Override": method}
    assert send(world.beside(ABROAD), "GET", "image", "/v2/images?limit=1", other).status == 200
    [row] = [row for row in watch.seen("image") if row.get("x-auth-token")]
    assert row.get("x-http-method-override") is None


# A cloud that admits the user in order to get the token.


@pytest.fixture(scope="module")
def client(lab):
    """Gives openstacksdk, signed in at cloud-1 under a scope."""
    with ExitStack() as opened:

        def sign_in(scope):
            auth = v3.Password(
                auth_url=f"{lab.places.gateway_url}/s/{scope}/identity/v3",
                username="demo",
                password=lab.password,
                project_name="demo",
                user_domain_id="default",
                project_domain_id="default",
            )
            session = Session(auth=auth)
            sdk = openstack.connection.Connection(session=session, region_name="RegionOne")
            opened.callback(session.session.close)
            opened.callback(sdk.close)
            return session, sdk

        yield sign_in


@pytest.fixture
def victim(client):
    """Anew for each test: clients remember what clouds told them of themselves."""
    return client(f"*:{EVIL};identity:{HOME}")


@pytest.fixture(autouse=True)
def _afresh(evil, thief):
    evil.behave()
    evil.received.clear()
    thief.received.clear()


def some(rows):
    """The first rows: a next page that leads back to the same one never ends."""
    return list(islice(rows, 3))


def followed(evil, thief, path, call):
    """What arrives at the thief's when a client does what the hostile cloud's answers make it do."""
    with suppress(SDKException, ClientException, KeyError, ValueError):  # of answers it did not expect
        call()
    assert any(f" {path}" in text for text in evil.received), "the cloud was not called"
    assert all("X-Auth-Token: oid1~" in text for text in evil.received if "X-Auth-Token" in text)
    return thief.received


def test_what_a_hostile_cloud_gets_is_a_box(victim, evil, lab):
    session, sdk = victim
    evil.answer("/image/v2/images", {"images": [{"id": "1", "name": "there"}]})
    assert [image.name for image in sdk.image.images()] == ["there"]
    sealed = session.get_token()
    assert not any(bare(sealed) in text for text in evil.received)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_token_away(victim, evil, thief, status):
    """keystoneauth follows it with the token of the first request, whichever host it names."""
    session, _ = victim
    for location in (
        thief.url + "/v2/images",
        thief.url.upper(),
        "//" + thief.url[7:],
        f"{evil.url}@{thief.url[7:]}/",
    ):
        evil.answer("/image/v2/images", b"", status, {"Location": location})
        call = lambda: session.get("/v2/images", endpoint_filter={"service_type": "image"}, redirect=2)  # noqa: E731
        assert followed(evil, thief, "/image/v2/images", call) == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", ""])
def test_a_next_page_takes_no_token_away(victim, evil, thief, kind):
    _, sdk = victim
    fields = {"Content-Type": kind} if kind else {}
    one = [{"id": "1", "name": "there"}]
    for link in (
        thief.url + "/v2/images?marker=1",
        " " + thief.url + "/v2/images",
        thief.url.replace("http", "HTTP"),
    ):
        evil.answer("/image/v2/images", {"images": one, "next": link}, fields=fields)
        assert followed(evil, thief, "/image/v2/images", lambda: some(sdk.image.images(limit=1))) == []
    page = {
        "servers": one,
        "servers_links": [{"rel": "next", "href": thief.url + "/compute/v2.1/servers/detail"}],
    }
    evil.answer("/compute/v2.1/servers/detail", page, fields=fields)
    assert followed(evil, thief, "/compute/v2.1/servers", lambda: some(sdk.compute.servers(limit=1))) == []
    page = {"networks": one, "networks_links": [{"rel": "next", "href": thief.url + "/v2.0/networks"}]}
    evil.answer("/network/v2.0/networks", page, fields=fields)
    assert followed(evil, thief, "/network/v2.0/networks", lambda: some(sdk.network.networks(limit=1))) == []


def test_a_link_field_takes_no_token_away(victim, evil, thief):
    session, _ = victim
    images = {"service_type": "image"}

    def follow():
        first = session.get("/v2/images", endpoint_filter=images)
        if "next" in first.links:
            session.get(first.links["next"]["url"])

    for value in (f'<{thief.url}/v2/images>; rel="next"', f'{thief.url}/v2/images; rel="next"'):
        evil.received.clear()
        fields = {"Content-Type": "application/json", "Link": value}
        evil.answer("/image/v2/images", {"images": [{"id": "1"}]}, fields=fields)
        assert followed(evil, thief, "/image/v2/images", follow) == []
        # The one that is well-formed still leads to the next page, through the proxy.
        assert len([text for text in evil.received if " /image/v2/images" in text]) == 1 + value.startswith(
            "<"
        )


@pytest.mark.parametrize("href", ["{}/image/v2/", "{}/image/v2", "//{}/image/v2/"])
def test_a_version_document_takes_no_token_away(client, evil, thief, href):
    """The client is made to look at it: it wants the service's second version."""
    link = href.format(thief.url[7:] if href.startswith("//") else thief.url)
    version = {"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": link}]}
    for path in ("/image", "/image/"):
        evil.answer(path, {"versions": [version]}, 300)
    evil.answer("/image/v2/images", {"images": []})
    session, _ = client(f"image:{EVIL}")
    wanted = {"service_type": "image", "version": "2"}
    assert followed(evil, thief, "/image/", lambda: session.get("/images", endpoint_filter=wanted)) == []
    assert len(evil.received) > 1


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp037"])
def test_no_charset_hides_a_link(victim, evil, thief, charset):
    session, sdk = victim
    body = json.dumps({"images": [{"id": "1"}], "next": thief.url + "/v2/images"}).encode(charset)
    evil.answer("/image/v2/images", body, fields={"Content-Type": f"application/json; charset={charset}"})
    assert followed(evil, thief, "/image/v2/images", lambda: some(sdk.image.images(limit=1))) == []
    answer = session.get("/v2/images", endpoint_filter={"service_type": "image"}, raise_exc=False)
    assert answer.status_code == 502


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", ""])
def test_no_encoding_that_clients_guess_hides_a_link(victim, evil, thief, encoding, kind):
    _, sdk = victim
    body = json.dumps({"images": [{"id": "1"}], "next": thief.url + "/v2/images"}).encode(encoding)
    evil.answer("/image/v2/images", body, fields={"Content-Type": kind} if kind else {})
    assert followed(evil, thief, "/image/v2/images", lambda: some(sdk.image.images(limit=1))) == []


def test_fields_of_ours_are_not_a_clouds_to_send(world, evil):
    token = world.token(under=f"image:{EVIL}")
    forged = {
        "Content-Type": "application/json",
        "X-Scope": "image:cloud-1",
        "X-Scope-Why": "forged",
        "X-Oidproxy-Error": "token",
        "Set-Cookie": "session=1",
        "Alt-Svc": 'h2="thief:443"',
    }
    evil.answer("/image/v2/images", {"images": []}, fields=forged)
    for at in (world.gateway, world.beside(HOME)):
        answer = send(at, "GET", "image", "/v2/images", {"X-Auth-Token": token})
        assert answer.status == 200
        for name in forged.keys() - {"Content-Type"}:
            assert answer.get(name) is None, name


def test_a_hostile_keystone_is_not_asked_about_others_and_knows_none(world, evil):
    """Its own answers are believed about its own tokens only, and those are admitted nowhere."""
    claimed = "gAAAAA-made-up~" + world.token(cloud=ABROAD).partition("~")[2]
    for at in (world.gateway, world.beside(HOME)):
        assert send(at, "GET", "image", "/v2/images", {"X-Auth-Token": claimed}).status == 401
    assert not evil.received

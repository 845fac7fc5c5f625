"""Secrets in logs, in errors and on the proxy's own pages: whoever reads those learns none."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import quote

import pytest

from tests.integration.attacking import (
    ABROAD,
    HOME,
    SYSTEM,
    UNSCOPED,
    World,
    bare,
    by_password,
    by_token,
    project,
    send,
)

TOKEN = re.compile(r"(?:gAAAA|oid1~)[A-Za-z0-9_.=~-]{40,}")
MARK = "Mark4711"


@pytest.fixture(scope="module")
def world(lab):
    with World(lab) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def token(world):
    return world.token()


@pytest.fixture(scope="module")
def box(world, token):
    return world.box("compute", token)


def logged(lab, until):
    """All that the proxy wrote, once the line of this request is there: lines gather for a moment."""
    deadline = time.monotonic() + 10
    while until not in lab.access_log.read_text():
        assert time.monotonic() < deadline, "the access log was not written"
        time.sleep(0.05)
    return lab.access_log.read_text() + (lab.folder / "proxy.log").read_text()


def test_no_token_and_no_password_is_in_any_log(world, lab, token, box):
    """Wherever a client puts them, and whatever the clouds were shown since they started."""
    one = bare(token)
    at, gateway = world.beside(HOME), world.gateway
    for text in (token, one, box):
        for path in (
            f"/v3/auth/tokens/{text}",
            f"/v3/users?token={text}",
            f"/v3/x?a={text}&password={lab.password}",
            f"/v3/{text}",
            f"/v3/users?{text}",
            f"/v3/x?next=http://u:{lab.password}@h/",
        ):
            send(at, "GET", "identity", path, {"X-Auth-Token": token})
        for name in ("User-Agent", "Referer", "X-Scope-Tokens", "Cookie", "Authorization", "X-Mine"):
            send(gateway, "GET", "image", "/v2/images", {"X-Auth-Token": token, name: f"token={text}"})
        send(gateway, "GET", "image", "/v2/images", {"X-Auth-Token": text, "X-Service-Token": text})
        send(gateway, "GET", "image", "/v2/images", {"X-Auth-Token": text + "~", "X-Subject-Token": text})
        send(gateway, "GET", "image", "/v2/images", {"X-Scope": text})
        send(gateway, "GET", "image", "", target=f"/s/{text}/image/v2/images")
        world.renew(text, UNSCOPED)
        world.validate(world.token("nova", ABROAD), text)
        world.validate(world.token("demo", ABROAD), text)
    send(gateway, "GET", "image", "/v2/images", {"User-Agent": f"password={lab.password}"})
    wrong = by_password("demo", lab.password + "x", project("demo"))
    last = send(at, "POST", "identity", "/v3/auth/tokens", {}, wrong)
    assert last.status == 401
    last = send(gateway, "GET", "image", f"/v2/images/{MARK}", {"X-Auth-Token": token})
    text = logged(lab, MARK)
    records = "".join(lab.record(cloud).read_text() for cloud in (HOME, ABROAD))
    used = set(TOKEN.findall(records)) | {token, box}
    assert len(used) > 10
    for secret in used:
        assert secret not in text
        assert secret[8:40] not in text
    assert lab.password not in text
    assert (lab.folder / "fleet.key").read_text().strip()[:32] not in text
    assert last.status == 404


def test_what_is_logged_tells_a_token_from_another_all_the_same(world, lab, token):
    path = f"/v3/{MARK}/auth/tokens/"
    send(world.gateway, "GET", "identity", path + token, {"X-Auth-Token": token})
    line = next(line for line in logged(lab, path).splitlines() if path in line)
    assert re.search(re.escape(path) + r"\{SHA256\}[0-9a-f]{16}\Z", json.loads(line)["path"])


# What an error says.


def test_no_refusal_repeats_what_it_refuses(world, token, box):
    """Neither the token nor any word of the request: errors are shown to others, in tickets and logs."""
    at, mark = world.beside(HOME), MARK
    answers = [
        send(at, "GET", "image", "/v2/images", {"X-Auth-Token": mark + "~" + mark}),
        send(at, "GET", "image", "/v2/images", {"X-Auth-Token": f"oid1~{mark}"}),
        send(at, "GET", "image", "/v2/images", {"X-Auth-Token": token + mark}),
        send(at, "GET", "image", "/v2/images", {"X-Auth-Token": token, "X-Storage-Token": mark}),
        send(at, "GET", "image", "/v2/images", [("X-Auth-Token", mark), ("X-Auth-Token", mark)]),
        send(
            at, "GET", "image", "/v2/images", {"X-Auth-Token": token, "Connection": f"X-Auth-Token, {mark}"}
        ),
        send(at, "GET", "image", "/v2/images", {f"X_{mark}": mark}),
        send(
            at, "GET", "image", "/v2/images", {"Via": ", ".join([f"1.1 {mark}"] * 9), "X-Auth-Token": token}
        ),
        send(at, "GET", "image", "/v2/images", {"Expect": mark}),
        send(at, mark.upper(), "image", "/v2/images"),
        send(at, "GET", "image", "", target=f"/{mark}/../x"),
        send(at, "GET", "image", "", target=f"http://{mark}.example/x"),
        send(at, "GET", "image", "/v2", host=f"{mark}@x"),
        send(at, "TRACE", "image", f"/{mark}", {"X-Mine": mark}),
        send(world.gateway, "GET", mark, f"/{mark}", {"X-Mine": mark}),
        send(world.gateway, "GET", "image", "", target=f"/{mark}"),
        send(world.beside(ABROAD), "GET", "compute", f"/v2.1/{mark}", {"X-Auth-Token": box}),
        send(world.beside(ABROAD), "GET", "image", "/v2/images", {"X-Auth-Token": box + mark}),
        world.validate(token, mark),
        world.validate(token + mark, mark),
        world.renew(box, project(mark)),
        world.renew(box, project("demo"), methods=[mark]),
        send(at, "POST", "identity", "/v3/auth/tokens", {}, by_token(f"{mark}~{mark}", SYSTEM)),
        send(at, "POST", "identity", "/v3/auth/tokens", {}, ('{"auth":' * 2000 + mark).encode()),
    ]
    for number, answer in enumerate(answers):
        assert answer.status >= 400, number
        if answer.own:
            assert mark.lower() not in answer.text.lower(), (number, answer.text)
        assert bare(token) not in answer.text, (number, answer.text)
        assert box not in answer.text, (number, answer.text)
    assert sum(answer.own is not None for answer in answers) > 18


def test_a_scope_error_shows_the_scope_and_nothing_else(world, token):
    for fields, target in (({"X-Scope": f"image:{MARK}"}, None), ({}, f"/s/image:{MARK}/image/v2/images")):
        answer = send(
            world.gateway, "GET", "image", "/v2/images", {"X-Auth-Token": token, **fields}, target=target
        )
        assert (answer.status, answer.own) == (400, "scope")
        assert MARK in answer.message
        assert bare(token) not in answer.text


# The proxy's own pages.

EXPLAIN = "/.well-known/oidproxy/explain"
CLOUDS = "/.well-known/oidproxy/clouds"


def page(world, path, token=None, *, at=None, **fields):
    given = {"X-Auth-Token": token} if token else {}
    given |= {name.replace("_", "-"): value for name, value in fields.items()}
    return send(at or world.gateway, "GET", "identity", "", given, target=path)


def test_pages_that_tell_of_clouds_tell_users_only(world, token, box):
    nova = world.held("image", token, service_token=world.token("nova")).get("x-service-token")
    for at in (world.gateway, world.beside(HOME), world.beside(ABROAD)):
        for path in (CLOUDS, EXPLAIN, f"{EXPLAIN}?path=/image/v2/images", f"/s/image:{ABROAD}{CLOUDS}"):
            assert page(world, path, token, at=at).status == 200
            for nobody in (None, "x", bare(token)[:-1], f"{token}x", box, nova):
                answer = page(world, path, nobody, at=at)
                assert answer.status in (401, 403), answer.text
                assert "services" not in answer.text
                assert ABROAD not in answer.text or at == world.beside(ABROAD)
            assert page(world, path, at=at, Authorization=f"Bearer {bare(token)}").status == 401


def test_no_page_shows_an_address_of_a_cloud(world, lab, token):
    for at in (world.gateway, world.beside(HOME)):
        for path in (
            CLOUDS,
            EXPLAIN,
            f"{EXPLAIN}?path=/image/v2/images&scope=image:{ABROAD}",
            "/.well-known/openstack/api",
        ):
            text = page(world, path, token, at=at).text
            for place in lab.places.clouds:
                assert place.address not in text
                assert f"{place.beside}:" not in text or place.beside == at.host


@pytest.mark.parametrize(
    "query",
    [
        "path=/x%0d%0aX-Auth-Token:%20y",
        "path=/x%0aX-Scope:%20y",
        "path=/x%20HTTP/1.1",
        "path=/x%00",
        "path=/x%7f",
        "path=%09/x",
        "path=x",
        "path=//evil/x%0d",
        "path=/%2e%2e/x",
        "path=/" + "x" * 9000,
        "method=GET%20/x%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET&path=/x",
        "method=TRACE&path=/x",
        "method=&path=/x",
        "method=%C3%A9&path=/x",
        "scope=image:cloud-1%0d%0aX-Auth-Token:%20y",
        "scope=image:cloud-1%0a",
        "scope=%00",
        "scope=%C3%A9%0b",
        "scope=%e2%80%a8",
        "scope=" + quote("(" * 400),
    ],
)
def test_a_question_is_no_way_to_write_a_head(world, token, query):
    answer = page(world, f"{EXPLAIN}?{query}", token)
    assert answer.status in (400, 404, 405, 414, 501), answer.text
    assert answer.own
    assert "evil" not in answer.text


def test_a_question_about_another_host_is_about_nothing(world, token):
    answer = page(world, f"{EXPLAIN}?path=http://evil/image/v2/images", token)
    assert (answer.json["services"], answer.json["request"]["decision"]) == ([], "refuse")
    assert "evil" not in answer.text


def test_a_question_is_not_a_request(world):
    """Whatever it asks about, no cloud is called but the home, to say who asks."""
    fresh = world.token()
    watches = {cloud: world.watch(cloud) for cloud in (HOME, ABROAD)}
    for query in (
        "method=DELETE&path=/identity/v3/auth/tokens",
        "method=POST&path=/identity/v3/auth/tokens",
        f"method=DELETE&path=/image/v2/images/x&scope=image:{ABROAD}",
    ):
        assert page(world, f"{EXPLAIN}?{query}", fresh).status == 200
    assert not watches[ABROAD].seen()
    assert {row.method for row in watches[HOME].seen()} <= {"GET"}
    assert world.validate(fresh, fresh, at=world.gateway).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_pages_are_only_read(world, token, method):
    for path in (CLOUDS, EXPLAIN, "/healthcheck", "/.well-known/openstack/api"):
        answer = send(world.gateway, method, "identity", "", {"X-Auth-Token": token}, target=path)
        assert answer.status == 405

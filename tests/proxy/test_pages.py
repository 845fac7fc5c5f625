"""What the proxy answers itself on its data listeners."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from oidproxy.proxy.pages import page
from tests.routing.world import NOW, ask, at, at_gateway, head, sealed, snapshot
from tests.wire.rig import rig


async def get(proxy, target: bytes, *fields: bytes) -> tuple[bytes, bytes]:
    peer = await proxy.client()
    lines = b"".join(field + b"\r\n" for field in fields)
    await peer.send(
        b"GET " + target + b" HTTP/1.1\r\nHost: proxy:8888\r\nConnection: close\r\n" + lines + b"\r\n"
    )
    head, _, body = (await peer.rest()).partition(b"\r\n\r\n")
    return head, body


async def test_healthcheck_answers_as_oslo_does_and_not_while_draining(tmp_path):
    async with rig(tmp_path) as proxy:
        head, body = await get(proxy, b"/healthcheck")
        assert (head.split()[1], body) == (b"200", b"OK")
        proxy.serving.draining = True
        head, _ = await get(proxy, b"/healthcheck")
        assert head.split()[1] == b"503"
        assert proxy.upstream.connections == []


async def test_the_sdks_profile_names_the_proxy_as_the_client_called_it(tmp_path):
    async with rig(tmp_path) as proxy:
        _, body = await get(proxy, b"/.well-known/openstack/api")
        profile = json.loads(body)
        assert profile["profile"]["auth"]["auth_url"] == "http://proxy:8888/identity/v3"
        assert profile["name"]


async def test_what_shows_clouds_needs_a_token(tmp_path):
    async with rig(tmp_path) as proxy:
        for page in (
            b"/.well-known/oidproxy/clouds",
            b"/.well-known/oidproxy/explain?path=/image/v2",
            b"/.well-known/oidproxy/resources?resource=image/images",
        ):
            head, body = await get(proxy, page)
            assert head.split()[1] == b"401"
            assert b"cloud-1" not in body


async def explained(arrival, query, **carried):
    """What the page answers at this listener, to a user whose token is good."""

    async def subject(token):
        return token

    request = head(target=f"/.well-known/oidproxy/explain?{query}", token=sealed(), **carried)
    known = snapshot()
    serving = SimpleNamespace(identity=SimpleNamespace(subject=subject), clock=lambda: NOW)
    exchange = SimpleNamespace(request=request, arrival=arrival, snapshot=known, serving=serving)
    answer = await page(exchange, ask(request, arrival, known))
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize("port", ["identity", "image", "compute"])
async def test_a_path_in_question_is_read_as_at_a_gateway_on_every_port(port):
    query = "method=POST&path=/compute/v2.1/servers"
    told = await explained(at("cloud-1", port), query)
    assert [row["service"] for row in told["services"]] == ["compute"]
    assert (told["request"]["decision"], told["request"]["target"]) == ("forward", "/v2.1/servers")
    assert told == await explained(at_gateway(), query)
    nothing = await explained(at("cloud-1", port), "path=/v3/projects")
    assert (nothing["services"], nothing["request"]["status"]) == ([], 404)


async def test_a_question_keeps_the_scope_and_the_cloud_of_where_it_is_asked():
    told = await explained(at("cloud-2", "identity"), "path=/image/v2/images", scope="image:cloud-1")
    assert (told["services"][0]["cloud"], told["services"][0]["carrier"]) == ("cloud-1", "header")


async def test_an_answer_says_why_when_it_is_asked(tmp_path):
    async with rig(tmp_path) as proxy:
        head, _ = await get(proxy, b"/s/image:cloud-1/image/v2", b"X-Scope-Explain: 1")
        why = next(line for line in head.split(b"\r\n") if line.startswith(b"X-Scope-Why: "))
        assert b"service=image" in why
        assert b"by=url" in why
        head, _ = await get(proxy, b"/image/v2")
        assert b"X-Scope-Why" not in head


async def test_a_refusal_says_why_too(tmp_path):
    async with rig(tmp_path) as proxy:
        head, _ = await get(proxy, b"/s/image:nowhere/image/v2", b"X-Scope-Explain: 1")
        assert head.split()[1] == b"400"
        assert b"X-Scope-Why: refused=scope" in head
        await proxy.upstream.stop()
        head, _ = await get(proxy, b"/s/image:cloud-1/image/v2", b"X-Scope-Explain: 1")
        assert head.split()[1] == b"502"
        assert b"cloud=cloud-1" in head
        head, _ = await get(proxy, b"/teapot")
        assert b"X-Scope-Why" not in head


async def test_a_request_id_of_the_client_is_kept(tmp_path):
    async with rig(tmp_path) as proxy:
        given = b"req-12345678-1234-1234-1234-123456789012"
        head, _ = await get(proxy, b"/teapot", b"X-Openstack-Request-Id: " + given)
        assert given in head
        head, _ = await get(proxy, b"/teapot", b"X-Openstack-Request-Id: nonsense")
        assert b"nonsense" not in head


async def test_require_scope_refuses_users_at_the_gateway(tmp_path):
    async with rig(tmp_path, more="require_scope: true\n") as proxy:
        head, body = await get(proxy, b"/image/v2/images", b"X-Auth-Token: abc")
        assert head.split()[1] == b"400"
        assert b"scope" in body
        head, _ = await get(proxy, b"/image/v2/images", b"X-Scope: image:cloud-1")
        assert head.split()[1] == b"200"

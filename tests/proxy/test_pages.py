"""What the proxy answers itself on its data listeners."""

from __future__ import annotations

import json

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
        for page in (b"/.well-known/oidproxy/clouds", b"/.well-known/oidproxy/explain?path=/image/v2"):
            head, body = await get(proxy, page)
            assert head.split()[1] == b"401"
            assert b"cloud-1" not in body


async def test_an_answer_says_why_when_it_is_asked(tmp_path):
    async with rig(tmp_path) as proxy:
        head, _ = await get(proxy, b"/s/image:cloud-1/image/v2", b"X-Scope-Explain: 1")
        why = next(line for line in head.split(b"\r\n") if line.startswith(b"X-Scope-Why: "))
        assert b"service=image" in why
        assert b"by=url" in why
        head, _ = await get(proxy, b"/image/v2")
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

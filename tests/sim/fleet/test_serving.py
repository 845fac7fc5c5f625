"""The fleet's own HTTP: bodies both ways, connections that stay, answers that are kept until they change."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim.fleet.conftest import parsed

OCTETS = {"Content_Type": "application/octet-stream"}
KEPT = "GET /v2/images HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {}\r\n\r\n"


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(parsed(head).fields["content-length"])
    return head + await reader.readexactly(length)


async def created(rig, **attributes) -> str:
    given = {"name": "own", "disk_format": "raw", "container_format": "bare", **attributes}
    token = await rig.token(1)
    made = await rig.ask(1, "image", "/v2/images", method="POST", token=token, document=given)
    assert made.status == 201, made.body
    return made.json()["id"]


async def test_a_connection_is_used_again_and_requests_may_come_at_once(fleet):
    rig = await fleet(1)
    one = KEPT.format(await rig.token(1)).encode()
    reader, writer = await rig.connect(1, "image")
    writer.write(one * 3)
    answers = [await answer(reader) for _ in range(3)]
    writer.write(one)
    answers.append(await answer(reader))
    assert {parsed(data).status for data in answers} == {200}
    assert len({parsed(data).body for data in answers}) == 1
    writer.close()


async def test_a_list_shows_what_was_just_made_changed_and_deleted(fleet):
    rig = await fleet(1)

    async def names() -> list[str]:
        images = (await rig.get(1, "image", "/v2/images")).json()["images"]
        return sorted(image["name"] for image in images if image["name"].startswith("own"))

    assert await names() == []
    identity = await created(rig)
    assert await names() == ["own"]
    change = b'[{"op": "replace", "path": "/name", "value": "own-2"}]'
    kind = {"Content_Type": "application/openstack-images-v2.1-json-patch"}
    path, token = f"/v2/images/{identity}", await rig.token(1)
    await rig.ask(1, "image", path, method="PATCH", token=token, body=change, **kind)
    assert await names() == ["own-2"]
    await rig.ask(1, "image", path, method="DELETE", token=token)
    assert await names() == []


async def test_a_kept_answer_is_only_for_who_may_see_it(fleet):
    rig = await fleet(1)
    await created(rig, visibility="private")
    counts = [
        len((await rig.get(1, "image", "/v2/images", user)).json()["images"]) for user in ("demo", "glance")
    ]
    assert counts == [5, 4]
    assert (await rig.ask(1, "image", "/v2/images")).status == 401
    assert (await rig.ask(1, "image", "/v2/images", token="unknown")).status == 401


async def test_a_server_that_is_built_behind_the_answer_shows_as_active(fleet):
    rig = await fleet(1)
    image = next(iter(rig.fleet.clouds["cloud-1"].glance))
    given = {"name": "s", "imageRef": image.id, "flavorRef": "1", "networks": "auto"}
    version = {"OpenStack_API_Version": "compute 2.96"}
    token = await rig.token(1)
    made = await rig.ask(
        1, "compute", "/v2.1/servers", method="POST", token=token, document={"server": given}, **version
    )
    assert made.status == 202, made.body
    path = f"/v2.1/servers/{made.json()['server']['id']}"
    async with asyncio.timeout(20):
        while (await rig.get(1, "compute", path, **version)).json()["server"]["status"] != "ACTIVE":
            await asyncio.sleep(0.05)
    addresses = (await rig.get(1, "compute", "/v2.1/servers/detail", **version)).json()["servers"][0][
        "addresses"
    ]
    assert addresses


async def test_uploads_of_known_and_unknown_length_are_stored(fleet):
    rig = await fleet(1)
    token, data = await rig.token(1), bytes(range(256)) * 20_000
    first, second = await created(rig), await created(rig)
    path = f"/v2/images/{first}/file"
    assert (await rig.ask(1, "image", path, method="PUT", token=token, body=data, **OCTETS)).status == 204
    head = (
        f"PUT /v2/images/{second}/file HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nConnection: close\r\n"
        "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    reader, writer = await rig.connect(1, "image")
    writer.write(head.encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
    assert parsed(await reader.read()).status == 204
    writer.close()
    for identity in (first, second):
        assert (await rig.get(1, "image", f"/v2/images/{identity}/file")).body == data


async def test_an_upload_that_breaks_leaves_the_image_queued(fleet):
    rig = await fleet(1)
    identity, token = await created(rig), await rig.token(1)
    reader, writer = await rig.connect(1, "image")
    head = f"PUT /v2/images/{identity}/file HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n"
    writer.write(f"{head}Content-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()
    async with asyncio.timeout(20):
        while (await rig.get(1, "image", f"/v2/images/{identity}")).json()["status"] != "queued":
            await asyncio.sleep(0.02)
    del reader


async def test_head_has_the_length_and_no_body(fleet):
    rig = await fleet(1)
    token = await rig.token(1)
    head = await rig.ask(1, "image", "/v2/images", method="HEAD", token=token)
    get = await rig.ask(1, "image", "/v2/images", token=token)
    assert head.body == b""
    assert head.fields["content-length"] == get.fields["content-length"] == str(len(get.body))


@pytest.mark.parametrize("data", [b"\x16\x03\x01 no http\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000])
async def test_what_is_no_request_is_refused(fleet, data):
    rig = await fleet(1)
    assert (await rig.raw(1, "image", data)).startswith(b"HTTP/1.1 400 ")

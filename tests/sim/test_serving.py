"""What only shows on sockets: streaming, broken uploads, 100-continue, keep-alive, records, journals."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from typing import TYPE_CHECKING

import pytest

from tests.sim.rig import PASSWORD, Rig, random_address, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OCTETS = {"Content_Type": "application/octet-stream"}
MIB = 1 << 20


async def image(rig: Rig, data: object = None, **attributes: object) -> str:
    token = await rig.token()
    given = {"name": "cirros", "disk_format": "raw", "container_format": "bare", **attributes}
    made = await rig.ask("POST", "image", "/v2/images", token, given)
    identity = str(made.json()["id"])
    if data is not None:
        sent = await rig.ask("PUT", "image", f"/v2/images/{identity}/file", token, data=data, **OCTETS)
        assert sent.status == 204
    return identity


async def raw(rig: Rig, service: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(rig.settings.address, rig.settings.ports[service])


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def chunks(count: int, digest: hashlib._Hash) -> AsyncIterator[bytes]:
    for place in range(count):
        piece = bytes([place % 251]) * MIB
        digest.update(piece)
        yield piece


async def test_an_image_goes_up_chunked_and_comes_down_whole(rig: Rig) -> None:
    digest = hashlib.sha512()
    identity = await image(rig, chunks(8, digest))
    shown = (await rig.ask("GET", "image", f"/v2/images/{identity}", await rig.token())).json()
    assert (shown["size"], shown["os_hash_value"]) == (8 * MIB, digest.hexdigest())
    answer = await rig.ask("GET", "image", f"/v2/images/{identity}/file", await rig.token())
    assert hashlib.sha512(answer.body).hexdigest() == digest.hexdigest()
    assert answer.headers["content-length"] == str(8 * MIB)


async def test_an_upload_that_breaks_off_leaves_the_image_queued_and_nothing_on_disk(rig: Rig) -> None:
    identity = await image(rig)
    _, writer = await raw(rig, "image")
    head = (
        f"PUT /v2/images/{identity}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {await rig.token()}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n"
    )
    writer.write(head.encode() + b"x" * 1000)
    await writer.drain()
    blobs = rig.settings.data / "blobs"
    while not list(blobs.iterdir()):
        await asyncio.sleep(0.01)
    writer.close()
    path = f"/v2/images/{identity}"
    while (await rig.ask("GET", "image", path, await rig.token())).json()["status"] == "saving":
        await asyncio.sleep(0.01)
    assert (await rig.ask("GET", "image", path, await rig.token())).json()["status"] == "queued"
    assert list(blobs.iterdir()) == []


async def test_a_download_that_breaks_off_troubles_nobody(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    identity = await image(rig, chunks(32, hashlib.sha512()))
    reader, writer = await raw(rig, "image")
    head = f"GET /v2/images/{identity}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {await rig.token()}\r\n\r\n"
    writer.write(head.encode())
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.transport.abort()
    await asyncio.sleep(0.05)
    assert (await rig.ask("GET", "image", f"/v2/images/{identity}", await rig.token())).status == 200
    assert [record for record in caplog.records if record.levelname in {"ERROR", "WARNING"}] == []


async def test_a_body_is_asked_for_only_after_the_token_was_accepted(rig: Rig) -> None:
    identity = await image(rig)
    for token, first in (
        (await rig.token(), b"HTTP/1.1 100 Continue"),
        ("junk", b"HTTP/1.1 401 Unauthorized"),
    ):
        reader, writer = await raw(rig, "image")
        head = (
            f"PUT /v2/images/{identity}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        writer.write(head.encode())
        assert (await reader.readline()).strip() == first
        await close(writer)


async def test_head_has_the_fields_of_get_and_no_body(rig: Rig) -> None:
    identity = await image(rig, b"disk")
    reader, writer = await raw(rig, "image")
    ask = f"HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {await rig.token()}\r\n"
    writer.write(
        f"HEAD /v2/images/{identity} {ask}\r\nHEAD /v2/images {ask}Connection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"{" not in answer
    await close(writer)


async def test_a_server_is_built_over_sockets_and_its_download_is_in_the_journal(rig: Rig) -> None:
    data = b"disk" * 100_000
    identity, token = await image(rig, data), await rig.token()
    given = {"server": {"name": "s", "imageRef": identity, "flavorRef": "2", "networks": "auto"}}
    version = {"OpenStack_API_Version": "compute 2.96"}
    created = await rig.ask("POST", "compute", "/v2.1/servers", token, given, **version)
    server_id = created.json()["server"]["id"]
    for _ in range(200):
        server = (await rig.ask("GET", "compute", f"/v2.1/servers/{server_id}", token, **version)).json()[
            "server"
        ]
        if server["status"] != "BUILD":
            break
        await asyncio.sleep(0.02)
    assert server["status"] == "ACTIVE"
    path = rig.settings.data / "downloads.jsonl"
    entry = json.loads(path.read_text())
    assert (entry["server_id"], entry["image_id"], entry["size"]) == (server_id, identity, len(data))
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestRecord:
    async def test_it_holds_every_request_with_its_fields_and_tokens(self, rig: Rig) -> None:
        token = await rig.token()
        await rig.ask("GET", "network", "/v2.0/networks?name=a%2Fb", token, X_Scope="s")
        entry = next(one for one in rig.record() if one["direction"] == "in" and one["service"] == "neutron")
        assert (entry["cloud"], entry["method"], entry["status"]) == ("cloud-t", "GET", 200)
        assert entry["target"] == "/v2.0/networks?name=a%2Fb"
        assert ["X-Auth-Token", token] in entry["headers"]
        assert ["X-Scope", "s"] in entry["headers"]
        assert json.loads(entry["answer_body"]) == {"networks": []}

    async def test_it_holds_what_services_sent_and_were_answered(self, rig: Rig) -> None:
        token = await rig.token()
        await rig.ask("GET", "network", "/v2.0/networks", token)
        sent = [one for one in rig.record() if one["direction"] == "out"]
        assert [one["url"].rsplit(":5000")[1] for one in sent] == [
            "/v3",
            "/v3/auth/tokens",
            "/v3/auth/tokens",
        ]
        assert {one["process"] for one in sent} == {"neutron-auth"}
        assert PASSWORD in sent[1]["body"]
        assert any(name.lower() == "x-subject-token" for name, _ in sent[1]["answer_headers"])
        assert json.loads(sent[2]["answer_body"])["token"]["user"]["name"] == "demo"

    async def test_bodies_of_token_requests_are_in_it_and_image_data_is_not(self, rig: Rig) -> None:
        identity = await image(rig, b"precious bytes")
        await rig.ask("GET", "image", f"/v2/images/{identity}/file", await rig.token())
        assert "precious bytes" not in rig.settings.record.read_text()  # type: ignore[union-attr]
        uploads = [one for one in rig.record() if one["method"] == "PUT"]
        assert uploads[0]["received"] == len(b"precious bytes")
        issued = [one for one in rig.record() if one.get("service") == "keystone" and one["method"] == "POST"]
        assert json.loads(issued[0]["body"])["auth"]["identity"]["methods"] == ["password"]

    async def test_only_its_owner_reads_it(self, rig: Rig) -> None:
        assert rig.settings.record is not None
        assert stat.S_IMODE(rig.settings.record.stat().st_mode) == 0o600

    async def test_it_is_not_written_unless_asked_for(self, tmp_path: Path) -> None:
        async with running(tmp_path, record=None) as rig:
            await rig.ask("GET", "network", "/v2.0/networks", await rig.token())
            files = {path.name for path in rig.settings.data.rglob("*") if path.is_file()}
        assert files == {"clouds.yaml"}

    async def test_it_is_not_written_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "target").touch()
        (tmp_path / "record.jsonl").symlink_to(tmp_path / "target")
        with pytest.raises(OSError):
            async with running(tmp_path):
                pass


async def test_an_image_is_there_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"QFI\xfb" + b"x" * 1000)
    async with running(tmp_path, images=(("cirros", tmp_path / "disk"),)) as rig:
        rows = (await rig.ask("GET", "image", "/v2/images", await rig.token())).json()["images"]
        assert [(row["name"], row["visibility"], row["disk_format"], row["size"]) for row in rows] == [
            ("cirros", "public", "qcow2", 1004)
        ]
        answer = await rig.ask("GET", "image", rows[0]["file"], await rig.token())
        assert answer.body == (tmp_path / "disk").read_bytes()


async def test_services_try_again_once_their_keystone_is_there(tmp_path: Path) -> None:
    """Beside a proxy a cloud may be up before the proxy is: then it answers 503, and later 200."""
    async with running(tmp_path, proxy=random_address()) as rig:
        reply = await rig.authenticate("demo", None)
        token = reply.headers["x-subject-token"]
        assert (await rig.ask("GET", "network", "/v2.0/networks", token)).status == 503
        proxy = await _pass_on(rig)
        try:
            assert (await rig.ask("GET", "network", "/v2.0/networks", token)).status == 200
        finally:
            proxy.close()
            await proxy.wait_closed()


async def _pass_on(rig: Rig) -> asyncio.Server:
    """A proxy that only copies bytes to the cloud's Keystone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await raw(rig, "identity")

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    return await asyncio.start_server(serve, rig.settings.proxy, rig.settings.ports["identity"])

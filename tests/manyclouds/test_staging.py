"""Images are brought once, verified, reused where they are as good, and nothing half stays behind."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from oidproxy.errors import (
    BadRequest,
    Draining,
    ImageCorrupted,
    ImageUnusable,
    NotAdmitted,
    Overloaded,
    StagingForbidden,
    StagingOverQuota,
    StagingTooSlow,
    StagingUnderWay,
    TokenRefused,
    UpstreamError,
)
from oidproxy.manyclouds import copying, piping, staging, turns
from tests.manyclouds.glance import stamp
from tests.manyclouds.world import ENDED, HERE, THERE, project, worker, worlds
from tests.wire.rig import eventually

SIZE = 3 * 1024 * 1024 + 17
OWNER = project("demo", HERE)


@pytest.fixture
def image(world):
    """At the other cloud, of its user."""
    return world.there.add(project("demo", THERE), SIZE, hw_disk_bus="virtio", min_ram=64)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(copying, "TRIED_AGAIN_AFTER", 0.01)


def half_ids(world) -> list[str]:
    return [image["id"] for image in world.copies() if image["status"] != "active"]


async def test_the_image_is_made_anew_with_all_that_is_the_owners(world, image):
    ids = await world.bring(image["id"])
    copy = world.here.images[ids[image["id"]]]
    assert {
        key: copy[key] for key in ("name", "disk_format", "container_format", "min_ram", "hw_disk_bus")
    } == {
        "name": "cirros",
        "disk_format": "qcow2",
        "container_format": "bare",
        "min_ram": 64,
        "hw_disk_bus": "virtio",
    }
    assert (copy["owner"], copy["visibility"], copy["status"]) == (OWNER, "private", "active")
    assert copy["os_hash_value"] == image["os_hash_value"]
    assert copy["oidproxy_source"] == f"{THERE}/{image['id']}"
    assert (world.there.given, world.here.taken) == (SIZE, SIZE)


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_data_of_any_size_and_framing_arrive(world, size, chunked):
    world.there.faults.chunked = chunked
    image = world.there.add(project("demo", THERE), size)
    await world.bring(image["id"])
    assert (world.here.taken, world.copies()[0]["size"]) == (size, size)


async def test_the_second_time_nothing_travels(world, image):
    first = await world.bring(image["id"])
    assert await world.bring(image["id"]) == first
    assert world.there.count("GET /v2/images/" + image["id"] + "/file") == 1
    assert world.here.count("POST") == 1


async def test_an_image_that_the_user_has_there_by_other_means_is_used(world, image):
    own = world.here.add(OWNER, SIZE, hw_disk_bus="virtio", min_ram=64, name="mine", visibility="private")
    assert await world.bring(image["id"]) == {image["id"]: own["id"]}
    assert world.here.count("POST") == 0


@pytest.mark.parametrize(
    "other",
    [
        {"disk_format": "raw"},
        {"container_format": "ovf"},
        {"min_disk": 1},
        {"min_ram": 65},
        {"hw_disk_bus": "scsi"},
        {"extra": "property"},
        {"os_hash_algo": "sha256"},
        {"os_hash_value": "0" * 128},
        {"status": "deactivated"},
        {"owner": "somebody-else", "visibility": "public"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_an_image_that_differs_is_not_used(world, image, other):
    theirs = world.here.add(
        **{"owner": OWNER, "size": SIZE, "hw_disk_bus": "virtio", "min_ram": 64, "visibility": "private"}
        | other
    )
    ids = await world.bring(image["id"])
    assert ids[image["id"]] != theirs["id"]
    assert theirs["id"] in world.here.images


async def test_what_is_not_the_images_own_is_not_compared(world, image):
    own = world.here.add(OWNER, SIZE, hw_disk_bus="virtio", min_ram=64)
    own |= {"tags": ["x"], "os_hidden": False, "stores": "ceph", "created_at": "2020", "protected": True}
    assert (await world.bring(image["id"]))[image["id"]] == own["id"]


async def test_an_image_of_many_pages_is_found(world, image, monkeypatch):
    monkeypatch.setattr("oidproxy.manyclouds.asking.PAGE", 3)
    for _ in range(8):
        world.here.add(OWNER, SIZE, hw_disk_bus="scsi")
    own = world.here.add(
        OWNER, SIZE, hw_disk_bus="virtio", min_ram=64, id="f" * 8 + "-0000-4000-8000-" + "0" * 12
    )
    assert (await world.bring(image["id"]))[image["id"]] == own["id"]
    assert world.here.count("GET /v2/images") >= 3


async def test_requests_at_one_time_share_one_copy(world, image):
    world.there.faults.gate = asyncio.Event()
    asking = [asyncio.create_task(world.bring(image["id"])) for _ in range(5)]
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    world.there.faults.gate.set()
    assert len({json.dumps(dict(ids)) for ids in await asyncio.gather(*asking)}) == 1
    assert (world.here.count("POST"), world.there.given) == (1, SIZE)


async def test_another_worker_waits_for_the_copy_of_the_first(world, image, state):
    store, second = worker(state, world.upstreams, world.users)
    world.there.faults.gate = asyncio.Event()
    asking = [asyncio.create_task(one.bring(world.stage(image["id"]))) for one in (world.staging, second)]
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    await asyncio.sleep(0.3)
    world.there.faults.gate.set()
    first, other = await asyncio.gather(*asking)
    assert first == other
    assert world.here.count("POST") == 1
    await second.close()
    await store.close()


async def test_users_get_images_of_their_own_one_after_the_other(world, image):
    image["visibility"] = "public"
    mine, hers = await asyncio.gather(world.bring(image["id"]), world.bring(image["id"], user="alice"))
    owners = [world.here.images[ids[image["id"]]]["owner"] for ids in (mine, hers)]
    assert owners == [OWNER, project("alice", HERE)]


async def test_two_images_of_one_request_are_both_brought(world, image):
    other = world.there.add(project("demo", THERE), 1000)
    ids = await world.bring(image["id"], other["id"])
    assert set(ids) == {image["id"], other["id"]}
    assert len(world.copies()) == 2


async def test_nothing_is_asked_where_nothing_is_named(world):
    assert await world.bring() == {}
    assert world.there.asked == world.here.asked == []


async def test_too_many_images_are_refused(world):
    with pytest.raises(BadRequest):
        await world.bring(*(f"{n:08x}-0000-4000-8000-000000000000" for n in range(17)))


# What cannot be brought.


async def test_an_image_that_is_not_there_is_explained(world):
    with pytest.raises(ImageUnusable, match=f"{THERE} has no image"):
        await world.bring("0b1f4b3e-0000-4000-8000-00000000000a")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": "queued"}, "not active, but queued"),
        ({"os_hash_value": None}, "no hash"),
        ({"size": None}, "how large"),
        *(
            ({name: "x"}, f"cannot leave {THERE}: its {name} names secrets, volumes or devices")
            for name in (
                "cinder_encryption_key_id",
                "img_signature_certificate_uuid",
                "block_device_mapping",
                "Block_Device_Mapping",
                "bdm_v2",
                "mappings",
                "root_device_name",
                "img_block_device_mapping",
                "img_mappings",
            )
        ),
    ],
)
async def test_an_image_that_cannot_leave_is_explained(world, image, values, reason):
    image |= values
    with pytest.raises(ImageUnusable, match=reason):
        await world.bring(image["id"])
    assert world.here.count("POST") == 0


async def test_a_kernel_that_names_volumes_keeps_its_image_back(world, image):
    kernel = world.there.add(project("demo", THERE), 10, block_device_mapping='[{"volume_id": "v"}]')
    image["kernel_id"] = kernel["id"]
    with pytest.raises(ImageUnusable, match="block_device_mapping"):
        await world.bring(image["id"])
    assert world.here.count("POST") == 0


async def test_what_a_snapshot_was_made_of_is_not_said_at_another_cloud(world, image):
    image["base_image_ref"] = "0b1f4b3e-0000-4000-8000-00000000000c"
    ids = await world.bring(image["id"])
    copy = world.here.images[ids[image["id"]]]
    assert "base_image_ref" not in copy
    assert copy["oidproxy_left_out"] == "base_image_ref"
    assert await world.bring(image["id"]) == ids


@pytest.mark.parametrize(
    ("status", "error"),
    [(413, StagingOverQuota), (403, StagingForbidden), (400, ImageUnusable), (500, UpstreamError)],
)
@pytest.mark.parametrize("where", ["creation", "data", "data, late"])
async def test_a_refusal_is_passed_on_in_the_clouds_own_words(world, image, status, error, where):
    told = (status, "Storage quota exceeded.<br /><br />\n\n")
    if where == "creation":
        world.here.faults.refuses_creation = told
    else:
        world.here.faults.refuses_data = told
        world.here.faults.refuses_data_after = 1 << 20 if where == "data, late" else 0
    with pytest.raises(error, match=r"Storage quota exceeded\.$"):
        await world.bring(image["id"])
    assert world.copies() == []


async def test_a_source_that_breaks_off_leaves_nothing_behind(world, image):
    world.there.faults.breaks_after = SIZE // 2
    with pytest.raises(UpstreamError, match=THERE):
        await world.bring(image["id"])
    assert world.copies() == []
    assert len(world.here.deleted) == 1
    world.there.faults.breaks_after = None
    await world.bring(image["id"])
    assert len(world.copies()) == 1


async def test_a_source_that_breaks_off_without_saying_how_long_it_is(world, image):
    world.there.faults.chunked = True
    world.there.faults.breaks_after = SIZE // 2
    with pytest.raises(UpstreamError, match=THERE):
        await world.bring(image["id"])
    assert world.copies() == []


async def test_a_source_that_sends_another_length_is_refused(world, image):
    image["size"] = SIZE
    world.there.images[image["id"]] = dict(image)
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    world.there.images[image["id"]]["size"] = SIZE - 1
    # The handler has the dictionary: what it sends is shorter than what was said.
    world.there.faults.gate.set()
    with pytest.raises(UpstreamError, match=f"{SIZE - 1} bytes"):
        await asking
    assert world.copies() == []


async def test_a_target_that_is_gone_is_an_error(world, image):
    await world.here.stop()
    with pytest.raises(UpstreamError, match=HERE):
        await world.bring(image["id"])


async def test_data_that_arrived_changed_are_deleted(world, image):
    world.here.faults.corrupts = True
    with pytest.raises(ImageCorrupted, match="hashes differ"):
        await world.bring(image["id"])
    assert world.copies() == []


async def test_a_cloud_with_another_hash_cannot_be_verified(world, image):
    world.here.faults.algorithm = "sha256"
    with pytest.raises(ImageUnusable, match="sha256"):
        await world.bring(image["id"])
    assert world.copies() == []


async def test_a_half_image_is_deleted_though_its_glance_is_busy(world, image):
    world.here.faults.corrupts = True
    world.here.faults.deletes_after = 3
    with pytest.raises(ImageCorrupted):
        await world.bring(image["id"])
    assert world.copies() == []


async def test_a_half_image_that_cannot_be_deleted_now_is_deleted_the_next_time(world, image):
    world.there.faults.breaks_after = SIZE // 2
    world.here.faults.deletes_after = 1000
    with pytest.raises(UpstreamError):
        await world.bring(image["id"])
    [half] = half_ids(world)
    world.there.faults.breaks_after = None
    world.here.faults.deletes_after = 0
    await world.bring(image["id"])
    assert world.here.deleted == [half]
    assert len(world.copies()) == 1


async def test_properties_that_the_cloud_keeps_to_itself_are_left_out_and_the_copy_is_reused(world, image):
    image["hw_secret"] = "x"
    world.here.faults.reserved = frozenset({"hw_secret", "hw_disk_bus"})
    ids = await world.bring(image["id"])
    copy = world.here.images[ids[image["id"]]]
    assert "hw_secret" not in copy
    assert copy["oidproxy_left_out"] == "hw_disk_bus,hw_secret"
    assert await world.bring(image["id"]) == ids


async def test_a_refusal_that_names_no_property_of_the_image_is_final(world, image):
    world.here.faults.reserved = frozenset({"visibility"})
    with pytest.raises(StagingForbidden, match="visibility"):
        await world.bring(image["id"])
    assert world.here.count("POST") == 1


async def test_kernel_and_ramdisk_come_along(world, image):
    kernel, ramdisk = (world.there.add(project("demo", THERE), n, disk_format="aki") for n in (10, 20))
    image |= {"kernel_id": kernel["id"], "ramdisk_id": ramdisk["id"]}
    ids = await world.bring(image["id"])
    copy = world.here.images[ids[image["id"]]]
    assert world.here.images[copy["kernel_id"]]["size"] == 10
    assert world.here.images[copy["ramdisk_id"]]["size"] == 20
    assert await world.bring(image["id"]) == ids


async def test_an_image_that_is_its_own_kernel_is_refused(world, image):
    image["kernel_id"] = image["id"]
    with pytest.raises(ImageUnusable, match="has parts itself"):
        await world.bring(image["id"])


# Tokens.


async def test_a_token_that_is_refused_once_is_asked_for_anew(world, image):
    world.there.faults.unauthorized = 1
    await world.bring(image["id"])
    assert world.users.refused == [THERE]


async def test_a_token_that_stays_refused_is_a_401(world, image):
    world.here.faults.unauthorized = 1000
    with pytest.raises(TokenRefused, match=HERE):
        await world.bring(image["id"])


async def until_data_are_read(world, image):
    """A copy whose upload has begun, and the way to let it go on."""
    world.here.faults.reads = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.here.count("PUT"))
    return asking


async def test_a_token_that_ends_during_the_copy_does_not_end_the_copy(world, image):
    asking = await until_data_are_read(world, image)
    world.users.refuses = ENDED
    world.here.faults.reads.set()
    await asking
    assert world.copies()[0]["status"] == "active"


async def test_a_half_is_deleted_with_the_token_that_made_it(world, image):
    world.here.faults.corrupts = True
    asking = await until_data_are_read(world, image)
    world.users.refuses = ENDED
    world.here.faults.reads.set()
    with pytest.raises(ImageCorrupted):
        await asking
    assert world.copies() == []


async def test_who_is_not_admitted_any_more_does_nothing_more_there(world, image):
    asking = await until_data_are_read(world, image)
    world.users.refuses = NotAdmitted(f"{HERE} does not admit users of {THERE}.")
    before = len(world.here.asked)
    world.here.faults.reads.set()
    with pytest.raises(NotAdmitted):
        await asking
    assert world.here.asked[before:] == []


@pytest.mark.parametrize("refusal", [ENDED, NotAdmitted("Not any more.")], ids=["revoked", "not admitted"])
async def test_nothing_is_uploaded_for_a_token_that_is_refused_by_then(world, image, refusal):
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    world.users.refuses = refusal
    world.there.faults.gate.set()
    with pytest.raises(type(refusal)):
        await asking
    assert world.here.count("PUT") == 0


@pytest.mark.parametrize("refusal", [ENDED, NotAdmitted("Not any more.")], ids=["revoked", "not admitted"])
async def test_no_copy_begins_for_a_token_that_is_refused_when_its_turn_comes(
    world, image, refusal, monkeypatch
):
    monkeypatch.setattr(world.staging, "_turns", turns.Turns(1))
    other = world.staging._turns.ticket("somebody", "else")
    async with world.staging._turns.turn(other):
        asking = asyncio.create_task(world.bring(image["id"]))
        await eventually(lambda: world.here.count("GET /v2/images"))
        await asyncio.sleep(0.1)
        world.users.refuses = refusal
        before = len(world.here.asked)
    with pytest.raises(type(refusal)):
        await asking
    assert world.here.asked[before:] == []
    assert world.copies() == []


async def test_both_clouds_are_asked_for_their_leave_before_anything_is_made(world, image):
    await world.bring(image["id"])
    post = world.users.asked.index((HERE, "POST"))
    assert world.users.asked[post - 1] == (THERE, "GET")
    assert world.users.asked[post + 1] == (HERE, "POST"), "first the leave, then the call"


# Time.


async def test_a_slow_copy_is_a_503_that_goes_on_and_is_found_later(state):
    async with worlds(state, wait=0.5) as world:
        image = world.there.add(project("demo", THERE), SIZE)
        world.there.faults.pause = 0.03  # some 50 pieces
        began = time.monotonic()
        with pytest.raises(StagingUnderWay, match=r"\d of 3 MiB") as caught:
            await world.bring(image["id"])
        assert 0.4 < time.monotonic() - began < 1.0
        assert int(caught.value.fields["Retry-After"]) >= 1
        with pytest.raises(StagingUnderWay):
            await world.bring(image["id"])
        world.there.faults.pause = 0.0
        await eventually(lambda: world.copies() and world.copies()[0]["status"] == "active")
        ids = await world.bring(image["id"])
        assert list(ids.values()) == [world.copies()[0]["id"]]
        assert (world.here.count("POST"), world.there.given) == (1, SIZE)


async def test_a_client_that_leaves_does_not_end_the_copy(world, image):
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    world.there.faults.gate.set()
    await eventually(lambda: world.copies() and world.copies()[0]["status"] == "active")


async def test_at_the_end_copies_are_broken_off_and_their_halves_deleted(world, image):
    world.there.faults.pause = 0.02
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.here.taken)
    await world.staging.close()
    with pytest.raises(Draining):
        await asking
    assert world.copies() == []
    assert len(world.here.deleted) == 1
    with pytest.raises(Draining):
        await world.bring(image["id"])


async def test_requests_that_wait_are_told_at_once_that_the_proxy_stops(world, image):
    here_already = world.there.add(project("demo", THERE), 10)
    ids = await world.bring(here_already["id"])
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    world.staging.drain()
    async with asyncio.timeout(0.5):
        with pytest.raises(Draining) as caught:
            await asking
    assert int(caught.value.fields["Retry-After"]) >= 1
    assert await world.bring(here_already["id"]) == ids, "what is there is found to the end"
    with pytest.raises(Draining):
        await world.bring(world.there.add(project("demo", THERE), 11)["id"])
    assert world.here.count("POST") == 2


async def test_requests_that_wait_for_parts_are_told_so_too(world, image):
    kernel = world.there.add(project("demo", THERE), 10)
    image["kernel_id"] = kernel["id"]
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + kernel["id"] + "/file"))
    world.staging.drain()
    async with asyncio.timeout(0.5):
        with pytest.raises(Draining):
            await asking


async def test_no_user_has_more_copies_at_once_than_its_share(world):
    """Two tokens of one user: eight large images, and another user's small one is there all the same."""
    world.there.faults.pause = 0.2
    large = [world.there.add(project("demo", THERE), 50 << 20, n=str(n))["id"] for n in range(8)]
    small = world.there.add(project("alice", THERE), 1000)["id"]
    asking = [
        asyncio.create_task(world.bring(*large[:4])),
        asyncio.create_task(world.bring(*large[4:], user="demo#2")),
    ]
    await eventually(lambda: world.here.count("PUT") == 2)
    async with asyncio.timeout(3):
        await world.bring(small, user="alice")
    assert len(half_ids(world)) == 2
    for one in asking:
        one.cancel()


async def test_who_waits_for_a_turn_keeps_nobody_from_the_image(world):
    image = world.there.add(project("demo", THERE), 1000, visibility="public")
    world.there.faults.pause = 0.2
    large = [world.there.add(project("demo", THERE), 50 << 20, n=str(n))["id"] for n in range(2)]
    asking = [asyncio.create_task(world.bring(*large))]
    await eventually(lambda: world.here.count("PUT") == 2)
    asking.append(asyncio.create_task(world.bring(image["id"])))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"]))
    await asyncio.sleep(0.2)
    async with asyncio.timeout(3):
        await world.bring(image["id"], user="alice")
    assert not asking[1].done()
    for one in asking:
        one.cancel()


async def test_no_user_has_more_images_on_their_way_than_its_share(world, image, monkeypatch):
    monkeypatch.setattr(staging, "FLIGHTS_OF_A_USER", 1)
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.asked)
    other = world.there.add(project("demo", THERE), 1, visibility="public")
    with pytest.raises(Overloaded, match="one project") as caught:
        await world.bring(other["id"], user="demo#2")
    assert caught.value.fields["Retry-After"] == "5"
    world.there.faults.gate.set()
    await world.bring(other["id"], user="alice")
    await asking


@pytest.fixture
def strict(monkeypatch):
    """A copy is watched for half a second, not for a minute."""
    monkeypatch.setattr(piping, "SLOWEST_OVER", 0.5)
    monkeypatch.setattr(piping, "LOOKED_EVERY", 0.1)


@pytest.mark.usefixtures("strict")
async def test_a_source_that_only_drips_is_given_up(world, image, monkeypatch):
    monkeypatch.setattr(piping, "SLOWEST", 1 << 20)
    world.there.faults.pause = 0.2
    with pytest.raises(StagingTooSlow, match="slower than 1024 KiB per second"):
        await world.bring(image["id"])
    assert world.copies() == []
    assert len(world.here.deleted) == 1


@pytest.mark.usefixtures("strict")
async def test_a_source_that_says_nothing_is_given_up(world, image):
    world.there.faults.gate = asyncio.Event()
    with pytest.raises(StagingTooSlow):
        await world.bring(image["id"])
    assert world.copies() == []


@pytest.mark.usefixtures("strict")
async def test_a_target_that_needs_its_time_after_the_last_byte_is_waited_for(world):
    image = world.there.add(project("demo", THERE), 1000)
    asking = await until_data_are_read(world, image)
    await asyncio.sleep(1.0)
    world.here.faults.reads.set()
    await asking


@pytest.mark.parametrize("size", [1000, 64 * 1024])
async def test_a_source_that_does_not_end_is_broken_off(world, size):
    image = world.there.add(project("demo", THERE), size)
    world.there.faults.chunked = world.there.faults.endless = True
    with pytest.raises(UpstreamError, match=f"{THERE} sends more than the bytes of an image of {size}"):
        await world.bring(image["id"])
    assert world.copies() == []
    assert world.here.taken <= size


async def test_a_source_that_ends_too_early_is_refused_whatever_the_hash(world, image):
    world.there.faults.chunked = True
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.count("GET /v2/images/" + image["id"] + "/file"))
    world.there.images[image["id"]]["size"] = SIZE - 1
    world.there.faults.gate.set()
    with pytest.raises(UpstreamError, match=f"only {SIZE - 1} bytes"):
        await asking
    assert world.copies() == []


# One copy at a time.


async def test_tokens_of_one_user_at_one_time_make_one_copy(world, image):
    world.there.faults.pause = 0.01

    async def later(number, user):
        await asyncio.sleep(0.1 * number)
        return await world.bring(image["id"], user=user)

    told = await asyncio.gather(*(later(n, u) for n, u in enumerate(("demo", "demo#2", "demo#3", "demo#4"))))
    assert len({one[image["id"]] for one in told}) == 1
    assert (world.here.count("POST"), world.here.deleted, world.there.given) == (1, [], SIZE)


async def test_an_id_in_capitals_is_the_same_image(world, image, state):
    store, second = worker(state, world.upstreams, world.users)
    shouted = image["id"].upper()
    world.there.aliases[shouted] = image["id"]
    world.there.faults.pause = 0.01
    first, other = await asyncio.gather(
        world.bring(image["id"]), second.bring(world.stage(shouted, user="demo#2"))
    )
    assert first[image["id"]] == other[shouted]
    assert world.here.count("POST") == 1
    assert world.staging.shown(world.stage())(first[image["id"]]) == image["id"]
    await second.close()
    await store.close()


async def test_whoever_carries_a_token_of_another_project_gets_a_copy_there(world, image):
    """One token of the home, two of the cloud that needs the image."""
    image["visibility"] = "public"
    world.there.faults.pause = 0.005
    mine, hers = await asyncio.gather(
        *(
            world.staging.bring(world.stage(image["id"], carried=f"{user}@{HERE}"))
            for user in ("demo", "alice")
        )
    )
    owners = [world.here.images[ids[image["id"]]]["owner"] for ids in (mine, hers)]
    assert owners == [OWNER, project("alice", HERE)]


async def test_a_cloud_that_answers_with_another_image_is_not_believed(world, image):
    asked = "0b1f4b3e-0000-4000-8000-00000000000d"
    world.there.aliases[asked] = image["id"]
    with pytest.raises(UpstreamError, match="sent no image"):
        await world.bring(asked)


async def test_no_more_images_are_on_their_way_than_may(world, image, monkeypatch):
    monkeypatch.setattr(staging, "FLIGHTS_AT_MOST", 1)
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.there.asked)
    with pytest.raises(Overloaded) as caught:
        await world.bring(world.there.add(project("demo", THERE), 1)["id"])
    assert caught.value.fields["Retry-After"] == "5"
    world.there.faults.gate.set()
    await asking


# A process that was killed.


async def note(world, image) -> str:
    """The key under which a copy is noted, as one that is under way shows it."""
    world.there.faults.gate = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: half_ids(world) and world.there.count("GET /v2/images/" + image["id"] + "/file"))
    key = f"stage/half/{HERE}@RegionOne/{OWNER}/{THERE}@RegionOne/{image['id']}"
    assert json.loads(world.store.peek(key) or b"{}") == dict.fromkeys(half_ids(world), 0.0)
    world.there.faults.gate.set()
    await asking
    assert world.store.peek(key) is None
    world.here.images.clear()
    return key


def half_of(world, image, **values):
    mark = f"{THERE}/{image['id']}"
    return world.here.add(
        **{"owner": OWNER, "status": "saving", "oidproxy_source": mark, "os_hash_value": None} | values
    )


async def test_what_a_killed_process_left_half_is_deleted(world, image):
    key = await note(world, image)
    half = half_of(world, image)
    mine = world.here.add(OWNER, status="queued", os_hash_value=None)
    await world.store.put(key, json.dumps({half["id"]: 0.0}).encode(), until=time.time() + 60)
    await world.bring(image["id"])
    assert world.here.deleted == [half["id"]]
    assert mine["id"] in world.here.images
    assert world.store.peek(key) is None


@pytest.mark.parametrize(
    "values",
    [
        {"owner": project("alice", HERE), "visibility": "public"},
        {"oidproxy_source": "edge-2/another"},
        {"oidproxy_source": None},
    ],
    ids=["somebody else's", "of another image", "not ours"],
)
async def test_nothing_else_is_deleted_whatever_the_note_says(world, image, values):
    key = await note(world, image)
    mine = {"owner": OWNER, "status": "queued", "oidproxy_source": f"{THERE}/{image['id']}"} | values
    other = world.here.add(**mine)
    await world.store.put(key, json.dumps({other["id"]: 0.0}).encode(), until=time.time() + 60)
    await world.bring(image["id"])
    assert other["id"] in world.here.images


async def test_a_noted_copy_that_is_complete_is_used_and_never_deleted(world, image):
    """Killed between the last byte and the end of the note; a server may be made of it already."""
    key = await note(world, image)
    whole = world.here.add(
        OWNER, SIZE, hw_disk_bus="virtio", min_ram=64, oidproxy_source=f"{THERE}/{image['id']}"
    )
    await world.store.put(key, json.dumps({whole["id"]: 0.0}).encode(), until=time.time() + 60)
    assert (await world.bring(image["id"]))[image["id"]] == whole["id"]
    image["hw_disk_bus"] = "scsi"
    assert (await world.bring(image["id"]))[image["id"]] != whole["id"]
    assert whole["id"] in world.here.images


async def test_what_is_left_of_a_proxy_whose_state_is_lost_is_deleted(world, image):
    left = [half_of(world, image, status=one, updated_at=stamp(3 * 3600)) for one in ("queued", "saving")]
    mine = [
        half_of(world, image, oidproxy_source=other, updated_at=stamp(3 * 3600))
        for other in (None, f"{THERE}/another", "edge-3/" + image["id"])
    ]
    await world.bring(image["id"])
    assert sorted(world.here.deleted) == sorted(one["id"] for one in left)
    assert all(one["id"] in world.here.images for one in mine)


async def test_what_another_proxy_may_be_filling_now_is_left_alone_until_it_must_be_over(world, image):
    """Its state is not ours: only the time tells. It goes then, though no copy is needed any more."""
    seconds = copying.GRACE + SIZE / piping.SLOWEST
    running = half_of(world, image, updated_at=stamp(seconds - 60))
    ids = await world.bring(image["id"])
    assert await world.bring(image["id"]) == ids
    assert running["id"] in world.here.images
    running["updated_at"] = stamp(seconds + 60)
    moved = time.time() + seconds + 60
    world.staging._clock = lambda: moved
    assert await world.bring(image["id"]) == ids
    assert world.here.deleted == [running["id"]]
    asked = len(world.here.asked)
    await world.bring(image["id"])
    assert len(world.here.asked) == asked + 1, "nothing is left to look after"


async def test_what_could_not_be_deleted_is_deleted_though_a_copy_is_there(world, image):
    key = await note(world, image)
    await world.bring(image["id"])
    half = half_of(world, image)
    await world.store.put(key, json.dumps({half["id"]: 0.0}).encode(), until=time.time() + 60)
    await world.bring(image["id"])
    assert world.here.deleted == [half["id"]]


async def test_a_copy_that_runs_is_not_tidied_up_by_whoever_has_the_image_already(world, image):
    world.here.faults.reads = asyncio.Event()
    asking = asyncio.create_task(world.bring(image["id"]))
    await eventually(lambda: world.here.count("PUT"))
    [running] = half_ids(world)
    own = world.here.add(OWNER, SIZE, hw_disk_bus="virtio", min_ram=64)
    assert (await world.bring(image["id"], user="demo#2"))[image["id"]] == own["id"]
    assert running in world.here.images
    world.here.faults.reads.set()
    assert (await asking)[image["id"]] == running
    assert world.here.deleted == []


# What answers show.


async def test_answers_show_the_id_that_was_asked(world, image):
    stage = world.stage(image["id"])
    assert world.staging.shown(stage)("0b1f4b3e-0000-4000-8000-00000000000a") is None
    ids = await world.bring(image["id"])
    assert world.staging.shown(stage)(ids[image["id"]]) == image["id"]
    assert world.staging.shown(stage)("no id") is None


async def test_answers_of_every_worker_show_it(world, image, state):
    store, second = worker(state, world.upstreams, world.users)
    ids = await world.bring(image["id"])
    assert second.shown(world.stage())(ids[image["id"]]) == image["id"]
    await second.close()
    await store.close()


async def test_of_two_equal_images_the_one_asked_for_last_is_shown(world, image):
    twin = dict(image, id="0b1f4b3e-0000-4000-8000-00000000000b")
    world.there.images[twin["id"]] = twin
    first, second = await world.bring(image["id"]), await world.bring(twin["id"])
    assert first[image["id"]] == second[twin["id"]]
    assert world.staging.shown(world.stage())(first[image["id"]]) == twin["id"]


def test_the_wait_ends_before_clients_give_up():
    assert staging.WAIT == 50.0

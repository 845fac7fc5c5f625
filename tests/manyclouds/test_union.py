"""A collection of several clouds is one list, whatever becomes of some, and it says what is missing."""

from __future__ import annotations

import json
import time

import pytest

from tests.manyclouds import fleet as clouds
from tests.manyclouds.fleet import Cloud, fleet, named, read, request
from tests.wire.rig import eventually

EVERYWHERE = "*:*;identity:cloud-1"


def images(cloud: str, count: int) -> list[dict]:
    """Rows of which every cloud's are spread over the others'."""
    number = int(cloud.rpartition("-")[2])
    return [
        {
            "id": f"{number:04}-{row:04}",
            "name": f"{row:04}",
            "created_at": f"2026-01-01T{row:02}:{number:02}:00Z",
        }
        for row in range(count)
    ]


def servers(cloud: Cloud, count: int) -> list[dict]:
    return [
        {
            "id": f"{cloud.name}-{row}",
            "name": f"vm-{row}",
            "created": f"2026-01-01T00:00:{row:02}Z",
            "links": cloud.links("servers", f"{cloud.name}-{row}"),
        }
        for row in range(count)
    ]


@pytest.fixture
def made():
    found = [Cloud(name) for name in named(3)]
    for one in found:
        one.rows = {"images": images(one.name, 4), "servers": servers(one, 2), "networks": [], "projects": []}
    return found


@pytest.fixture
async def three(tmp_path, made):
    async with fleet(tmp_path, made) as running:
        yield running


def ids(answer) -> list[str]:
    (rows,) = (value for key, value in answer.json.items() if isinstance(value, list) and "links" not in key)
    return [row["id"] for row in rows]


async def test_rows_of_all_clouds_come_in_the_order_of_one_database(three):
    answer = await three.ask("/image/v2/images", "image:*")
    assert answer.status == 200
    every = [row for cloud in three.clouds.values() for row in cloud.rows["images"]]
    every.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
    assert ids(answer) == [row["id"] for row in every]
    assert answer.clouds == {"ok": "3", "failed": "0", "skipped": "0"}
    assert answer.field("X-Scope-Partial") is None
    assert answer.field("Content-Type") == "application/json"


async def test_pages_of_any_size_hold_every_row_once(three):
    whole = ids(await three.ask("/image/v2/images", "image:*"))
    for size in (1, 2, 5, 12):
        target: str | None = f"/image/v2/images?limit={size}"
        got: list[str] = []
        while target is not None:
            answer = await three.ask(target, "image:*")
            page = ids(answer)
            assert len(page) <= size
            got += page
            following = answer.json.get("next")
            target = f"/image{following}" if following else None
        assert got == whole, size


async def test_sort_keys_and_filters_travel_on(three):
    answer = await three.ask(
        "/image/v2/images?sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc", "image:*"
    )
    rows = answer.json["images"]
    assert [(row["name"], row["id"]) for row in rows] == sorted(
        ((row["name"], row["id"]) for row in rows), key=lambda pair: (pair[0], -int(pair[1].replace("-", "")))
    )
    answer = await three.ask("/image/v2/images?name=0002", "image:*")
    assert {row["name"] for row in answer.json["images"]} == {"0002"}
    assert len(answer.json["images"]) == 3


async def test_a_limit_reads_no_more_than_it_and_a_batch_of_each_cloud(three):
    await three.ask("/image/v2/images?limit=2", "image:*")
    limits = [
        call.target.partition("limit=")[2].partition("&")[0]
        for one in three.clouds.values()
        for call in one.got()
    ]
    assert limits == ["2", "2", "2"]


async def test_links_lead_through_the_proxy_as_with_one_cloud(three):
    alone = await three.ask("/compute/v2.1/servers/detail", "compute:cloud-2")
    together = await three.ask("/compute/v2.1/servers/detail", "compute:cloud-1&cloud-2")
    shown = {row["id"]: row for row in together.json["servers"]}
    for row in alone.json["servers"]:
        assert shown[row["id"]] == row
    assert b"127.0.0.1" not in together.body
    limited = await three.ask("/compute/v2.1/servers/detail?limit=3", "compute:cloud-1&cloud-2")
    assert all(shown[row["id"]] == row for row in limited.json["servers"])
    (following,) = limited.json["servers_links"]
    assert following["href"].startswith("http://proxy/compute/v2.1/servers/detail?")


async def test_next_links_keep_the_scope_of_the_url(three):
    answer = await three.ask("/s/compute:*/compute/v2.1/servers/detail?limit=1")
    (following,) = answer.json["servers_links"]
    assert "/s/x" in following["href"]
    path = following["href"].partition("//proxy")[2]
    assert (await three.ask(path)).status == 200


async def test_a_plain_id_is_a_marker_too(three):
    whole = ids(await three.ask("/image/v2/images", "image:*"))
    answer = await three.ask(f"/image/v2/images?marker={whole[4]}&limit=3", "image:*")
    assert ids(answer) == whole[5:8]
    missing = await three.ask("/image/v2/images?marker=nobody&limit=3", "image:*")
    assert missing.status == 400


async def test_where_a_row_came_from_is_told_only_on_demand_and_never_for_images(three):
    plain = await three.ask("/compute/v2.1/servers/detail", "compute:*")
    assert all("oid:cloud" not in row for row in plain.json["servers"])
    noted = await three.ask("/compute/v2.1/servers/detail", "compute:*", X_Scope_Annotate="1")
    assert {row["oid:cloud"] for row in noted.json["servers"]} == {*named(3)}
    pictures = await three.ask("/image/v2/images", "image:*", X_Scope_Annotate="1")
    assert all("oid:cloud" not in row for row in pictures.json["images"])


async def test_scope_fields_never_reach_a_cloud(three):
    await three.ask("/image/v2/images", "image:*", X_Scope_Annotate="1", X_Scope_On_Missing="allow")
    for cloud in three.clouds.values():
        for call in cloud.got():
            assert b"scope" not in call.head.lower()


async def test_each_cloud_gets_its_own_form_of_the_token(three):
    await three.ask("/image/v2/images", "image:*")
    sent = {name: cloud.got()[0].field("X-Auth-Token") for name, cloud in three.clouds.items()}
    assert sent["cloud-1"].startswith(clouds.TOKEN)
    assert clouds.TOKEN not in sent["cloud-2"]
    assert len({*sent.values()}) == 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (clouds.broken, "broke off"),
        (clouds.almost, ""),
        (clouds.garbage, ""),
        (clouds.nonsense, ""),
        (clouds.reset, "without an answer"),
        (clouds.says(500), ""),
        (clouds.says(404), ""),
        (clouds.silent, "did not answer"),
    ],
)
async def test_a_cloud_that_fails_is_named_and_the_others_rows_are_there(tmp_path, made, fault, reason):
    made[1].fault = fault
    async with fleet(tmp_path, made, limits={"fan_out": "1s"}) as three:
        began = time.monotonic()
        answer = await three.ask("/image/v2/images", "image:*", X_Openstack_Request_Id=REQUEST)
        assert time.monotonic() - began < 2.5
        assert answer.status == 200
        assert {one.partition("-")[0] for one in ids(answer)} == {"0001", "0003"}
        assert len(ids(answer)) == 8
        assert answer.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}
        assert answer.field("X-Scope-Partial") == "true"
        told = await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")
        assert told.json["ok"] == ["cloud-1", "cloud-3"]
        assert reason in told.json["failed"]["cloud-2"]


REQUEST = "req-01234567-89ab-4cde-8f01-23456789abcd"


async def test_a_cloud_that_is_always_silent_delays_no_list_for_long(tmp_path, made):
    made[1].fault = clouds.silent
    async with fleet(tmp_path, made, limits={"fan_out": "4s", "eject_after": "1"}) as three:
        first = await three.ask("/image/v2/images", "image:*", X_Openstack_Request_Id=REQUEST)
        assert first.clouds["failed"] == "cloud-2"
        began = time.monotonic()
        second = await three.ask("/image/v2/images", "image:*")
        assert time.monotonic() - began < 1.0
        assert second.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}


async def test_a_dead_cloud_is_named(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        await three["cloud-3"].die()
        answer = await three.ask("/image/v2/images", "image:*")
        assert answer.clouds == {"ok": "2", "failed": "cloud-3", "skipped": "0"}
        assert len(ids(answer)) == 8


async def test_all_or_nothing_on_demand(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        whole = await three.ask("/image/v2/images", "image:*", X_Scope_On_Missing="fail")
        assert whole.status == 200
        await three["cloud-3"].die()
        answer = await three.ask("/image/v2/images", "image:*", X_Scope_On_Missing="fail")
        assert answer.status == 502
        assert "cloud-3" in answer.message
        assert answer.clouds["failed"] == "cloud-3"


async def test_a_policy_that_nobody_knows_is_a_400(three):
    answer = await three.ask("/image/v2/images", "image:*", X_Scope_On_Missing="perhaps")
    assert (answer.status, "allow, fail, unknown" in answer.message) == (400, True)


async def test_where_no_cloud_answers_there_is_no_list(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        for cloud in made[1:]:
            await cloud.die()
        answer = await three.ask("/image/v2/images", "image:cloud-2&cloud-3")
        assert answer.status == 502
        assert answer.clouds == {"ok": "0", "failed": "cloud-2,cloud-3", "skipped": "0"}


async def test_what_all_clouds_refuse_is_refused_in_their_words(tmp_path, made):
    for cloud in made:
        cloud.fault = clouds.says(400, {"badRequest": {"message": "Unknown sort key"}})
    async with fleet(tmp_path, made) as three:
        answer = await three.ask("/image/v2/images?sort_key=nope", "image:*")
        assert (answer.status, answer.json) == (400, {"badRequest": {"message": "Unknown sort key"}})


async def test_a_cloud_without_the_service_is_skipped_and_says_why(tmp_path, made):
    of = {"cloud-2": {"endpoints": {"identity": "http://127.0.0.1:1/v3"}}}
    async with fleet(tmp_path, made, of=of) as three:
        answer = await three.ask("/image/v2/images", "image:*", X_Openstack_Request_Id=REQUEST)
        assert answer.clouds == {"ok": "2", "failed": "0", "skipped": "cloud-2"}
        told = await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")
        assert told.json["skipped"] == {"cloud-2": "cloud-2 has no image."}


async def test_a_cloud_that_does_not_admit_the_user_is_counted_and_not_named(tmp_path, made):
    async with fleet(tmp_path, made, of={"cloud-2": {"admits": {}}}) as three:
        answer = await three.ask("/image/v2/images", "image:*", X_Openstack_Request_Id=REQUEST)
        assert answer.clouds == {"ok": "2", "failed": "0", "skipped": "1"}
        assert three["cloud-2"].got() == []
        assert b"cloud-2" not in (await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")).body


async def test_nobody_else_may_ask_what_became_of_the_clouds(three):
    await three.ask("/image/v2/images", "image:*", X_Openstack_Request_Id=REQUEST)
    assert (await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")).status == 200
    assert (await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}", X_Auth_Token=None)).status == 401
    assert (await three.ask("/.well-known/oidproxy/requests/req-unheard-of")).status == 404


async def test_of_any_k_clouds_the_first_k_are_enough(tmp_path, made):
    made[0].latency = 5.0
    async with fleet(tmp_path, made) as three:
        began = time.monotonic()
        answer = await three.ask("/image/v2/images", "image:any(2,*)")
        assert time.monotonic() - began < 2.0
        assert answer.clouds == {"ok": "2", "failed": "0", "skipped": "cloud-1"}
        assert {one.partition("-")[0] for one in ids(answer)} == {"0002", "0003"}


async def test_a_fallback_inside_of_a_union_is_one_place_of_it(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        answer = await three.ask("/image/v2/images", "image:cloud-1&(cloud-2|cloud-3)")
        assert {one.partition("-")[0] for one in ids(answer)} == {"0001", "0002"}
        assert three["cloud-3"].got() == []
        await three["cloud-2"].die()
        answer = await three.ask("/image/v2/images", "image:cloud-1&(cloud-2|cloud-3)")
        assert {one.partition("-")[0] for one in ids(answer)} == {"0001", "0003"}
        assert answer.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}


async def test_a_client_that_leaves_ends_all_calls(tmp_path, made):
    for cloud in made:
        cloud.fault = clouds.silent
    async with fleet(tmp_path, made) as three:
        peer = await three.proxy.client()
        await peer.send(request("/image/v2/images", "image:*"))
        await eventually(lambda: all(cloud.got() for cloud in made))
        peer.reset()
        await eventually(lambda: all(cloud.gone for cloud in made), 0.5)


async def test_clouds_are_asked_at_once_but_no_more_than_allowed(tmp_path):
    made = [Cloud(name, {"images": images(name, 1)}, latency=0.1) for name in named(12)]
    async with fleet(tmp_path, made, limits={"fan_out_calls": "4"}) as many:
        await many.ask("/image/v2/images", "image:cloud-1")
        began = time.monotonic()
        answer = await many.ask("/image/v2/images", "image:*")
        took = time.monotonic() - began
        assert answer.clouds["ok"] == "12"
        assert 0.3 <= took < 0.9


async def test_more_clouds_than_a_request_may_go_to_are_a_429(tmp_path, made):
    async with fleet(tmp_path, made, limits={"fan_out_clouds": "2"}) as three:
        answer = await three.ask("/image/v2/images", "image:*")
        assert (answer.status, answer.field("Retry-After")) == (429, "1")
        assert answer.field("X-Oidproxy-Error") == "too-many-clouds"
        assert (await three.ask("/image/v2/images", "image:cloud-1&cloud-2")).status == 200


async def test_a_token_may_go_to_so_many_clouds_at_one_time(tmp_path, made):
    made[2].fault = clouds.silent
    async with fleet(tmp_path, made, limits={"fan_out_token": "4"}) as three:
        peer = await three.proxy.client()
        await peer.send(request("/image/v2/images", "image:*"))
        await eventually(made[2].got)
        answer = await three.ask("/image/v2/images", "image:cloud-1&cloud-2")
        assert (answer.status, answer.field("Retry-After")) == (429, "1")
        peer.reset()
        await eventually(lambda: made[2].gone)
        assert (await three.ask("/image/v2/images", "image:cloud-1&cloud-2")).status == 200


async def test_projects_of_other_clouds_need_a_token_of_theirs(tmp_path, made):
    for number, cloud in enumerate(made, 1):
        cloud.rows["projects"] = [{"id": f"p-{number}", "name": "demo"}]
    of = {"cloud-3": {"exchange": ["carried"]}}
    async with fleet(tmp_path, made, of=of) as three:
        answer = await three.ask(
            "/identity/v3/projects",
            "identity:*",
            X_Scope_Tokens="cloud-3=theirs",
            X_Openstack_Request_Id=REQUEST,
        )
        assert answer.clouds == {"ok": "2", "failed": "0", "skipped": "cloud-2"}
        assert [row["id"] for row in answer.json["projects"]] == ["p-1", "p-3"]
        assert three["cloud-3"].got()[0].field("X-Auth-Token") == "theirs"
        assert three["cloud-2"].got() == []
        without = await three.ask("/identity/v3/projects", "identity:*", X_Openstack_Request_Id=REQUEST)
        assert without.clouds == {"ok": "1", "failed": "0", "skipped": "cloud-3,cloud-2"}
        told = await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")
        assert all(why.startswith("no token: ") for why in told.json["skipped"].values())


async def test_other_calls_to_identity_go_home(three):
    three["cloud-1"].rows["users"] = [{"id": "u"}]
    answer = await three.ask("/identity/v3/users/u", "identity:*")
    assert answer.status == 200
    assert three["cloud-2"].got() == []


async def test_what_several_clouds_cannot_be_asked_is_a_501(three):
    for method, target, scope in [
        ("GET", "/compute/v2.1/limits", "compute:*"),
        ("GET", "/image/v2/images", "image:cloud-1%cloud-2"),
        ("POST", "/compute/v2.1/servers/x/os-interface", "compute:*"),
        ("DELETE", "/network/v2.0/networks", "network:*"),
    ]:
        answer = await three.ask(target, scope, method=method)
        assert (answer.status, answer.field("X-Oidproxy-Error")) == (501, "not-supported"), target
    bulk = await three.ask(
        "/network/v2.0/networks",
        "network:*",
        method="POST",
        body={"networks": [{"name": "a"}, {"name": "b"}]},
    )
    assert bulk.status == 501
    assert all(cloud.got() == [] for cloud in three.clouds.values())


async def test_explain_says_what_is_served(three):
    answer = await three.ask("/image/v2/images", "image:*", X_Scope_Explain="1")
    assert (
        answer.field("X-Scope-Why")
        == "service=image; by=header; scope=*; kind=collection; clouds=3; token=each"
    )
    told = await three.ask("/.well-known/oidproxy/explain?path=/image/v2/images&scope=image:*")
    assert told.json["request"]["decision"] == "fan-out"
    (row,) = told.json["services"]
    assert (row["clouds"], row["status"]) == ([*named(3)], None)


async def test_requests_on_one_connection_follow_each_other(three):
    peer = await three.proxy.client()
    for scope in ("image:*", "image:cloud-2", "image:*"):
        await peer.send(request("/image/v2/images", scope))
    counts = [len((await read(peer)).json["images"]) for _ in range(3)]
    assert counts == [12, 4, 12]


async def test_a_head_of_a_collection_has_no_body(three):
    answer = await three.ask("/image/v2/images", "image:*", method="HEAD")
    assert answer.status == 200
    assert answer.clouds["ok"] == "3"


async def test_no_rows_anywhere_are_an_empty_list(three):
    answer = await three.ask("/network/v2.0/networks", "network:*")
    assert (answer.status, answer.json) == (200, {"networks": []})


async def test_a_hundred_clouds_of_which_some_fail_in_every_way(tmp_path):
    made = [Cloud(name, {"images": images(name, 5)}) for name in named(100)]
    faults = [clouds.silent, clouds.broken, clouds.almost, clouds.garbage, clouds.reset]
    for cloud, fault in zip(made[10:15], faults, strict=True):
        cloud.fault = fault
    async with fleet(tmp_path, made, limits={"fan_out": "2s"}) as many:
        await made[20].die()
        answer = await many.ask("/image/v2/images", "image:*")
        assert answer.clouds["ok"] == "94"
        expected = {*(f"cloud-{number}" for number in range(11, 16)), "cloud-21"}
        assert {*answer.clouds["failed"].split(",")} == expected
        assert len(ids(answer)) == 94 * 5
        for cloud in made[10:15]:
            cloud.fault = clouds.says(503)
        got: list[str] = []
        target: str | None = "/image/v2/images?limit=100"
        while target is not None:
            page = await many.ask(target, "image:*")
            assert len(ids(page)) <= 100
            got += ids(page)
            following = page.json.get("next")
            # Of a hundred clouds it does not fit into the link: it lies in the store.
            assert following is None or "marker=oids" in following
            target = f"/image{following}" if following else None
        assert got == ids(answer)


async def test_a_union_is_an_alternative_as_a_whole(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        answer = await three.ask("/image/v2/images", "image:(cloud-1&cloud-2)|cloud-3")
        assert {one.partition("-")[0] for one in ids(answer)} == {"0001", "0002"}
        await three["cloud-2"].die()
        answer = await three.ask("/image/v2/images", "image:(cloud-1&cloud-2)|cloud-3")
        assert {one.partition("-")[0] for one in ids(answer)} == {"0001"}
        assert three["cloud-3"].got() == []
        await three["cloud-1"].die()
        answer = await three.ask("/image/v2/images", "image:(cloud-1&cloud-2)|cloud-3")
        # The home is dead, too, but said a moment ago who the user is.
        assert {one.partition("-")[0] for one in ids(answer)} == {"0003"}
        assert answer.clouds == {"ok": "1", "failed": "cloud-1,cloud-2", "skipped": "0"}


async def test_an_answer_that_is_too_large_counts_as_failed(tmp_path, made):
    made[1].rows["images"] = [row | {"name": "x" * 5000} for row in made[1].rows["images"]]
    async with fleet(tmp_path, made, limits={"fan_out_answer": "8KiB"}) as three:
        answer = await three.ask("/image/v2/images", "image:*")
        assert answer.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}


async def test_all_answers_together_are_bounded(tmp_path, made):
    for cloud in made:
        cloud.rows["images"] = [row | {"name": "x" * 1000} for row in cloud.rows["images"]]
    async with fleet(tmp_path, made, limits={"fan_out_answers": "9KiB"}) as three:
        answer = await three.ask("/image/v2/images", "image:*")
        assert (answer.clouds["ok"], answer.field("X-Scope-Partial")) == ("2", "true")


async def test_who_was_not_asked_in_time_is_named(tmp_path, made):
    made[0].fault = clouds.silent
    async with fleet(tmp_path, made, limits={"fan_out": "500ms", "fan_out_calls": "1"}) as three:
        answer = await three.ask(
            "/image/v2/images", "image:cloud-2&cloud-1&cloud-3", X_Openstack_Request_Id=REQUEST
        )
        assert answer.clouds == {"ok": "1", "failed": "cloud-1,cloud-3", "skipped": "0"}
        told = (await three.ask(f"/.well-known/oidproxy/requests/{REQUEST}")).json["failed"]
        assert "did not answer" in told["cloud-1"]
        assert "before it was asked" in told["cloud-3"]
        late = await three.ask(
            "/image/v2/images", "image:cloud-1&cloud-1/RegionOne&cloud-2", X_Scope_On_Missing="fail"
        )
        assert late.status == 504


async def test_a_token_that_no_cloud_takes_is_refused_with_the_reason(tmp_path, made):
    of = {name: {"admits": {"cloud-1": {"roles": ["nobody-has-it"]}}} for name in ("cloud-2", "cloud-3")}
    async with fleet(tmp_path, made, of=of) as three:
        answer = await three.ask("/image/v2/images", "image:cloud-2&cloud-3")
        assert (answer.status, answer.field("X-Oidproxy-Error")) == (403, "not-admitted")
        mixed = await three.ask("/image/v2/images", "image:*")
        assert mixed.clouds == {"ok": "1", "failed": "0", "skipped": "cloud-2,cloud-3"}


async def test_a_cloud_with_an_order_of_its_own_is_named_and_loses_nothing(tmp_path, made):
    rows = made[1].rows["images"]

    async def shuffled(cloud, writer, reply):
        writer.write(clouds.answer(200, {"images": [rows[2], rows[0], rows[3], rows[1]]}))
        await writer.drain()

    made[1].fault = shuffled
    async with fleet(tmp_path, made) as three:
        answer = await three.ask("/image/v2/images", "image:*")
        assert answer.field("X-Scope-Order") == "cloud-2"
        assert len({*ids(answer)}) == 12


async def test_a_cloud_cannot_forge_what_is_said_of_it(tmp_path, made):
    made[1].fault = clouds.says(200, {"images": []}, "X-Scope-Clouds: ok=99", "X-Scope-Partial: no")
    async with fleet(tmp_path, made) as three:
        together = await three.ask("/image/v2/images", "image:*")
        assert together.head.lower().count(b"x-scope-clouds") == 1
        assert together.clouds["ok"] == "3"
        either = await three.ask("/image/v2/images", "image:cloud-2|cloud-3")
        assert b"x-scope-" not in either.head.lower()


async def test_the_access_log_tells_of_several_clouds(three):
    await three.ask("/image/v2/images", "image:*")
    three.proxy.serving.access.flush()
    (line,) = three.proxy.log.read_text().splitlines()
    told = json.loads(line)
    assert (told["service"], told["cloud"], told["scope"], told["status"]) == ("image", "*", "image:*", 200)


async def test_a_token_that_its_home_refuses_is_a_401(three):
    three["cloud-1"].knows_tokens = False
    answer = await three.ask("/image/v2/images", "image:*")
    assert answer.status == 401
    assert all(cloud.got() == [] for cloud in three.clouds.values())


async def test_a_silent_home_does_not_silence_what_needs_no_home(tmp_path, made):
    async with fleet(tmp_path, made, of={"cloud-1": {"auth_url": "http://127.0.0.1:1/v3"}}) as three:
        three["cloud-1"].rows["images"] = images("cloud-1", 1)
        await three["cloud-2"].die()
        answer = await three.ask("/image/v2/images", "image:cloud-1&cloud-2")
        assert answer.status == 200


UNKNOWN = {"X_Scope_On_Missing": "unknown"}


async def test_rows_of_silent_clouds_that_were_seen_before_are_shown_as_unknown(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        whole = await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN)
        assert all("status" not in row for row in whole.json["servers"])
        await three["cloud-2"].die()
        partly = await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN)
        assert partly.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}
        assert {*ids(partly)} == {*ids(whole)}
        known = {row["id"]: row["status"] for row in partly.json["servers"] if "status" in row}
        assert known == {"cloud-2-0": "UNKNOWN", "cloud-2-1": "UNKNOWN"}
        allowed = await three.ask("/compute/v2.1/servers/detail", "compute:*")
        assert len(ids(allowed)) == 4
        other = await three.ask("/compute/v2.1/servers/detail?name=vm-0", "compute:*", **UNKNOWN)
        assert len(ids(other)) == 2, "what another list showed says nothing of this one"


async def test_what_is_gone_is_not_known_any_more(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN)
        del three["cloud-2"].rows["servers"][0]
        await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN)
        await three["cloud-2"].die()
        answer = await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN)
        assert [row["id"] for row in answer.json["servers"] if row.get("status") == "UNKNOWN"] == [
            "cloud-2-1"
        ]


async def test_pages_hold_what_is_unknown_once(tmp_path, made):
    async with fleet(tmp_path, made) as three:
        whole = ids(await three.ask("/compute/v2.1/servers/detail", "compute:*", **UNKNOWN))
        await three["cloud-3"].die()
        target: str | None = "/compute/v2.1/servers/detail?limit=2"
        got: list[str] = []
        while target is not None:
            answer = await three.ask(target, "compute:*", **UNKNOWN)
            got += ids(answer)
            following = [link["href"] for link in answer.json.get("servers_links", [])]
            target = following[0].partition("//proxy")[2] if following else None
        assert sorted(got) == sorted(whole)
        assert got[-2:] == ["cloud-3-0", "cloud-3-1"]


async def test_pages_of_k_clouds_go_on_in_the_clouds_that_they_began_in(three):
    """Whoever is the quickest at the second page: its rows would begin anew, and the others' be lost."""
    for name in ("cloud-2", "cloud-3"):
        three[name].latency = 0.1
    first = await three.ask("/image/v2/images?limit=2", "image:any(1,*)")
    assert {one[:4] for one in ids(first)} == {"0001"}
    three["cloud-1"].latency, three["cloud-2"].latency = 0.1, 0.0
    second = await three.ask("/image" + first.json["next"], "image:any(1,*)")
    assert ids(first) + ids(second) == [f"0001-000{row}" for row in (3, 2, 1, 0)]
    assert second.clouds == {"ok": "1", "failed": "0", "skipped": "cloud-2,cloud-3"}


async def test_pages_of_sets_that_stand_for_one_another_go_on_in_the_set_that_they_began_in(three):
    three["cloud-1"].fault = clouds.says(503)
    scope = "image:cloud-1|(cloud-2&cloud-3)"
    first = await three.ask("/image/v2/images?limit=3", scope)
    three["cloud-1"].fault = None
    second = await three.ask("/image" + first.json["next"], scope)
    found = ids(first) + ids(second)
    assert found == [f"000{cloud}-000{row}" for row in (3, 2, 1) for cloud in (3, 2)]


async def test_a_cloud_that_gives_far_too_much_takes_nothing_from_the_others(tmp_path, made):
    """Page after page of its own: when all together is too much, it is the one that goes."""
    rows = [{"id": f"0002-{row:05}", "created_at": "2027", "x": "x" * 2000} for row in range(200)]
    made[1].rows["images"] = rows
    for one in (made[0], made[2]):
        one.latency = 0.3
    async with fleet(tmp_path, made, limits={"fan_out_answers": "100KiB"}) as running:
        answer = await running.ask("/image/v2/images", "image:*")
        assert {one[:4] for one in ids(answer)} == {"0001", "0003"}
        assert answer.clouds == {"ok": "2", "failed": "cloud-2", "skipped": "0"}


async def test_a_row_without_members_can_say_where_it_is_from(three):
    for name, rows in (("cloud-1", []), ("cloud-2", [{}, {"id": 1}]), ("cloud-3", [])):
        three[name].fault = clouds.says(200, {"services": rows})
    answer = await three.ask("/compute/v2.1/os-services", "compute:*", X_Scope_Annotate="1")
    assert {len(row) for row in answer.json["services"]} == {1, 2}
    assert {row["oid:cloud"] for row in answer.json["services"]} == {"cloud-2"}


async def test_candidates_are_names_that_a_field_can_hold(tmp_path):
    found = [Cloud("cloud-1"), Cloud("東京")]
    item = "0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
    for one in found:
        one.rows["servers"] = [{"id": item, "name": one.name}]
    async with fleet(tmp_path, found) as running:
        answer = await running.ask(f"/compute/v2.1/servers/{item}", "compute:*")
        assert answer.status == 300
        assert answer.field("X-Scope-Candidates") == 'cloud-1,"%E6%9D%B1%E4%BA%AC"'

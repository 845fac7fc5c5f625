"""What the clouds of a fleet hold: the same images, other ids, resources of the home's user."""

from __future__ import annotations

import hashlib

import pytest

VERSION = {"OpenStack_API_Version": "compute 2.96"}
LISTS = (
    ("compute", "/v2.1/servers/detail", "servers"),
    ("block-storage", "/v3/volumes/detail", "volumes"),
    ("network", "/v2.0/ports", "ports"),
    ("network", "/v2.0/security-groups", "security_groups"),
)


async def test_the_same_images_are_everywhere_under_other_ids(fleet):
    rig = await fleet()
    lists = [(await rig.get(number, "image", "/v2/images")).json()["images"] for number in (1, 2, 3)]
    assert [len(one) for one in lists] == [4, 4, 4]
    known = [{(image["name"], image["os_hash_value"], image["size"]) for image in one} for one in lists]
    assert known[0] == known[1] == known[2]
    assert len({image["id"] for one in lists for image in one}) == 12


async def test_an_images_bytes_are_those_that_its_digests_announce(fleet):
    rig = await fleet(1)
    image = (await rig.get(1, "image", "/v2/images?limit=1")).json()["images"][0]
    data = await rig.get(1, "image", image["file"])
    assert data.whole
    assert hashlib.sha512(data.body).hexdigest() == image["os_hash_value"]
    assert len(data.body) == image["size"]


async def test_lists_come_newest_first_with_different_times(fleet):
    rig = await fleet(1)
    for service, path, name in (("image", "/v2/images", "images"), *LISTS[:2]):
        rows = (await rig.get(1, service, path, **VERSION)).json()[name]
        moments = [row.get("created_at") or row["created"] for row in rows]
        assert len(set(moments)) == 4
        assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize(("service", "path", "name"), LISTS)
async def test_the_homes_user_has_resources_in_every_cloud(fleet, service, path, name):
    rig = await fleet(2)
    home = rig.fleet.clouds["cloud-1"].keystone.projects.find(name="demo")["id"]
    rows = (await rig.get(2, service, f"{path}?all_tenants=1", user="admin", **VERSION)).json()[name]
    owned = [row for row in rows if home in {row.get("tenant_id"), row.get("os-vol-tenant-attr:tenant_id")}]
    assert len(owned) >= 4


async def test_a_seed_repeats_all_ids(fleet, tmp_path):
    first, again, other = [
        {
            image.id
            for cloud in (await fleet(2, seed=seed, data=tmp_path / str(number))).fleet.clouds.values()
            for image in cloud.glance
        }
        for number, seed in enumerate((7, 7, 8))
    ]
    assert first == again
    assert not first & other

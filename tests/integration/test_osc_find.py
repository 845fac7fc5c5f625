"""The real client finds what is in another cloud, by its id alone."""

from __future__ import annotations

import pytest

NOWHERE = "ffffffff-7b1c-4a6d-9e8f-5c2b1a0d3e4f"


@pytest.fixture(scope="module")
def cirros(openstack) -> str:
    """An image that cloud-999 alone has."""
    [image] = openstack.json("--scope", "image:cloud-999", "image", "list", "--name", "cirros")
    return image["ID"]


def test_locate_says_which_cloud_has_an_id(openstack, cirros):
    assert openstack.json("scope", "resource", "locate", cirros) == [
        {
            "Cloud": "cloud-999",
            "Service": "image",
            "Collection": "images",
            "Name": "cirros",
            "Status": "active",
        }
    ]
    done = openstack("scope", "resource", "locate", cirros, "-f", "value", "-c", "Cloud")
    assert (done.status, done.out) == (0, "cloud-999\n")
    done = openstack("scope", "resource", "locate", NOWHERE)
    assert done.status == 1
    assert "none of the 2 clouds that were asked has" in done.err


def test_an_image_is_shown_and_read_under_a_scope_of_all(openstack, cirros, tmp_path, image):
    shown = openstack.json("--scope", "image:*", "image", "show", cirros)
    assert (shown["id"], shown["name"]) == (cirros, "cirros")
    path = tmp_path / "cirros.img"
    done = openstack("--scope", "image:*", "image", "save", "--file", str(path), cirros)
    assert done.status == 0, done.err
    assert path.read_bytes() == image.path.read_bytes()


def test_without_a_scope_of_many_the_home_alone_is_asked(openstack, cirros):
    assert openstack("image", "show", cirros).status == 1

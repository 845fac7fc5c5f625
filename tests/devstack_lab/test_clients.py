"""What clients sign in with: each through the proxy that it is meant to use, or past it."""

from __future__ import annotations

import json

import pytest

from devstack.lab import clients


@pytest.fixture
def entries(lab, edges):
    clients.write(lab, lab.clouds(2), edges)
    return json.loads(lab.clouds_yaml.read_text())["clouds"]


def auth_url(entries, name):
    return entries[name]["auth"]["auth_url"]


def test_users_of_a_cloud_with_a_proxy_beside_it_sign_in_there(entries):
    for name in ("cloud-999", "cloud-999-viewer", "cloud-999-admin"):
        assert auth_url(entries, name) == "http://127.77.2.2:5000/v3"


def test_users_of_the_others_sign_in_at_the_gateway_at_their_own_cloud(entries):
    for name in ("edge-2", "edge-2-viewer"):
        assert auth_url(entries, name) == "http://127.77.2.253:8888/s/%7Bkeystone%3Aedge-2%7D/identity/v3"


def test_whoever_has_to_see_what_really_is_there_goes_past_it(entries):
    assert auth_url(entries, "edge-2-admin") == "http://127.77.1.102:5000/v3"
    assert auth_url(entries, "edge-3-direct") == "http://127.77.1.101:5000/v3"
    assert entries["edge-3-direct"]["region_name"] == "EdgeRegion3"


def test_a_region_of_another_cloud_has_that_ones_users(entries):
    assert entries["edge-3"]["auth"]["password"] == entries["edge-1"]["auth"]["password"]
    assert entries["edge-2"]["auth"]["password"] != entries["edge-1"]["auth"]["password"]


def test_without_such_clouds_there_are_no_entries_of_them(lab):
    clients.write(lab, lab.clouds(1), ())
    known = json.loads(lab.clouds_yaml.read_text())["clouds"]
    assert set(known) == {"cloud-1", "cloud-1-viewer", "cloud-1-admin", "gateway"}


def test_nobody_else_can_read_the_passwords(lab, entries):
    assert lab.clouds_yaml.stat().st_mode & 0o777 == 0o600

"""Where everything stands: no two clouds meet, and a lab stays where it was set up."""

from __future__ import annotations

import pytest

from devstack.lab.failure import LabError
from devstack.lab.layout import MOST, from_environment


@pytest.fixture
def every(lab, edges):
    return (*lab.clouds(MOST), *edges)


@pytest.mark.parametrize("what", ["name", "region", "address", "folder"])
def test_no_two_clouds_have_the_same(every, what):
    assert len({getattr(place, what) for place in every}) == len(every)


def test_no_two_clouds_share_a_database(every):
    databases = [place.database(name) for place in every for name in place.databases]
    assert len(set(databases)) == len(databases)


def test_no_cloud_is_where_a_proxy_is(lab, every):
    fronts = {lab.gateway, lab.edge_gateway, *(place.beside for place in every if place.beside)}
    assert fronts.isdisjoint(place.address for place in every)
    assert len(fronts) == MOST + 2


def test_a_region_of_another_cloud_has_that_ones_keystone(edges):
    whole, small, region = edges
    assert region.url("identity") == whole.url("identity")
    assert region.url("image") == f"http://{region.address}:9292"
    assert small.url("identity") == f"http://{small.address}:5000"


def test_a_cloud_has_accounts_and_databases_of_its_services_alone(edges):
    whole, small, region = edges
    assert small.accounts == region.accounts == ("glance", "cinder")
    assert small.databases == ("keystone", "glance", "cinder")
    assert region.databases == ("glance", "cinder")
    assert len(whole.databases) == 8


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_a_number_of_clouds_that_has_no_addresses_is_refused(lab, count):
    with pytest.raises(LabError, match=f"N={count}: expected .* from 1 to {MOST}"):
        lab.clouds(count)


def test_a_lab_stays_at_its_addresses(lab):
    lab.remember(lab.clouds(1))
    assert from_environment({"LAB_STATE": str(lab.state)}) == lab
    with pytest.raises(LabError, match=r"LAB_NETWORK=127\.78: the lab in .* is at 127\.77"):
        from_environment({"LAB_STATE": str(lab.state), "LAB_NETWORK": "127.78"})


def test_a_lab_that_was_forgotten_may_be_anywhere(lab):
    lab.remember(lab.clouds(1))
    lab.forget()
    assert from_environment({"LAB_STATE": str(lab.state), "LAB_NETWORK": "127.78"}).network == "127.78"


@pytest.mark.parametrize("network", ["10.0", "127", "127.0.1", "127.x"])
def test_addresses_that_others_could_reach_are_refused(tmp_path, network):
    with pytest.raises(LabError, match="expected the beginning of loopback addresses"):
        from_environment({"LAB_STATE": str(tmp_path), "LAB_NETWORK": network})


def test_the_clouds_that_are_to_run_are_those_of_the_last_time(lab, edges):
    for place in (*lab.clouds(3), *edges):
        place.folder.mkdir()
    lab.remember((*lab.clouds(3), *edges))
    lab.remember(lab.clouds(2))
    assert lab.wanted() == lab.clouds(2)
    assert lab.made() == (*lab.clouds(3), *edges)

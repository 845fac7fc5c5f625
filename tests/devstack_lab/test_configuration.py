"""The services' files: its lines where the proxy stands beside, elsewhere not a word of it."""

from __future__ import annotations

import configparser
import re

import pytest

from devstack.lab import configuration, deployed, surroundings
from devstack.lab.passwords import Secrets
from devstack.lab.proxy import Proxy

ADDRESS = re.compile(r"127\.\d+\.\d+\.\d+")
INFRASTRUCTURE = "127.77.3.1"


def sources(place, told, cache=""):
    return configuration.Sources(
        place=place,
        etc=place.state / "venv" / "etc",
        databases={name: f"mysql://{INFRASTRUCTURE}/{place.database(name)}" for name in place.databases},
        broker=f"rabbit://{INFRASTRUCTURE}/{place.name}",
        passwords={name: Secrets(place.host.folder).get(name) for name in place.accounts},
        cache=cache,
        surroundings=told.files,
    )


def written(place, told, cache=""):
    """All files of a cloud, by name."""
    configuration.write(sources(place, told, cache))
    return {file.name: file.read_text() for file in place.etc.iterdir()}


def parsed(text):
    found = configparser.RawConfigParser()
    found.read_string(text)
    return found


@pytest.fixture
def direct(edges):
    """Cloud -> its files by name."""
    return {place: written(place, surroundings.without_proxy(place)) for place in edges}


def test_a_cloud_that_nobody_reconfigured_knows_its_own_addresses_alone(direct):
    for place, files in direct.items():
        own = {place.address, place.host.address, INFRASTRUCTURE}
        for name, text in files.items():
            assert set(ADDRESS.findall(text)) <= own, (place.name, name)


def test_its_catalog_has_its_own_addresses_alone(edges):
    for place in edges:
        for one in surroundings.without_proxy(place).endpoints:
            expected = place.host if one["type"] == "identity" else place
            assert ADDRESS.findall(one["url"]) == [expected.address]
            assert one["region"] == place.region


def test_a_cloud_has_files_of_its_own_services_alone(direct):
    whole, small, region = direct.values()
    assert set(small) == {"keystone.conf", "keystone-gunicorn.py", "glance-api.conf", "cinder.conf"}
    assert set(region) == {"glance-api.conf", "cinder.conf"}
    assert len(whole) == 8


def test_a_region_of_another_cloud_asks_that_ones_keystone(edges, direct):
    whole, _, region = edges
    for name in ("glance-api.conf", "cinder.conf"):
        asked = parsed(direct[region][name])["keystone_authtoken"]
        assert asked["auth_url"] == asked["www_authenticate_uri"] == f"http://{whole.address}:5000/v3"
        assert asked["region_name"] == region.region


def test_it_signs_in_with_the_accounts_of_that_keystone(edges, direct):
    whole, _, region = edges
    passwords = {
        parsed(direct[place]["glance-api.conf"])["keystone_authtoken"]["password"]
        for place in (whole, region)
    }
    assert passwords == {Secrets(whole.folder).get("glance")}


def test_services_that_share_a_catalog_stay_in_their_region(edges, direct):
    whole, _, region = edges
    nova = parsed(direct[whole]["nova.conf"])
    sections = ("neutron", "placement", "glance")
    assert {nova[section]["region_name"] for section in sections} == {whole.region}
    assert nova["cinder"]["os_region_name"] == whole.region
    # Cinder takes the first image service of the catalog, of whatever region.
    assert parsed(direct[region]["cinder.conf"])["DEFAULT"]["glance_api_servers"] == region.url("image")


def test_every_service_knows_its_own_type_in_the_catalog(edges, direct):
    whole = edges[0]
    cataloged = {one["type"] for one in surroundings.without_proxy(whole).endpoints}
    texts = [text for text in direct[whole].values() if "authtoken" in text]
    told = {parsed(text)["keystone_authtoken"]["service_type"] for text in texts}
    assert told == cataloged - {"identity"}


def test_cinder_without_nova_has_no_account_there(edges, direct):
    assert "nova" not in parsed(direct[edges[1]]["cinder.conf"])
    assert "nova" in parsed(direct[edges[0]]["cinder.conf"])


def test_beside_the_proxy_every_service_asks_it_for_its_own_keystone(lab):
    clouds = lab.clouds(2)
    proxy = Proxy(lab)
    proxy.configure(deployed.beside(lab, clouds))
    files = written(clouds[1], proxy.cloud_config(clouds[1]))
    asking = {name: parsed(text)["keystone_authtoken"] for name, text in files.items() if "authtoken" in text}
    assert len(asking) == 5
    assert {section["auth_url"] for section in asking.values()} == {f"http://{clouds[1].beside}:5000/v3"}


def test_what_all_clouds_remember_of_tokens_is_in_one_place_only_if_that_is_asked_for(lab, edges):
    told = surroundings.without_proxy(edges[0])
    assert not any("memcached_servers" in text for text in written(edges[0], told).values())
    texts = written(edges[0], told, cache=f"{INFRASTRUCTURE}:11211")
    assert sum(f"memcached_servers = {INFRASTRUCTURE}:11211" in text for text in texts.values()) == 5


def test_only_a_file_that_says_something_else_counts_as_changed(edges):
    told = surroundings.without_proxy(edges[0])
    assert configuration.write(sources(edges[0], told))
    assert not configuration.write(sources(edges[0], told))
    assert configuration.write(sources(edges[0], told, cache=f"{INFRASTRUCTURE}:11211"))


def test_nobody_else_can_read_a_file_with_passwords(direct):
    for place in direct:
        assert {file.stat().st_mode & 0o777 for file in place.etc.iterdir()} == {0o600}

"""One memcached for the token caches of both clouds, an operators' mistake: no roles leak by it."""

from __future__ import annotations

import pytest

from devstack.lab.layout import PORTS
from tests.lab.trust_cache import SharedCache, is_shared, name
from tests.lab.trust_calls import LISTS, Lines
from tests.lab.trust_replay import FIELD
from tests.lab.wiretap import Wiretap

AT_HOME = "identity:cloud-1"
ABROAD = "{keystone:cloud-1;nova+glance+cinder+neutron:cloud-999}"
FOR_ADMINS = [
    ("compute", "/v2.1/os-services"),
    ("compute", "/v2.1/servers?all_tenants=1"),
    ("block-storage", "/v3/os-services"),
    ("image", "/v2/tasks"),
    ("placement", "/resource_providers"),
]


@pytest.fixture(scope="module", autouse=True)
def _shared(home, abroad):
    if not is_shared(home):
        pytest.skip("the clouds have no cache in common: LAB_MEMCACHED=1 make lab-up")
    assert is_shared(abroad)


@pytest.fixture(scope="module")
def lines():
    with Lines() as opened:
        yield opened


@pytest.fixture(scope="module")
def admin(lines, home):
    """The sealed token of an administrator of home, new in each run."""
    return lines.token(home, "admin")


@pytest.fixture(scope="module")
def kept(lab, lines, home, abroad, admin):
    """Cloud -> text in which its services got that token -> what is kept of it.

    All services of both clouds are called; those of home first, so that the cache is warm there.
    """
    with Wiretap(home.address, abroad.address) as tap:
        for scope in (AT_HOME, ABROAD):
            for service, path in LISTS.items():
                fields = {"X-Auth-Token": admin, "X-Scope": scope}
                assert lines.send(home.beside, service, "GET", path, fields).status == 200
        tap.settle(2)
    with SharedCache(lab) as cache:
        names = cache.names()
        return {
            place.name: {
                text: cache.get(name(text)) for text in shown(tap.streams(), place) if name(text) in names
            }
            for place in (home, abroad)
        }


def shown(streams, place):
    """The tokens that reached the services of a cloud."""
    return {
        value.decode()
        for stream in streams
        if stream.target in {(place.address, PORTS[service]) for service in LISTS}
        for field, value in FIELD.findall(stream.data)
        if field.lower() == b"x-auth-token"
    }


def test_both_clouds_keep_the_same_token_under_names_of_their_own(kept, home, abroad):
    assert kept[home.name]
    assert kept[abroad.name]
    assert not kept[home.name].keys() & kept[abroad.name].keys()


def test_what_the_other_cloud_keeps_has_no_more_roles_than_its_policy_leaves(lines, kept, home, abroad):
    project = lines.sign_in(home, "admin").json["token"]["project"]["id"]
    here, there = (of_project(kept[place.name], project) for place in (home, abroad))
    assert here
    assert there
    assert all("admin" in roles(token) for token in here)
    assert all(roles(token) == {"member", "reader"} for token in there)
    assert all(token["is_admin_project"] is False for token in there)
    urls = [one["url"] for token in there for entry in token["catalog"] for one in entry["endpoints"]]
    assert urls
    assert all(url.startswith(f"http://{abroad.beside}:") for url in urls)


def of_project(entries, project):
    return [entry["token"] for entry in entries.values() if entry["token"]["project"]["id"] == project]


def roles(token):
    return {role["name"] for role in token["roles"]}


@pytest.mark.parametrize(("service", "path"), FOR_ADMINS)
def test_warm_at_home_an_administrator_is_none_at_the_other_cloud(lines, home, admin, service, path):
    for _ in range(2):
        for scope, status in ((AT_HOME, 200), (ABROAD, 403)):
            fields = {"X-Auth-Token": admin, "X-Scope": scope}
            assert lines.send(home.beside, service, "GET", path, fields).status == status

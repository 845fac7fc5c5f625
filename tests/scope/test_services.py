"""Names of services, against the data of the service types authority itself."""

from __future__ import annotations

import pytest
from os_service_types import ServiceTypes

from oidproxy.scope.services import known, nearest_service, official


def test_every_type_alias_and_project_of_the_authority_is_folded():
    authority = ServiceTypes()
    for service_type, names in authority.all_types_by_service_type.items():
        assert {official(name) for name in names} == {service_type}
    for project, data in authority.primary_service_by_project.items():
        assert (
            official(project)
            == data["service_type"]
            == authority.get_service_data_for_project(project)["service_type"]
        )
    for alias in authority.reverse:
        assert official(alias) == authority.get_service_type(alias)


@pytest.mark.parametrize(
    ("name", "service_type"),
    [
        ("nova", "compute"),
        ("NOVA", "compute"),
        ("Image", "image"),
        ("volumev3", "block-storage"),
        ("block_storage", "block-storage"),
        ("ironic", "baremetal"),
        ("Mine", "mine"),
        ("my_service", "my_service"),
        ("x/glance", "x/glance"),
        ("", ""),
    ],
)
def test_a_name_is_folded_whatever_its_case(name, service_type):
    assert official(name) == service_type
    assert official(service_type) == service_type


def test_what_the_authority_knows_is_known():
    assert known("glance")
    assert known("VolumeV3")
    assert not known("mine")
    assert not known("x/glance")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("keystne", "keystone"), ("Computr", "compute"), ("glacne", "glance"), ("frobnicate", None)],
)
def test_the_nearest_service_is_found(name, suggestion):
    assert nearest_service(name) == suggestion


def test_a_further_name_counts_too_and_first_among_equals():
    assert nearest_service("wether", ["weather"]) == "weather"
    assert nearest_service("glanc", ["glanca"]) == "glanca"
    assert nearest_service("keystne", ["weather"]) == "keystone"

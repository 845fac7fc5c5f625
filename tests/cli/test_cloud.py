"""`oidproxy cloud config`: the lines for each service's file, the catalog's commands, and what is refused."""

from __future__ import annotations

import configparser
import json
import shlex

import pytest

from oidproxy.cli.main import main

BESIDE = """
listeners:
  - {bind: "127.0.0.1:8888"}
  - {bind: "127.0.2.2", ports: openstack, cloud: rennes}
local: paris
clouds:
  paris: {upstream: 127.0.1.1}
  rennes: {upstream: 127.0.1.2, region: West, services: [identity, image, compute, block-storage, barbican]}
"""
AUTH_URL = "http://127.0.2.2:5000/v3"
AUTHTOKEN = {
    "www_authenticate_uri": AUTH_URL,
    "auth_url": AUTH_URL,
    "service_token_roles": "service",
    "service_token_roles_required": "true",
}

TYPES = {
    "glance-api.conf": "image",
    "nova.conf": "compute",
    "cinder.conf": "block-storage",
    "barbican.conf": "key-manager",
}


@pytest.fixture
def config(tmp_path, capsys):
    path = tmp_path / "oidproxy.yaml"

    def run(*arguments, text=BESIDE):
        path.write_text(text)
        status = main(["cloud", "config", *arguments, "--config", str(path)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def told(config):
    status, output, _ = config("rennes", "--json")
    assert status == 0
    return json.loads(output)


def test_every_service_but_keystone_asks_the_proxy_who_a_token_is(told):
    assert set(told["files"]) == {"glance-api.conf", "nova.conf", "cinder.conf", "barbican.conf"}
    for file, sections in told["files"].items():
        listed = {"service_type": TYPES[file]}
        assert sections["keystone_authtoken"] == AUTHTOKEN | listed, file


def test_a_service_that_calls_others_does_so_by_the_proxy_and_in_its_own_region(told):
    compute = told["files"]["nova.conf"]
    assert compute["service_user"] == {"auth_url": AUTH_URL, "send_service_user_token": "true"}
    assert compute["neutron"] == compute["placement"] == {"auth_url": AUTH_URL, "region_name": "West"}
    assert compute["cinder"] == {"os_region_name": "West"}
    assert set(told["files"]["cinder.conf"]) == {"keystone_authtoken", "service_user", "nova"}
    assert set(told["files"]["glance-api.conf"]) == {"keystone_authtoken"}


def test_the_catalog_has_every_service_on_every_interface_at_the_listener(told):
    assert (told["cloud"], told["region"], told["auth_url"]) == ("rennes", "West", AUTH_URL)
    urls = {(one["type"], one["interface"]): one["url"] for one in told["endpoints"]}
    assert urls["identity", "internal"] == AUTH_URL
    assert urls["image", "public"] == "http://127.0.2.2:9292"
    assert urls["compute", "admin"] == "http://127.0.2.2:8774/v2.1"
    assert urls["block-storage", "public"] == "http://127.0.2.2:8776/v3/%(project_id)s"
    assert len(urls) == 3 * 5
    assert {one["region"] for one in told["endpoints"]} == {"West"}
    assert {one["name"] for one in told["endpoints"]} == {"keystone", "glance", "nova", "cinder", "barbican"}


def test_its_commands_are_one_word_an_argument_in_a_shell(told):
    (volumes,) = [
        one for one in told["endpoints"] if one["type"] == "block-storage" and one["interface"] == "public"
    ]
    find = "openstack endpoint list --service block-storage --interface public --region West -f value -c ID"
    assert shlex.split(volumes["set"]) == [
        "openstack",
        "endpoint",
        "set",
        "--url",
        volumes["url"],
        f"$({find})",
    ]
    assert shlex.split(volumes["create"])[-3:] == ["block-storage", "public", volumes["url"]]
    assert "'http://127.0.2.2:8776/v3/%(project_id)s'" in volumes["set"]


def test_the_text_says_the_same_as_the_json(config, told):
    status, text, _ = config("rennes")
    assert status == 0
    head, _, commands = text.partition("\n# The catalog of rennes\n")
    assert commands.splitlines() == [one["set"] for one in told["endpoints"]]
    _, *files = head.split("\n\n# ")
    assert {file.partition("\n")[0]: sections(file.partition("\n")[2]) for file in files} == told["files"]


def sections(text):
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_a_new_catalog_has_commands_of_its_own(config, told):
    _, text, _ = config("rennes", "--create")
    assert text.splitlines()[-len(told["endpoints"]) :] == [one["create"] for one in told["endpoints"]]


def test_a_listener_on_every_address_needs_the_name_by_which_services_reach_it(config):
    anywhere = BESIDE.replace('"127.0.2.2"', '"0.0.0.0"').replace("127.0.1.", "cloud.example")
    status, output, complaint = config("rennes", text=anywhere)
    assert (status, output) == (2, "")
    assert "--host" in complaint
    status, output, _ = config("rennes", "--host", "proxy.west", "--json", text=anywhere)
    assert (status, json.loads(output)["auth_url"]) == (0, "http://proxy.west:5000/v3")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("reness", "no cloud is called 'reness' (did you mean rennes?)"),
        ("paris", "no listener stands beside paris: add one with `cloud: paris` and `ports: openstack`"),
    ],
)
def test_a_cloud_that_nothing_stands_beside_is_refused(config, name, complaint):
    status, output, said = config(name)
    assert (status, output) == (2, "")
    assert said.strip() == f"oidproxy cloud: {complaint}"


def test_a_listener_without_identity_stands_beside_nothing(config):
    status, _, complaint = config("rennes", text=BESIDE.replace("ports: openstack", "ports: {image: 9292}"))
    assert status == 2
    assert "no listener stands beside rennes" in complaint

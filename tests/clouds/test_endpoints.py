"""Where a cloud's services are: given, on standard ports, learned, and which of them wins."""

from __future__ import annotations

import pytest

from oidproxy.clouds.catalog import CatalogEndpoint, CatalogService, Learned
from oidproxy.clouds.standard import CORE, PORTS

PROJECT = "3f2a9b1c3f2a9b1c3f2a9b1c3f2a9b1c"
CLOUDS_YAML = {"clouds.yaml": "clouds: {reader: {}}"}
ASKED = """clouds_yaml: clouds.yaml
clouds:
  one:
    auth_url: http://127.0.9.1:5000/v3
    credentials: reader
"""


def learner(**learned):
    """Answers every question with the same catalog."""

    def learn(clouds_yaml, asks, timeout):
        return {
            ask.cloud: Learned(**{"cloud": ask.cloud, "auth_url": ask.auth_url or "", **learned})
            for ask in asks
        }

    return learn


def service(service_type, url, *, interface="public", region="RegionOne", name=""):
    return CatalogService(service_type, name, [CatalogEndpoint(url, interface, region)])


def urls(registry, cloud="one"):
    return {
        kind: registry.endpoint(*key).catalog_url("P")
        for key in registry.index
        if (kind := key[1]) and key[0] == cloud
    }


def test_an_upstream_has_the_six_core_services_on_their_standard_ports(loaded):
    registry = loaded("clouds: {one: {upstream: 127.0.9.1}}").registry
    assert urls(registry) == {
        "identity": "http://127.0.9.1:5000/v3",
        "image": "http://127.0.9.1:9292",
        "compute": "http://127.0.9.1:8774/v2.1",
        "network": "http://127.0.9.1:9696",
        "placement": "http://127.0.9.1:8778",
        "block-storage": "http://127.0.9.1:8776/v3/P",
    }
    assert set(CORE) == set(urls(registry))
    assert {one.source for one in registry.clouds["one"].endpoints} == {"upstream"}
    assert registry.clouds["one"].auth_url == "http://127.0.9.1:5000/v3"


def test_an_upstream_may_have_other_services(loaded):
    registry = loaded("clouds: {one: {upstream: 127.0.9.1, services: [glance, swift, heat]}}").registry
    assert urls(registry) == {
        "identity": "http://127.0.9.1:5000/v3",
        "image": "http://127.0.9.1:9292",
        "object-store": "http://127.0.9.1:8080/v1/AUTH_P",
        "orchestration": "http://127.0.9.1:8004/v1/P",
    }


@pytest.mark.parametrize(
    ("keys", "image"),
    [
        ("upstream: 'https://a.example'", "https://a.example:9292"),
        ("upstream: a.example, auth_url: 'https://keystone.example/v3'", "https://a.example:9292"),
        ("upstream: 'http://a.example', auth_url: 'https://keystone.example/v3'", "http://a.example:9292"),
        ("upstream: '::1'", "http://[::1]:9292"),
    ],
)
def test_an_upstream_speaks_the_scheme_of_its_auth_url(keys, image, loaded):
    assert urls(loaded(f"clouds: {{one: {{{keys}}}}}").registry)["image"] == image


def test_what_is_given_beats_the_standard_ports(loaded):
    text = "clouds: {one: {upstream: 127.0.9.1, endpoints: {glance: 'http://127.0.9.1/image', dns: 'http://127.0.9.1:1'}}}"
    registry = loaded(text).registry
    assert urls(registry)["image"] == "http://127.0.9.1/image"
    assert urls(registry)["dns"] == "http://127.0.9.1:1"
    assert len(registry.clouds["one"].endpoints) == 7


def test_identity_is_at_the_auth_url_unless_it_is_given(loaded):
    text = "clouds: {{one: {{auth_url: 'http://a:5000/v3', endpoints: {{image: 'http://a'{}}}}}}}"
    assert urls(loaded(text.format("")).registry)["identity"] == "http://a:5000/v3"
    assert urls(loaded(text.format(", keystone: 'http://b/v3'")).registry)["identity"] == "http://b/v3"


def test_endpoints_may_differ_by_region_and_the_own_region_comes_first(loaded):
    text = "clouds: {one: {auth_url: 'http://a/v3', region: R2, endpoints: {image: {R1: 'http://r1', R2: 'http://r2'}}}}"
    registry = loaded(text).registry
    assert registry.endpoint("one", "image").origin.host == "r2"
    assert registry.endpoint("one", "image", "R1").origin.host == "r1"
    assert registry.endpoint("one", "image", "R3") is None
    assert registry.clouds["one"].regions == ("R2", "R1")


def test_a_service_of_ones_own_is_served_with_a_warning(loaded):
    result = loaded(
        "clouds: {one: {auth_url: 'http://a/v3', endpoints: {imgae: 'http://a', x-y: 'http://a'}}}"
    )
    assert urls(result.registry).keys() == {"identity", "imgae", "x-y"}
    assert [str(notice).partition(": ")[2] for notice in result.notices] == [
        "the service types authority has no 'imgae'; it is served under this name (did you mean image?)",
        "the service types authority has no 'x-y'; it is served under this name",
    ]


def test_a_catalog_is_learned_with_its_interfaces_and_project_ids(loaded):
    catalog = [
        service("identity", "http://127.0.9.9:5000/v3"),
        service("image", "http://127.0.9.1:9292", name="glance"),
        service("volumev3", f"http://127.0.9.1:8776/v3/{PROJECT}", name="cinderv3"),
        service("compute", "http://10.0.0.1:8774/v2.1", interface="internal"),
        service("object-store", f"http://127.0.9.1/swift/v1/AUTH_{PROJECT}"),
    ]
    registry = loaded(ASKED, CLOUDS_YAML, learn=learner(project_id=PROJECT, catalog=catalog)).registry
    assert urls(registry) == {
        "identity": "http://127.0.9.1:5000/v3",
        "image": "http://127.0.9.1:9292",
        "block-storage": "http://127.0.9.1:8776/v3/P",
        "object-store": "http://127.0.9.1/swift/v1/AUTH_P",
    }
    image, volume = registry.endpoint("one", "image"), registry.endpoint("one", "block-storage")
    assert (image.source, image.catalog_name, volume.catalog_type) == ("learned", "glance", "volumev3")
    internal = [one for one in registry.clouds["one"].endpoints if one.interface == "internal"]
    assert [(one.service_type, one.origin.host) for one in internal] == [("compute", "10.0.0.1")]
    assert PROJECT not in repr(registry)


def test_a_project_id_is_taken_out_of_the_path_alone(loaded):
    catalog = [service("image", "http://demo.example:1/demo/v2/demo/demonstration/x-demo")]
    registry = loaded(ASKED, CLOUDS_YAML, learn=learner(project_id="demo", catalog=catalog)).registry
    image = registry.endpoint("one", "image")
    assert image.origin.host == "demo.example"
    assert (image.root, image.suffix) == (
        "",
        "/%(project_id)s/v2/%(project_id)s/demonstration/x-%(project_id)s",
    )


def test_what_is_given_beats_what_is_learned_in_its_region(loaded):
    catalog = [
        service("image", "http://learned:1"),
        service("image", "http://learned:2", region="R2"),
        service("image", "http://learned:3", interface="admin"),
        service("network", "http://learned:4"),
    ]
    text = ASKED + "    region: RegionOne\n    endpoints: {image: 'http://given:1'}\n"
    registry = loaded(text, CLOUDS_YAML, learn=learner(catalog=catalog)).registry
    assert [str(one.origin) for one in registry.index["one", "image"]] == [
        "http://given:1",
        "http://learned:2",
    ]
    assert str(registry.endpoint("one", "network").origin) == "http://learned:4"
    assert [one.origin.port for one in registry.clouds["one"].endpoints if one.interface == "admin"] == [3]


def test_of_two_versions_the_higher_comes_first_and_both_are_kept(loaded):
    catalog = [
        service("volumev2", "http://a:1/v2/x"),
        service("volumev3", "http://a:1/v3/x"),
        service("volume", "http://a:1/v1"),
    ]
    registry = loaded(ASKED, CLOUDS_YAML, learn=learner(catalog=catalog)).registry
    assert [one.catalog_type for one in registry.index["one", "block-storage"]] == [
        "volumev3",
        "volumev2",
        "volume",
    ]


@pytest.mark.parametrize(
    ("declared", "entry", "catalog_regions", "expected"),
    [
        ("R3", "R2", ["R1"], "R3"),
        (None, "R2", ["R1", "R2"], "R2"),
        (None, "", ["R5", "R1"], "R5"),
        (None, "", [], "RegionOne"),
    ],
)
def test_the_region_is_declared_or_the_entrys_or_the_catalogs_first(
    declared, entry, catalog_regions, expected, loaded
):
    text = ASKED + (f"    region: {declared}\n" if declared else "")
    catalog = [service("image", "http://a", region=region) for region in catalog_regions]
    result = loaded(text, CLOUDS_YAML, learn=learner(region=entry, catalog=catalog))
    assert result.registry.clouds["one"].region == expected
    warned = ["one: its catalog has no region 'R3'; it has R1"] if declared else []
    assert [notice.message for notice in result.notices] == warned


def test_a_catalog_entry_that_cannot_be_used_is_left_out_with_a_warning(loaded):
    catalog = [
        service("image", "http://a"),
        service("dns", "designate.example"),
        service("x", "http://a/%(user_id)s"),
    ]
    result = loaded(ASKED, CLOUDS_YAML, learn=learner(catalog=catalog))
    assert urls(result.registry).keys() == {"identity", "image"}
    assert [notice.message.partition(" cannot")[0] for notice in result.notices] == [
        "one: the catalog's dns 'designate.example'",
        "one: the catalog's x 'http://a/%(user_id)s'",
    ]


def test_a_cloud_that_did_not_answer_is_there_without_its_services(loaded):
    result = loaded(ASKED, CLOUDS_YAML, learn=learner(error="it is asleep"))
    assert urls(result.registry) == {"identity": "http://127.0.9.1:5000/v3"}
    assert result.registry.clouds["one"].unlearned == "it is asleep"
    assert [str(notice).partition("oidproxy.yaml:")[2] for notice in result.unlearned] == [
        "3:3: one: its endpoints could not be learned: it is asleep"
    ]


def test_a_cloud_that_did_not_answer_keeps_what_it_said_before(loaded):
    before = loaded(
        ASKED, CLOUDS_YAML, learn=learner(region="R9", catalog=[service("image", "http://a", region="R9")])
    )
    result = loaded(ASKED, CLOUDS_YAML, learn=learner(error="it is asleep"), previous=before.registry)
    assert result.registry.clouds["one"] == before.registry.clouds["one"]
    assert result.registry.index == before.registry.index
    assert [notice.message for notice in result.unlearned] == [
        "one: its endpoints could not be learned: it is asleep; those of before are kept"
    ]


def test_another_keystone_inherits_nothing(loaded):
    before = loaded(ASKED, CLOUDS_YAML, learn=learner(catalog=[service("image", "http://a")]))
    moved = ASKED.replace("127.0.9.1", "127.0.9.2")
    result = loaded(moved, CLOUDS_YAML, learn=learner(error="it is asleep"), previous=before.registry)
    assert urls(result.registry) == {"identity": "http://127.0.9.2:5000/v3"}


def test_nobody_is_asked_for_a_file_that_is_wrong(errors):
    def learn(*_):
        raise AssertionError("asked")

    assert errors(ASKED + "store: x\n", CLOUDS_YAML, learn=learn)


def test_nobody_is_asked_where_everything_is_declared(loaded):
    def learn(*_):
        raise AssertionError("asked")

    text = "clouds_yaml: clouds.yaml\nclouds: {one: {upstream: 127.0.9.1, credentials: reader}}"
    assert loaded(text, CLOUDS_YAML, learn=learn).registry.clouds.keys() == {"one"}


def test_entries_of_clouds_yaml_become_clouds_unless_they_are_used(loaded):
    asked = []

    def learn(clouds_yaml, asks, timeout):
        asked.extend((ask.cloud, ask.entry) for ask in asks)
        return {ask.cloud: Learned(ask.cloud, auth_url=f"http://{ask.entry}/v3") for ask in asks}

    text = (
        "clouds_yaml: clouds.yaml\nlocal: one\nclouds:\n  one: {upstream: 127.0.9.1, groups: [g]}\n"
        "  lyon: {groups: [g]}\n  two: {auth_url: 'http://two/v3', credentials: reader}\n"
    )
    files = {
        "clouds.yaml": "clouds: {nice: {}, reader: {}, lyon: {}}",
        "secure.yaml": "clouds: {brest: {}, lyon: {}}",
    }
    registry = loaded(text, files, learn=learn).registry
    assert asked == [("lyon", "lyon"), ("two", "reader"), ("nice", "nice"), ("brest", "brest")]
    assert list(registry.clouds) == ["one", "lyon", "two", "nice", "brest"]
    assert registry.clouds["brest"].auth_url == "http://brest/v3"
    assert registry.groups == {"g": ("one", "lyon")}


@pytest.mark.parametrize("port", [8888, 9292])
def test_an_endpoint_that_is_our_own_listener_is_an_error_that_names_the_service(port, errors):
    text = f"listeners: [{{bind: '127.0.8.1:{port}'}}]\n" + ASKED
    catalog = [service("image", f"http://127.0.8.1:{port}/image")]
    assert errors(text, CLOUDS_YAML, learn=learner(catalog=catalog)) == [
        (
            f"oidproxy.yaml:4:3: the learned image endpoint of one, http://127.0.8.1:{port}/image, "
            "is one of our own listeners"
        )
    ]


def test_a_port_of_a_listener_beside_a_cloud_is_ours_too(errors):
    text = (
        "listeners: [{bind: 127.0.8.1, ports: openstack}]\n"
        "clouds: {one: {upstream: 127.0.8.1, services: [nova]}}"
    )
    assert errors(text) == [
        f"oidproxy.yaml:2:10: the upstream {service} endpoint of one, http://127.0.8.1:{port}, "
        "is one of our own listeners"
        for service, port in (("identity", 5000), ("compute", 8774))
    ]


def test_a_listener_on_every_address_has_every_address_of_this_machine(errors, loaded):
    text = (
        "listeners: [{{bind: '0.0.0.0:9292'}}]\n"
        "clouds: {{one: {{auth_url: 'http://a/v3', endpoints: {{image: '{}'}}}}}}"
    )
    assert len(errors(text.format("http://127.0.8.3:9292"))) == 1
    # TEST-NET-1 is no machine's (RFC 5737).
    assert loaded(text.format("http://192.0.2.1:9292")).registry
    assert loaded(text.format("http://127.0.8.3:9293")).registry


def test_the_name_of_a_learned_endpoint_is_resolved(errors):
    text = "listeners: [{bind: '127.0.0.1:9292'}]\n" + ASKED
    found = errors(text, CLOUDS_YAML, learn=learner(catalog=[service("image", "http://localhost:9292")]))
    assert len(found) == 1
    assert "image" in found[0]


def test_no_standard_port_stands_twice():
    assert len(set(PORTS.values())) == len(PORTS)


def test_an_insecure_cloud_is_announced_loudly(loaded):
    declared = loaded("clouds: {one: {upstream: 127.0.9.1, insecure: true}}")
    assert [notice.message for notice in declared.notices] == [
        "one: INSECURE, its certificates are not verified"
    ]
    by_entry = loaded(ASKED, CLOUDS_YAML, learn=learner(insecure=True))
    assert by_entry.registry.clouds["one"].insecure
    assert [notice.message for notice in by_entry.notices] == [notice.message for notice in declared.notices]
    overruled = loaded(ASKED + "    insecure: false\n", CLOUDS_YAML, learn=learner(insecure=True))
    assert not overruled.registry.clouds["one"].insecure

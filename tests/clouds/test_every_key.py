"""Every key of a configuration lands in the registry, and every key is documented."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import pytest

from oidproxy.clouds.catalog import Learned
from oidproxy.clouds.config import Config
from oidproxy.clouds.limits import Limits
from oidproxy.clouds.loading.entries import Entry
from oidproxy.clouds.registry import Admin, Admission, Endpoint, Listener, Origin, Record, ServiceAccount
from oidproxy.clouds.standard import PORTS, STANDARD
from oidproxy.scope.parse import parse

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

SAMPLE = """
listeners:
  - {bind: "127.0.0.1:8888"}
  - {bind: "127.0.2.1", ports: openstack, cloud: cloud-1, scope: "image:cloud-999"}
  - {bind: "[::1]:9000", ports: {glance: 9292, dns: 9001}, cloud: cloud-1}
admin: {bind: "127.0.0.1:8889", token: "${file:admin.token}"}
local: cloud-1
require_scope: true
fleet_keys: ["${file:new.key}", "${env:OLD_KEY}"]
foreign_calls: [dns, glance-download]
clouds:
  cloud-1:   {auth_url: "http://127.0.1.1:5000/v3", upstream: 127.0.1.1, region: RegionOne, groups: [fr, edge]}
  cloud-999:
    auth_url: "https://127.0.1.2:5000/identity/v3"
    region: Lab
    endpoints:
      image: "https://127.0.1.2:9292"
      volumev3: {Lab: "https://127.0.1.2:8776/v3/%(tenant_id)s", Other: "https://127.0.1.3:8776/v3/%(tenant_id)s"}
    credentials: cloud-999-reader
    insecure: true
    groups: [fr]
    admits:
      cloud-1:
        roles: [member, reader]
        map: {operator: reader}
        projects: [3f2a, 0012]
        read_only: true
        services: [{user: nova, project: service}, {user: cinder, project: services, domain: Service Users}]
    exchange: [mapped, carried]
    mapped: {cloud-1: {3f2a: cloud-999-mapped}}
    service_accounts: {cloud-1: cloud-1-service}
    shares: {cloud-1: [neutron, placement]}
clouds_yaml: clouds.yaml
rtt: {default_delay: 10ms, default_rate: 1gbit, constraints: [{src: cloud-1, dst: cloud-999, delay: 4ms, symmetric: true}]}
store: "sqlite:///var/lib/oidproxy/state.db"
record: {folder: /var/lib/oidproxy/traces, on: true, bodies: true, size: 2GiB, file: 16MiB}
scope: "image:cloud-1"
limits: {connect: 250ms, field: 8KiB, pool: 32, retry_share: 10%}
trusted_proxies: [127.0.0.0/8, "::1"]
"""  # noqa: E501

FILES = {
    "admin.token": "opensesame\n",
    "new.key": bytes(range(150, 214)),
    "clouds.yaml": "clouds: {cloud-999-reader: {}, cloud-999-mapped: {}, cloud-1-service: {}}",
}
MAPPED = {"application_credential_id": "ac", "application_credential_secret": "xyzzy"}
SERVICE = {
    "username": "nova",
    "user_domain_name": "Default",
    "password": "hunter2",
    "project_name": "service",
    "project_domain_id": "default",
}
OLD_KEY = "ab" * 64


def nobody(clouds_yaml, asks, timeout):
    return {ask.cloud: Learned(ask.cloud, error="not asked") for ask in asks}


def entries(clouds_yaml, names):
    known = {
        "cloud-999-mapped": Entry("cloud-999-mapped", "v3applicationcredential", MAPPED),
        "cloud-1-service": Entry("cloud-1-service", "password", SERVICE),
    }
    assert list(names) == ["cloud-1-service", "cloud-999-mapped"]
    return known


@pytest.fixture
def sample(loaded):
    return loaded(SAMPLE, FILES, environ={"OLD_KEY": OLD_KEY}, learn=nobody, read_entries=entries).registry


def test_listeners(sample):
    gateway, beside, both = sample.listeners
    assert gateway == Listener("127.0.0.1", 8888)
    assert beside == Listener("127.0.2.1", None, PORTS, "cloud-1", parse("image:cloud-999"))
    assert both == Listener("::1", 9000, {"image": 9292, "dns": 9001}, "cloud-1")


def test_admin(sample):
    assert sample.admin == Admin("127.0.0.1", 8889, "opensesame")


def test_secrets_are_in_no_repr(sample):
    assert "opensesame" not in repr(sample)
    assert "xab" not in repr(sample)


def test_scalars(sample):
    assert (sample.local, sample.require_scope) == ("cloud-1", True)
    assert sample.store == "/var/lib/oidproxy/state.db"
    assert sample.trusted_proxies == ("127.0.0.0/8", "::1/128")
    assert sample.scope == parse("image:cloud-1")


def test_recordings(sample):
    assert sample.record == Record("/var/lib/oidproxy/traces", True, True, 2 << 30, 16 << 20)


def test_fleet_keys(sample):
    assert sample.fleet_keys == (FILES["new.key"], bytes.fromhex(OLD_KEY))


def test_foreign_calls(sample):
    assert sample.foreign_calls == {"dns", "glance-download"}


def test_limits(sample):
    assert sample.limits == dataclasses.replace(Limits(), connect=0.25, field=8192, pool=32, retry_share=0.1)


def test_round_trips(sample):
    assert sample.round_trip_us("cloud-1", "cloud-999") == 8_000
    assert sample.rtt.default_us == 10_000


def test_groups_are_in_the_order_declared(sample):
    assert dict(sample.groups) == {"fr": ("cloud-1", "cloud-999"), "edge": ("cloud-1",)}
    assert list(sample.clouds) == ["cloud-1", "cloud-999"]
    assert [cloud.position for cloud in sample.clouds.values()] == [0, 1]


def test_what_a_cloud_declares(sample):
    cloud = sample.clouds["cloud-999"]
    assert (cloud.auth_url, cloud.region, cloud.insecure) == (
        "https://127.0.1.2:5000/identity/v3",
        "Lab",
        True,
    )
    assert cloud.admits == {
        "cloud-1": Admission(
            roles=frozenset({"member", "reader"}),
            map={"operator": "reader"},
            projects={"3f2a": "3f2a", "0012": "0012"},
            read_only=True,
            services=(
                ServiceAccount("nova", "service", "Default"),
                ServiceAccount("cinder", "services", "Service Users"),
            ),
        )
    }
    assert cloud.exchange == ("mapped", "carried")
    assert cloud.direct
    assert cloud.mapped == {"cloud-1": {"3f2a": ("cloud-999-mapped",)}}
    assert cloud.service_accounts == {"cloud-1": "cloud-1-service"}
    assert cloud.shares == {"cloud-1": frozenset({"network", "placement"})}
    assert cloud.unlearned == "not asked"


def test_credentials(sample):
    told = {name: json.loads(found.body)["auth"] for name, found in sample.credentials.items()}
    assert told == {
        "cloud-999-mapped": {
            "identity": {
                "methods": ["application_credential"],
                "application_credential": {"id": "ac", "secret": "xyzzy"},
            }
        },
        "cloud-1-service": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "nova", "domain": {"name": "Default"}, "password": "hunter2"}},
            },
            "scope": {"project": {"name": "service", "domain": {"id": "default"}}},
        },
    }


def test_endpoints(sample):
    host = Origin("https", "127.0.1.2", 5000)
    assert sample.endpoint("cloud-999", "identity") == Endpoint(
        "cloud-999", "identity", host, "/identity", "/v3", "Lab"
    )
    volume = sample.endpoint("cloud-999", "block-storage", "Other")
    assert volume is not None
    assert (volume.origin.host, volume.suffix, volume.catalog_type) == (
        "127.0.1.3",
        "/v3/%(project_id)s",
        "volumev3",
    )
    assert sample.endpoint("cloud-999", "block-storage").region == "Lab"
    assert sample.endpoint("cloud-999", "compute") is None
    assert sample.endpoint("cloud-1", "compute").source == "upstream"
    assert sample.service_types == {"identity", "image", "compute", "network", "placement", "block-storage"}


def test_the_registry_cannot_be_changed(sample):
    for mapping in (sample.clouds, sample.groups, sample.index, sample.clouds["cloud-999"].admits, PORTS):
        with pytest.raises(TypeError):
            mapping["x"] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.local = "x"


def test_a_minimal_configuration_has_one_gateway(loaded):
    registry = loaded("clouds: {only: {upstream: 127.0.9.1}}").registry
    assert registry.local == "only"
    assert registry.listeners == (Listener("127.0.0.1", 8888),)
    assert registry.admin is None
    assert registry.limits == Limits()


def keys_of(struct: type[msgspec.Struct], prefix: str = ""):
    """Every key that may be written, with its path as the documentation spells it."""
    for field in msgspec.structs.fields(struct):
        name = prefix + field.encode_name
        yield name
        yield from inner_keys(msgspec.inspect.type_info(field.type), name)


def inner_keys(shape, name):
    match shape:
        case msgspec.inspect.StructType():
            yield from keys_of(shape.cls, f"{name}.")
        case msgspec.inspect.ListType():
            yield from inner_keys(shape.item_type, name)
        case msgspec.inspect.DictType():
            yield from inner_keys(shape.value_type, f"{name}.<name>")
        case msgspec.inspect.UnionType():
            for member in shape.types:
                yield from inner_keys(member, name)


KEYS = sorted({*keys_of(Config), *(f"limits.{field.name}" for field in dataclasses.fields(Limits))})


def test_the_list_of_keys_is_not_empty_by_mistake():
    assert {"clouds.<name>.admits.<name>.services.user", "rtt.except", "listeners.tls.key"} <= set(KEYS)
    assert len(KEYS) > 90


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented_in_a_row_of_its_own(key):
    assert re.search(rf"^\| `{re.escape(key)}` \| \S", PAGE.read_text(), re.MULTILINE)


def test_no_key_is_documented_that_does_not_exist():
    rows = re.findall(r"^\| `([a-z][a-z_.<>]*)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(rows) <= {*KEYS, *STANDARD}


@pytest.mark.parametrize("field", dataclasses.fields(Limits), ids=lambda field: field.name)
def test_every_default_of_a_limit_is_documented(field):
    row = re.search(rf"^\| `limits\.{field.name}` \| .* \| (\S+) \|$", PAGE.read_text(), re.MULTILINE)
    assert row
    from oidproxy.clouds.overrides import reader_of

    assert reader_of(field.name)(row[1]) == field.default


@pytest.mark.parametrize("service", STANDARD)
def test_every_standard_port_is_documented(service):
    assert f"| `{service}` | {STANDARD[service].port} |" in PAGE.read_text()


def test_the_examples_of_the_documentation_can_be_read(loaded):
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    whole = [text for text in examples if text.startswith("# oidproxy.yaml")]
    assert len(whole) >= 2
    for text in whole:
        files = {"clouds.yaml": "clouds: {rennes-reader: {}}", "admin.token": "x", "fleet.key": "ab" * 64}
        assert loaded(text, files, learn=nobody).registry.clouds

"""What the DevStack plugin works out: settings that fit or do not, configurations, changes of a catalog."""

from __future__ import annotations

import io
import json
import sys

import pytest
import yaml

from devstack import beside

SETTINGS = {
    "cloud": "a",
    "clouds": "a=10.0.0.1,RegionOne b=10.0.0.2,Edge",
    "region": "RegionOne",
    "service-host": "10.0.0.1",
    "host": "10.0.0.1",
    "listen": "10.0.0.1",
    "services": "identity image block-storage",
    "fleet-key-file": "/etc/oidproxy/fleet.key",
    "admits": "b=a",
    "admit-roles": "member,reader",
    "admit-services": "nova",
    "service-project": "service",
    "service-domain": "Default",
    "port-offset": "20000",
    "admin-port": "28887",
}
CATALOG = [
    ("identity", "http://10.0.0.1/identity"),
    ("image", "http://10.0.0.1/image"),
    ("volumev3", "http://10.0.0.1/volume/v3/$(tenant_id)s"),
    ("metering", "http://10.0.0.1/metering"),
]


def row(kind, url, **more):
    shown = {"ID": f"{kind} id", "Region": "RegionOne", "Service Type": kind, "Enabled": True}
    return shown | {"Interface": "public", "URL": url} | more


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs one command with a catalog on its standard input: its status, output and errors."""

    def command(name, *words, catalog=(), **settings):
        changed = {key.replace("_", "-"): value for key, value in settings.items()}
        options = [f"--{key}={value}" for key, value in (SETTINGS | changed).items()]
        given = options if name in {"check", "configuration"} else []
        monkeypatch.setattr(sys, "argv", ["beside.py", name, *given, *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(list(catalog))))
        return beside.main(), *capsys.readouterr()

    return command


@pytest.fixture
def configured(run, tmp_path):
    """Runs `configuration`; the file that it remembers the catalog in is `memory`."""

    def command(*, catalog=None, **settings):
        rows = [row(*one) for one in CATALOG] if catalog is None else catalog
        return run("configuration", "--remember", tmp_path / "memory", catalog=rows, **settings)

    return command


def test_settings_that_fit_are_met_with_silence(run):
    assert run("check") == (0, "", "")


BAD = [
    ({"clouds": "a=10.0.0.1"}, "expected name=host,region, got 'a=10.0.0.1'"),
    ({"clouds": "a=http://10.0.0.1,RegionOne"}, "expected name=host,region"),
    ({"clouds": "a=10.0.0.1,$(reboot)"}, "expected name=host,region"),
    ({"clouds": "a=10.0.0.1,RegionOne a=10.0.0.1,RegionOne"}, "names a twice"),
    ({"cloud": "c"}, "OIDPROXY_CLOUD is 'c'"),
    ({"region": "Edge"}, "has RegionOne for a, but REGION_NAME here is Edge"),
    ({"service-host": "10.0.0.9"}, "has 10.0.0.1 for a, but SERVICE_HOST here is 10.0.0.9"),
    ({"admits": "a"}, "expected cloud=home,home once for each cloud, got 'a'"),
    ({"admits": "a=b a=b"}, "once for each cloud"),
    ({"admits": "c=a"}, "'c' is not one of OIDPROXY_CLOUDS"),
    ({"admits": "a=b,c"}, "'c' is not one of OIDPROXY_CLOUDS"),
    ({"admits": "a=a"}, "admits its own users anyway"),
    ({"port-offset": "-1"}, "OIDPROXY_PORT_OFFSET is -1"),
    ({"port-offset": "50000"}, "OIDPROXY_PORT_OFFSET is 50000"),
    ({"services": "image"}, "OIDPROXY_SERVICES has to name identity"),
]


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_settings_that_do_not_fit_are_said_where_the_plugin_hears_it(run, settings, message):
    status, output, errors = run("check", **settings)
    assert (status, errors) == (2, "")
    assert message in output


def test_every_cloud_is_laid_out_as_this_one(configured, tmp_path):
    status, output, _ = configured()
    assert status == 0
    assert yaml.safe_load(output) == {
        "listeners": [
            {
                "bind": "10.0.0.1",
                "cloud": "a",
                "ports": {"identity": 25000, "image": 29292, "block-storage": 28776},
            }
        ],
        "admin": {"bind": "127.0.0.1:28887"},
        "local": "a",
        "fleet_keys": ["${file:/etc/oidproxy/fleet.key}"],
        "clouds": {
            "a": {
                "auth_url": "http://10.0.0.1/identity/v3",
                "region": "RegionOne",
                "endpoints": {
                    "image": "http://10.0.0.1/image",
                    "block-storage": "http://10.0.0.1/volume/v3/%(project_id)s",
                },
            },
            "b": {
                "auth_url": "http://10.0.0.2/identity/v3",
                "region": "Edge",
                "endpoints": {
                    "image": "http://10.0.0.2/image",
                    "block-storage": "http://10.0.0.2/volume/v3/%(project_id)s",
                },
                "admits": {
                    "a": {
                        "roles": ["member", "reader"],
                        "services": [{"user": "nova", "project": "service", "domain": "Default"}],
                    }
                },
            },
        },
    }
    memory = json.loads((tmp_path / "memory").read_text())
    assert memory["block-storage"] == "http://10.0.0.1/volume/v3/$(tenant_id)s"


def test_what_is_remembered_stands_for_addresses_of_the_proxy(configured):
    _, first, _ = configured()
    moved = [row("identity", "http://10.0.0.1:25000/v3"), row("image", "http://10.0.0.1:29292")]
    status, second, _ = configured(catalog=[*moved, row(*CATALOG[2])])
    assert status == 0
    assert second == first


def test_the_proxy_s_addresses_without_a_memory_are_an_error(configured):
    catalog = [row(*CATALOG[0]), row("image", "http://10.0.0.1:29292")]
    status, _, errors = configured(catalog=catalog)
    assert status == 2
    assert "has http://10.0.0.1:29292 for image, which is the proxy" in errors


def test_an_address_of_its_own_takes_the_standard_ports(configured):
    _, output, _ = configured(host="10.0.1.1", listen="10.0.1.1", port_offset="0")
    (listener,) = yaml.safe_load(output)["listeners"]
    assert (listener["bind"], listener["ports"]["identity"]) == ("10.0.1.1", 5000)


def test_nobody_is_admitted_unless_it_is_said(configured):
    _, output, _ = configured(admits="")
    assert not [cloud for cloud in yaml.safe_load(output)["clouds"].values() if "admits" in cloud]


def test_the_official_name_of_a_service_wins_over_its_aliases(configured):
    catalog = [row("block-storage", "http://10.0.0.1/volume/v3"), row("volumev3", "http://10.0.0.1/old/v3")]
    _, output, _ = configured(catalog=[row(*CATALOG[0]), *catalog])
    endpoints = yaml.safe_load(output)["clouds"]["a"]["endpoints"]
    assert endpoints == {"block-storage": "http://10.0.0.1/volume/v3"}


@pytest.mark.parametrize(
    "other",
    [{"Region": "Edge"}, {"Interface": "internal"}, {"Enabled": False}],
    ids=lambda other: next(iter(other)),
)
def test_only_public_endpoints_of_the_region_count(configured, other):
    status, _, errors = configured(catalog=[row(*CATALOG[0], **other)])
    assert status == 2
    assert "no public endpoint of identity in region RegionOne" in errors


def test_a_service_without_a_standard_port_is_named(configured):
    status, _, errors = configured(services="identity weather")
    assert status == 2
    assert "no standard port is known of weather" in errors


def test_a_service_on_another_host_cannot_be_guessed_for_the_other_clouds(configured):
    catalog = [row(*CATALOG[0]), row("image", "http://10.0.0.7/image")]
    status, _, errors = configured(catalog=catalog)
    assert status == 2
    assert "image of a is at http://10.0.0.7/image, not on SERVICE_HOST (10.0.0.1)" in errors


@pytest.fixture
def changes(run, tmp_path):
    """Runs `changes`; the proxy has identity and volumes."""
    urls = {"identity": "http://p:25000/v3", "block-storage": "http://p:28776/v3/%(project_id)s"}
    interfaces = [(kind, where, url) for kind, url in urls.items() for where in ("public", "admin")]
    endpoints = [dict(zip(("type", "interface", "url"), one, strict=True)) for one in interfaces]
    (tmp_path / "told").write_text(json.dumps({"files": {}, "endpoints": endpoints}))
    (tmp_path / "memory").write_text(json.dumps({"identity": CATALOG[0][1], "block-storage": CATALOG[2][1]}))
    arguments = ("--told", tmp_path / "told", "--remember", tmp_path / "memory", "--region", "RegionOne")

    def command(catalog, *words):
        status, output, errors = run("changes", *arguments, *words, catalog=catalog)
        return status, [tuple(line.split("\t")) for line in output.splitlines()], errors

    return command


def test_whatever_names_a_service_names_the_proxy_and_identity_does_so_last(changes):
    volumes = CATALOG[2][1]
    catalog = [
        row("identity", "http://10.0.0.1/identity/"),
        row("identity", CATALOG[0][1], Interface="admin", ID="admin"),
        row("volumev3", volumes),
        row("block-storage", volumes.replace("$", "%")),
        row("volumev2", volumes.replace("v3", "v2")),
        row("volumev3", volumes, Region="Edge", ID="elsewhere"),
        row("image", "http://10.0.0.1/image"),
    ]
    proxy = "http://p:28776/v3/%(project_id)s"
    assert changes(catalog) == (
        0,
        [
            ("volumev3 id", proxy),
            ("block-storage id", proxy),
            ("identity id", "http://p:25000/v3"),
            ("admin", "http://p:25000/v3"),
        ],
        "",
    )


def test_back_is_the_other_way(changes):
    catalog = [row("identity", "http://p:25000/v3"), row("volumev3", "http://p:28776/v3/$(project_id)s")]
    assert changes(catalog, "--back")[1] == [
        ("volumev3 id", CATALOG[2][1]),
        ("identity id", CATALOG[0][1]),
    ]
    assert changes([row(*one) for one in CATALOG], "--back") == (0, [], "")


def test_an_endpoint_that_went_is_an_error(changes):
    status, changed, errors = changes([row(*CATALOG[0])])
    assert (status, changed) == (2, [])
    assert "neither http://10.0.0.1/volume/v3/" in errors

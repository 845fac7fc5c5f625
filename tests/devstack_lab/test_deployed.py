"""The lab's proxies have the configurations of deploy/, but for addresses, clouds and projects."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from devstack.lab import deployed, mapped
from devstack.lab.layout import Lab
from devstack.lab.proxy import Proxy

MAPPED = {"edge-2": {"edge-1": {"0" * 32: "edge-2-for-demo"}}}


def checked(file):
    """`oidproxy config check`, which asks nobody."""
    command = [sys.executable, "-m", "oidproxy", "config", "check", "--offline", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def accounts(lab, edges):
    """The gateway's clouds.yaml."""
    mapped.write(lab, edges[1], {"edge-2-for-demo": mapped.Credential("0" * 32, "secret")})


def test_beside_two_clouds_at_the_usual_addresses_it_is_the_operators_own(tmp_path):
    usual = Lab(tmp_path, "127.0")
    assert deployed.beside(usual, usual.clouds(2)) == yaml.safe_load(deployed.BESIDE.read_text())


def test_elsewhere_nothing_but_addresses_differs(lab):
    text = yaml.safe_dump(deployed.beside(lab, lab.clouds(2)))
    usual = replace(lab, network="127.0")
    assert "127.0." not in text
    assert text.replace("127.77.", "127.0.") == yaml.safe_dump(deployed.beside(usual, usual.clouds(2)))


def test_a_third_cloud_is_like_the_second(lab):
    clouds = deployed.beside(lab, lab.clouds(3))["clouds"]
    assert clouds["cloud-3"]["admits"]["cloud-1"] == clouds["cloud-999"]["admits"]["cloud-1"]
    assert set(clouds["cloud-3"]["admits"]) == {"cloud-1", "cloud-999"}
    assert set(clouds["cloud-1"]["admits"]) == {"cloud-999", "cloud-3"}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_proxy_can_use_it_for_any_number_of_clouds(lab, count):
    Proxy(lab).configure(deployed.beside(lab, lab.clouds(count)))
    done = checked(lab.config)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{count} cloud" in done.stdout


def test_in_front_of_clouds_left_as_they_were_only_regions_and_projects_differ(lab):
    usual = replace(lab, network="127.0")
    settings = deployed.gateway(usual, usual.edges(), MAPPED)
    known = yaml.safe_load(deployed.GATEWAY.read_text())
    assert settings["clouds"]["edge-2"].pop("mapped") == MAPPED["edge-2"]
    assert set(known["clouds"]["edge-2"].pop("mapped")) == {"edge-1"}
    for place in usual.edges():
        assert settings["clouds"][place.name].pop("region") == place.region
        known["clouds"][place.name].pop("region")
    assert settings == known


def test_a_proxy_can_use_that_too(lab, edges, accounts):
    Proxy(lab, edge=True).configure(deployed.gateway(lab, edges, MAPPED))
    done = checked(lab.edge_config)
    assert done.returncode == 0, done.stderr
    assert "3 clouds" in done.stdout


def test_the_proxies_have_no_secret_in_common_and_none_that_others_can_read(lab):
    Proxy(lab).configure(deployed.beside(lab, lab.clouds(2)))
    Proxy(lab, edge=True).configure(deployed.gateway(lab, lab.edges(), MAPPED))
    for name in ("fleet.key", "admin.token"):
        files = [folder / name for folder in (lab.state, lab.edge_folder)]
        assert len({file.read_text() for file in files}) == 2
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_nobody_else_can_read_the_gateways_credentials(lab, accounts):
    for name in ("clouds.yaml", "secure.yaml"):
        assert (lab.edge_folder / name).stat().st_mode & 0o777 == 0o600
    assert "secret" not in (lab.edge_folder / "clouds.yaml").read_text()


def test_an_unchanged_configuration_is_not_written_again(lab):
    proxy = Proxy(lab)
    proxy.configure(deployed.beside(lab, lab.clouds(2)))
    before = lab.config.stat()
    proxy.configure(deployed.beside(lab, lab.clouds(2)))
    assert lab.config.stat() == before

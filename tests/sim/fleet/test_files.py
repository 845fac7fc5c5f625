"""The files of a fleet: a configuration that the proxy takes as it is, and clouds.yaml; and its addresses."""

from __future__ import annotations

import stat

import pytest
import yaml

from oidproxy.clouds.loading.load import load
from oidproxy.errors import ConfigError
from oidproxy.sim.fleet import files
from oidproxy.sim.fleet.settings import FleetSettings


@pytest.fixture
def settings(tmp_path):
    return FleetSettings(300, tmp_path, "secret", network="127.40", gateway="127.0.0.1:8899", homes=2)


def test_the_proxy_takes_the_configuration_as_it_is(settings, tmp_path):
    files.write(settings)
    registry = load(tmp_path / "oidproxy.yaml")
    assert tuple(registry.clouds) == settings.names
    assert registry.local == "cloud-1"
    assert len(registry.listeners) == 301
    assert registry.listeners[300].cloud == "cloud-300"
    assert registry.listeners[300].host == settings.cloud(300).proxy == "127.41.1.50"
    assert set(registry.clouds["cloud-300"].admits) == {"cloud-1", "cloud-2"}
    assert set(registry.clouds["cloud-1"].admits) == {"cloud-2"}
    assert registry.clouds["cloud-13"].groups == ("zone-3",)


def test_without_a_proxy_beside_them_there_is_one_listener(tmp_path):
    files.write(FleetSettings(5, tmp_path, "secret", beside=False))
    assert len(load(tmp_path / "oidproxy.yaml").listeners) == 1


def test_users_sign_in_through_the_proxy(settings, tmp_path):
    files.write(settings)
    clouds = yaml.safe_load((tmp_path / "clouds.yaml").read_text())["clouds"]
    assert clouds["cloud-1"]["auth"]["auth_url"] == "http://127.0.0.1:8899/identity/v3"
    assert clouds["cloud-7"]["auth"]["auth_url"] == "http://127.0.0.1:8899/s/identity:cloud-7/identity/v3"
    assert clouds["cloud-7-admin"]["auth"]["username"] == "admin"
    for name in ("clouds.yaml", "oidproxy.yaml", "fleet.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_key_of_an_earlier_run_stays(settings, tmp_path):
    files.write(settings)
    before = (tmp_path / "fleet.key").read_text()
    files.write(settings)
    assert (tmp_path / "fleet.key").read_text() == before


def test_no_two_clouds_have_an_address_in_common(tmp_path):
    settings = FleetSettings(60_000, tmp_path, "secret")
    clouds = [settings.cloud(number) for number in (1, 2, 250, 251, 1000, 60_000)]
    assert clouds[3].address == "127.10.1.1"
    addresses = [address for cloud in clouds for address in (cloud.address, cloud.proxy)]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    "changes",
    [
        {"clouds": 0},
        {"clouds": 60_001},
        {"homes": 6},
        {"network": "10.0"},
        {"network": "127"},
        {"network": "127.255"},
    ],
)
def test_what_cannot_be_is_refused(tmp_path, changes):
    with pytest.raises(ConfigError):
        FleetSettings(**{"clouds": 5, "data": tmp_path, "password": "secret", **changes})


async def test_an_address_that_is_taken_is_told(fleet, tmp_path):
    rig = await fleet(1)
    with pytest.raises(ConfigError) as caught:
        await fleet(1, network=rig.fleet.settings.network, data=tmp_path / "other")
    assert str(caught.value) == f"{rig.address(1)}:5000 cannot be listened on: Address already in use"

"""`oidproxy sim` as a process: starts, says so, serves real clients, stops."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidproxy.sim.process import CloudProcess, SimulationError, arguments, start
from oidproxy.sim.settings import CloudSettings
from tests.sim.rig import PASSWORD, random_address

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENSTACK = Path(sys.executable).with_name("openstack")


def settings_in(directory: Path, **changes: object) -> CloudSettings:
    values = {
        "name": "cloud-t",
        "address": random_address(),
        "data": directory / "cloud-t",
        "password": PASSWORD,
    }
    return CloudSettings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    directory = tmp_path_factory.mktemp("sim")
    with start(settings_in(directory, record=directory / "record.jsonl")) as process:
        process.wait_ready()
        yield process


def openstack(cloud: CloudProcess, *words: str, entry: str = "cloud-t") -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(cloud.settings.data), "OS_CLOUD": entry,
        "OS_CLIENT_CONFIG_FILE": str(cloud.settings.data / "clouds.yaml"),
    }  # fmt: skip
    done = subprocess.run(
        [OPENSTACK, *words], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(cloud: CloudProcess, *words: str) -> list[dict[str, object]]:
    return list(json.loads(openstack(cloud, *words, "-f", "json")))


class TestOpenstackClient:
    """The real python-openstackclient; each call costs a second or so, hence few of them here."""

    def test_token_and_versions(self, cloud: CloudProcess) -> None:
        token = json.loads(openstack(cloud, "token", "issue", "-f", "json"))
        assert str(token["id"]).startswith("gAAAAA")
        kinds = {row["Service Type"] for row in table(cloud, "versions", "show")}
        assert kinds == {"identity", "image", "compute", "network", "placement", "block-storage"}

    def test_images_and_servers(self, cloud: CloudProcess, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.write_bytes(os.urandom(300_000))
        openstack(cloud, "image", "create", "--file", str(disk), "--disk-format", "raw", "cirros")
        openstack(cloud, "image", "save", "--file", str(tmp_path / "saved"), "cirros")
        assert (tmp_path / "saved").read_bytes() == disk.read_bytes()
        openstack(cloud, "server", "create", "--image", "cirros", "--flavor", "m1.small", "--wait", "cirros1")
        rows = table(cloud, "server", "list")
        assert [(row["Name"], row["Status"], row["Image"]) for row in rows] == [
            ("cirros1", "ACTIVE", "cirros")
        ]
        openstack(cloud, "server", "delete", "--wait", "cirros1")
        assert table(cloud, "server", "list") == []
        download = json.loads(cloud.downloads.read_text().splitlines()[-1])
        assert (download["server_name"], download["size"], download["matches"]) == ("cirros1", 300_000, True)

    def test_an_administrator(self, cloud: CloudProcess) -> None:
        text = openstack(cloud, "user", "list", "-f", "json", entry="cloud-t-admin")
        names = {row["Name"] for row in json.loads(text)}
        assert names == {"admin", "demo", "glance", "nova", "neutron", "placement", "cinder"}


SDK = """
import sys, openstack
conn = openstack.connect(cloud="cloud-t")
print("flavors", sorted(flavor.name for flavor in conn.compute.flavors()))
network = conn.network.create_network(name="n")
subnet = conn.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.3.0.0/24", name="s")
port = conn.network.create_port(network_id=network.id, name="p")
print("port", port.fixed_ips[0]["ip_address"], [one.name for one in conn.network.ports(name="p")])
conn.network.delete_port(port); conn.network.delete_subnet(subnet); conn.network.delete_network(network)
volume = conn.create_volume(size=1, name="v", wait=True)
print("volume", volume.status, [one.name for one in conn.block_storage.volumes()])
conn.delete_volume(volume.id, wait=True)
image = conn.create_image("sdk", data=b"disk", disk_format="raw", container_format="bare", wait=True)
print("image", image.status, conn.image.download_image(image).content)
print("pages", len(list(conn.image.images(limit=1))) >= 1, len(list(conn.compute.flavors(limit=2))))
key = conn.compute.create_keypair(name="k")
print("key", key.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----"), key.fingerprint.count(":"))
conn.compute.delete_keypair("k")
server = conn.create_server("s", image=image, flavor="m1.tiny", network="private", wait=True, timeout=20)
print("server", server.status, list(server.addresses))
snapshot = conn.create_image_snapshot("snap", server, wait=True)
print("snapshot", snapshot.status)
conn.delete_server(server.id, wait=True)
for one in (image, snapshot): conn.delete_image(one.id)
roles = [{"name": "reader"}]
credential = conn.identity.create_application_credential(conn.current_user_id, "ac", roles=roles)
print("credential", [role["name"] for role in credential.roles])
left = [one.name for one in conn.image.images() if one.name in ("sdk", "snap")]
print("left", left, list(conn.compute.servers()))
"""


def test_the_sdk(cloud: CloudProcess) -> None:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(cloud.settings.data),
        "OS_CLIENT_CONFIG_FILE": str(cloud.settings.data / "clouds.yaml"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SDK], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "flavors ['m1.large', 'm1.medium', 'm1.small', 'm1.tiny', 'm1.xlarge']",
        "port 10.3.0.2 ['p']",
        "volume available ['v']",
        "image active b'disk'",
        "pages True 5",
        "key True 15",
        "server ACTIVE ['private']",
        "snapshot active",
        "credential ['reader']",
        "left [] []",
    ]


class TestProcess:
    def test_it_says_when_it_is_ready_and_stops_cleanly(self, tmp_path: Path) -> None:
        process = start(settings_in(tmp_path))
        process.wait_ready()
        assert process.log.read_text().startswith(
            f"oidproxy sim: cloud-t ready on {process.settings.address} "
        )
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 3
        assert not process.alive
        assert len(process.log.read_text().splitlines()) == 1

    def test_interrupt_stops_it_too(self, tmp_path: Path) -> None:
        process = start(settings_in(tmp_path))
        process.wait_ready()
        os.kill(process.pid, signal.SIGINT)
        assert process.stop() == 0

    def test_a_taken_port_is_told(self, cloud: CloudProcess, tmp_path: Path) -> None:
        with pytest.raises(SimulationError) as failed:
            start(settings_in(tmp_path, address=cloud.settings.address)).wait_ready()
        assert "cannot be listened on" in failed.value.message

    def test_the_password_is_not_on_the_command_line(self, cloud: CloudProcess) -> None:
        assert PASSWORD.encode() not in Path(f"/proc/{cloud.pid}/cmdline").read_bytes()
        assert PASSWORD not in " ".join(arguments(cloud.settings))
        assert PASSWORD not in repr(cloud.settings)

    def test_its_users_file_is_its_owners_alone(self, cloud: CloudProcess) -> None:
        path = cloud.settings.data / "clouds.yaml"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(cloud.settings.data.stat().st_mode) == 0o700

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--ports", "identity=x"], "--ports: 'identity=x' is not SERVICE=PORT"),
            (["--ports", "nova=1"], "--ports: 'nova=1' is not SERVICE=PORT"),
            (["--image", "cirros=/nonexistent"], "--image: 'cirros=/nonexistent' is not NAME=FILE"),
        ],
    )
    def test_wrong_options_are_told(self, tmp_path: Path, words: list[str], told: str) -> None:
        command = "import sys; from oidproxy.cli.main import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", command, "sim", "--name", "c", "--data", str(tmp_path / "d"), *words],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert told in done.stderr

    def test_two_clouds_share_nothing(self, tmp_path: Path) -> None:
        one = start(settings_in(tmp_path / "1", seed=1))
        other = start(settings_in(tmp_path / "2", seed=1, name="cloud-u"))
        with one, other:
            one.wait_ready()
            other.wait_ready()
            tokens = [json.loads(openstack(one, "token", "issue", "-f", "json"))]
            tokens.append(json.loads(openstack(other, "token", "issue", "-f", "json", entry="cloud-u")))
        assert tokens[0]["user_id"] != tokens[1]["user_id"]
        assert tokens[0]["project_id"] != tokens[1]["project_id"]

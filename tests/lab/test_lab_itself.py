"""The lab is what other tests take it for: clouds that share nothing, on loopback, gone without a trace."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import subprocess
import sys

import psutil
import pytest

from devstack.lab.api import Account, Api
from devstack.lab.layout import REPOSITORY, Lab
from devstack.lab.passwords import Secrets

OTHER_NETWORK = "127.66"
SECONDS = 400


def run(lab, *words):
    """`python -m devstack.lab <words>` for a lab."""
    place = {"LAB_STATE": str(lab.state), "LAB_NETWORK": lab.network}
    command = [sys.executable, "-m", "devstack.lab", *words]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def again(lab):
    """`lab up` as it was asked for."""
    beside = [place for place in lab.wanted() if place.beside]
    gateway = ["--gateway"] if len(beside) < len(lab.wanted()) else []
    return run(lab, "up", str(len(beside)), *gateway)


def admin(place):
    """The administrator of a cloud, past any proxy."""
    account = Account("admin", "admin", Secrets(place.host.folder).get("admin"))
    return Api(f"{place.url('identity')}/v3", account)


def listed(place, what):
    return admin(place).call("GET", f"{place.url('identity')}/v3/{what}").json[what]


def processes(lab):
    """Every process of a lab: its folder is in their command lines, or they are at home there."""
    folder = f"{lab.state}/"
    found = {}
    for one in psutil.process_iter():
        try:
            told = [*one.cmdline(), one.environ().get("HOME", "")]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(folder in text for text in told):
            found[one.pid] = one
    return found


def alive(process):
    """Also where nobody waits for those that have ended."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def files(lab):
    """Digest of every file that the lab writes for services, proxies and clients."""
    written = [lab.clouds_yaml, lab.config, *lab.edge_folder.glob("*.yaml")]
    written += [file for place in lab.wanted() for file in place.etc.iterdir() if file.is_file()]
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in written}


@pytest.fixture(scope="module")
def with_own_keystone(lab, edges):
    return [place for place in lab.wanted() if place.guest_of is None]


@pytest.fixture
def second(lab, tmp_path):
    """A lab elsewhere, with the packages and prepared tables of this one; nothing of it stays."""
    other = Lab(tmp_path / "second", OTHER_NETWORK)
    other.state.mkdir()
    for name in ("venv", "prepared"):
        (other.state / name).symlink_to(lab.state / name)
    yield other
    run(other, "down")


def test_no_region_is_known_to_two_clouds(with_own_keystone):
    known = [region["id"] for place in with_own_keystone for region in listed(place, "regions")]
    assert len(known) > len(with_own_keystone)
    assert len(set(known)) == len(known)


def test_no_user_and_no_project_is_known_to_two_clouds(with_own_keystone):
    for what in ("users", "projects"):
        known = [one["id"] for place in with_own_keystone for one in listed(place, what)]
        assert len(set(known)) == len(known)


def test_a_clouds_database_account_opens_no_other_clouds_databases(lab, home, abroad):
    account = (home.etc / "keystone.conf").read_text()
    user, password, host, port = re.search(r"pymysql://(\w+):(\w+)@([\d.]+):(\d+)/", account).groups()
    command = ["mariadb", "--no-defaults", "-h", host, "-P", port, "-u", user, "-e", "SHOW DATABASES"]
    env = {**os.environ, "MYSQL_PWD": password}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    own = {home.database(name) for name in home.databases}
    assert set(done.stdout.split()) - {"Database", "information_schema"} == own


def test_no_process_of_the_lab_listens_or_talks_outside_loopback(lab):
    running = processes(lab)
    assert len(running) > 20
    spots = []
    for one in running.values():
        for connection in one.net_connections(kind="inet"):
            spots += [(one.name(), end.ip, end.port) for end in (connection.laddr, connection.raddr) if end]
    assert len(spots) > 50
    assert [spot for spot in spots if not on_loopback(spot[1])] == []


def on_loopback(address):
    return ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback


def test_the_clouds_that_nobody_reconfigured_have_never_heard_of_a_proxy(lab, edges):
    proxy = f"{lab.network}.2."
    for place in edges:
        texts = {file: file.read_text() for file in place.etc.iterdir() if file.is_file()}
        assert texts
        assert [file for file, text in texts.items() if proxy in text] == []
        urls = [one["url"] for one in listed(place, "endpoints")]
        assert urls
        assert [url for url in urls if proxy in url] == []


def test_all_clouds_keep_what_they_know_of_tokens_in_one_memcached(lab):
    address = f"memcached_servers = {lab.infrastructure}:11211"
    if not os.environ.get("LAB_MEMCACHED"):
        pytest.skip("the lab was brought up without LAB_MEMCACHED")
    for place in lab.wanted():
        assert address in (place.etc / "glance-api.conf").read_text()
    stats = subprocess.run(
        [lab.program("python"), "-c", MEMCACHED, f"{lab.infrastructure}:11211"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert int(stats.stdout) > 0


MEMCACHED = """
import sys
import memcache
((_, stats),) = memcache.Client([sys.argv[1]]).get_stats()
print(stats["total_items"])
"""


def test_bringing_it_up_again_changes_nothing_and_restarts_nothing(lab, with_own_keystone):
    def state():
        catalogs = [sorted(one["id"] for one in listed(place, "endpoints")) for place in with_own_keystone]
        return files(lab), set(processes(lab)), catalogs

    before = state()
    done = again(lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert state() == before


def test_another_lab_at_these_addresses_is_refused_before_it_starts_anything(lab, second):
    there = Lab(second.state, lab.network)
    done = run(there, "up", "1")
    assert done.returncode == 1
    assert f"taken by somebody else: {lab.network}.1.1:5000" in done.stderr
    assert "LAB_NETWORK=" in done.stderr
    assert processes(there) == {}


def test_a_second_lab_runs_beside_this_one_and_goes_down_without_a_trace(lab, second):
    before = set(processes(lab))
    done = run(second, "up", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(second, "status").returncode == 0
    started = processes(second)
    assert len(started) > 12
    assert admin(second.cloud(1)).token()
    done = run(second, "down")
    assert done.returncode == 0, done.stderr
    assert processes(second) == {}
    assert [one for one in started.values() if alive(one)] == []
    assert set(processes(lab)) == before

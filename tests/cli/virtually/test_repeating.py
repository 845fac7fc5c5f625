"""The same bytes again: from run to run, and however many workers there are."""

from __future__ import annotations

import os
import subprocess
import sys

from oidproxy.cli.virtually.cluster import distributed
from oidproxy.cli.virtually.whatif import WhatIf, prepare
from tests.trace.virtual.rig import line, replayed, written

CLOUDS = 6


def mixed(tmp_path):
    """Unions, fallbacks, searches, replication and plain reads, of users of six clouds."""
    lines = []
    for n in range(240):
        home, other, third = (f"cloud-{(n * step) % CLOUDS + 1}" for step in (1, 5, 7))
        third = third if third != other else f"cloud-{(n + 3) % CLOUDS + 1}"
        network = f"{n:08x}-1111-4111-8111-{n:012x}"
        earlier = f"{n - 6:08x}-1111-4111-8111-{n - 6:012x}"
        more = {"home": home, "user": f"user-{n % 7}"}
        match n // 6 % 5:
            case 0:
                scope, made = f"network:{other}&{third}", [network]
                one = line(n, n / 8, "/v2.0/networks", method="POST", service="network", status=201,
                    scope=scope, made=made, bytes_in=99, **more)  # fmt: skip
            case 1:
                one = line(n, n / 8, f"/v2.0/networks/{earlier}", service="network", scope="network:*",
                    used=[earlier], **more)  # fmt: skip
            case 2:
                one = line(n, n / 8, "/v2/images", scope="image:*", query="limit=5", **more)
            case 3:
                one = line(n, n / 8, "/v2/images", scope=f"image:{other}|{third}", **more)
            case _:
                one = line(
                    n, n / 8, "/v2.1/servers/detail", service="compute", scope=f"compute:{other}", **more
                )
        lines.append(one)
    return written(tmp_path, lines, clouds=CLOUDS)


WHAT = ["--outage", "cloud-3@5s..15s", "--outage", "cloud-4@8s..20s:silent", "--seed", "5"]
KEYS = {"outages": ("cloud-3@5s..15s", "cloud-4@8s..20s:silent"), "seed": 5}


def test_two_runs_give_the_same_bytes_whatever_python_hashes_by(tmp_path):
    trace = mixed(tmp_path)
    folders = []
    for seed in ("1", "2"):
        folders.append(tmp_path / seed)
        command = [sys.executable, "-m", "oidproxy", "trace", "whatif", str(trace), "--out", str(folders[-1])]
        subprocess.run([*command, *WHAT], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    )
    assert first == second
    assert {"requests.parquet", "summary.json", "manifest.json", "report.html"} <= set(map(str, first))
    assert any(path.suffix == ".hdr" for path in first)


def test_each_part_alone_comes_out_as_it_does_beside_the_others(tmp_path):
    lines = [
        line(
            n,
            n / 10,
            "/v2/images",
            home=f"cloud-{n % CLOUDS + 1}",
            scope=f"image:cloud-{n * 5 % CLOUDS + 1}|cloud-6",
        )
        for n in range(120)
    ]
    trace = written(tmp_path, lines, clouds=CLOUDS)
    shares = distributed(prepare(WhatIf(str(trace), **KEYS)), 3)
    assert len(shares) == 3
    apart = [outcome for share in shares for outcome in replayed(trace, share, **KEYS)]
    assert sorted(apart, key=lambda one: one.n) == replayed(trace, **KEYS)


def test_proxies_whose_users_share_what_they_made_are_one_part(tmp_path):
    network = "7b1f5a52-3d0e-4b63-8d3c-5a4a8f0f2a10"
    made = {"method": "POST", "status": 201, "made": [network]}
    trace = written(
        tmp_path,
        [
            line(0, 0, "/v2.0/networks", service="network", home="cloud-1", **made),
            line(1, 1, f"/v2.0/networks/{network}", service="network", home="cloud-3", used=[network]),
            line(2, 2, "/v2/images/common", home="cloud-1", used=["common"]),
            line(3, 3, "/v2/images/common", home="cloud-2", used=["common"]),
        ],
    )
    assert set(distributed(prepare(WhatIf(str(trace))), 9)) == {
        frozenset({"cloud-1", "cloud-3"}),
        frozenset({"cloud-2"}),
    }


def test_workers_by_dask_give_the_same_results(tmp_path):
    lines = [
        line(n, n / 10, "/v2/images", home=f"cloud-{n % 2 + 1}", scope="image:cloud-3") for n in range(40)
    ]
    trace = written(tmp_path, lines)
    folders = []
    for workers in ("1", "2"):
        folders.append(tmp_path / workers)
        command = [sys.executable, "-m", "oidproxy", "trace", "whatif", str(trace), "--no-pictures"]
        subprocess.run([*command, "--out", str(folders[-1]), "--workers", workers], check=True)
    for name in ("summary.json", "requests.parquet", "manifest.json"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second

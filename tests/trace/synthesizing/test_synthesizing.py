"""Synthesized traces can be replayed: what is used was made before, and is not gone yet."""

from __future__ import annotations

import itertools
import statistics

import pytest

from oidproxy.cli.main import main
from oidproxy.errors import ConfigError
from oidproxy.trace.checking import check
from oidproxy.trace.line import Header, Line
from oidproxy.trace.reading import open_trace
from oidproxy.trace.synthesizing.operations import OPERATIONS
from oidproxy.trace.synthesizing.synthesizing import synthesize
from oidproxy.trace.synthesizing.workload import read
from oidproxy.trace.templates import ID
from oidproxy.trace.writing import TraceWriter

EVERYTHING = ", ".join(f"{name}: 1" for name in OPERATIONS)

WORKLOAD = f"""
users: 4
clouds: {{paris: 3, lyon: 1}}
scopes: {{"": 1, "{{glance: lyon}}": 1}}
mix: {{{EVERYTHING}}}
arrivals: {{process: poisson, rate: 50}}
requests: 1500
seed: 3
settle: 2s
tidy: true
"""


def made(tmp_path, text, name="t.jsonl", **more):
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    synthesize(read(path), tmp_path / name, **more)
    return list(open_trace(tmp_path / name).lines())


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return made(tmp_path_factory.mktemp("everything"), WORKLOAD)


def test_the_same_workload_gives_the_same_bytes(tmp_path):
    made(tmp_path, WORKLOAD, "a.jsonl.zst")
    made(tmp_path, WORKLOAD, "b.jsonl.zst")
    made(tmp_path, WORKLOAD.replace("seed: 3", "seed: 4"), "c.jsonl.zst")
    first, again, other = ((tmp_path / f"{name}.jsonl.zst").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_what_is_used_was_made_before_and_is_there(everything):
    ready, owners = {}, {}
    for line in everything:
        where = (line.home, line.scope)
        for one in ids(line):
            assert line.at - ready[one] >= 2_000_000_000, line
            assert owners[one] in ((line.user, *where), where)
            if line.method == "DELETE":
                del ready[one]
        ready |= dict.fromkeys(line.made, line.at)
        owners |= dict.fromkeys(line.made, (line.user, *where))
        # What a list shows was there before, and is everybody's.
        ready |= dict.fromkeys(line.names, line.at - 10**12)
        owners |= dict.fromkeys(line.names, where)
    # At the end all that was made is gone.
    assert not {one for line in everything for one in line.made} & set(ready)


def ids(line):
    """Of resources, without projects."""
    projects = {one for one in line.used if "-" not in one}
    return [one for one in line.used if one not in projects]


def test_everything_that_is_wanted_happens(everything):
    happened = {(line.method, line.service, line.template) for line in everything}
    assert len(happened) >= len({(one.method, one.service, one.path) for one in OPERATIONS.values()}) - 1


def test_creates_have_bodies_and_tell_what_they_made(everything):
    creates = [line for line in everything if line.method == "POST" and line.service != "identity"]
    assert creates
    for line in creates:
        assert line.request_body is not None
        assert "{" not in str(line.request_body).replace("{'", "").replace("': {", "")
        assert len(line.made) == 1
        assert line.bytes_in > 0
    names = [str(line.request_body) for line in creates]
    assert len(set(names)) == len(names)


def test_users_sign_in_and_look_around_first(everything):
    for user in {line.user for line in everything}:
        first = [line for line in everything if line.user == user][:4]
        assert first[0].path == "/v3/auth/tokens"
        assert {name for line in first[1:] for name in line.names.values()} == {
            "cirros",
            "m1.tiny",
            "private",
        }


def test_it_is_a_trace(everything, tmp_path):
    made(tmp_path, WORKLOAD)
    assert check(tmp_path / "t.jsonl").faults == 0
    header = open_trace(tmp_path / "t.jsonl").header
    assert (header.source, header.seed, header.clouds) == ("synthesized", 3, ["paris", "lyon"])
    assert [line.n for line in everything] == list(range(len(everything)))


def test_poisson_arrivals_have_the_rate_and_the_spread(tmp_path):
    lines = made(tmp_path, "mix: {server-list: 1}\narrivals: {rate: 100}\nrequests: 4000\n")
    gaps = [after.at - before.at for before, after in itertools.pairwise(lines)]
    assert statistics.mean(gaps) == pytest.approx(10_000_000, rel=0.1)
    assert statistics.stdev(gaps) == pytest.approx(10_000_000, rel=0.1)


def test_constant_arrivals_are_that(tmp_path):
    lines = made(tmp_path, "mix: {server-list: 1}\narrivals: {process: constant, rate: 4}\nduration: 10s\n")
    assert [line.at for line in lines] == [number * 250_000_000 for number in range(40)]


def test_recorded_arrivals_are_those_of_a_trace(tmp_path):
    with TraceWriter(
        tmp_path / "old.jsonl", Header(oidproxy_trace=1, began="2026-01-01T00:00:00Z", source="csv")
    ) as out:
        for at in (1000, 1500, 9000):
            out.add(Line(at=at, method="GET", path="/", status=200))
    text = "mix: {server-list: 1}\narrivals: {process: recorded, trace: old.jsonl, speed: 2}\n"
    assert [line.at for line in made(tmp_path, text)] == [0, 250, 4000]


def test_another_mix_comes_at_the_same_times(tmp_path):
    text = "mix: {%s: 1}\narrivals: {rate: 10}\nrequests: 50\n"
    one, other = (made(tmp_path, text % name, f"{name}.jsonl") for name in ("server-list", "image-list"))
    assert [line.at for line in one] == [line.at for line in other]


def test_weights_are_kept_to(tmp_path):
    text = "mix: {server-list: 9, image-list: 1}\narrivals: {rate: 10}\nrequests: 3000\n"
    lines = made(tmp_path, text)
    share = sum(line.service == "image" for line in lines) / len(lines)
    assert share == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "mix: {sever-list: 1}\narrivals: {rate: 1}\nduration: 1s\n",
            "1:7: 'sever-list' is no operation (did you mean server-list?)",
        ),
        ("mix: {}\narrivals: {rate: 1}\nduration: 1s\n", "nothing stands here"),
        ("mix: {server-list: -1}\narrivals: {rate: 1}\nduration: 1s\n", "1:20: expected a number above 0"),
        (
            "mix: {server-list: 1}\narrivals: {rate: 1e-300}\nduration: 1s\n",
            "2:18: expected a number above 0",
        ),
        ("mix: {server-list: 1}\narrivals: {rate: 1}\n", "how long?"),
        ("mix: {server-list: 1}\nduration: 1s\n", "need a rate"),
        ("mix: {server-list: 1}\narrivals: {process: recorded}\n", "need a trace"),
        (
            "mix: {server-list: 1}\narrivals: {process: bursts, rate: 1}\nduration: 1s\n",
            "2:21: expected one of",
        ),
        ("mix: {server-list: 1}\narrivals: {rate: 1}\nduration: soon\n", "3:11: expected a duration"),
        (
            "mix: {server-list: 1}\narrivals: {rate: 1}\nduration: 1s\nscopes: {'<x': 1}\n",
            "4:10: this scope cannot be read",
        ),
        (
            "mix: {server-list: 1}\narrivals: {rate: 1}\nduration: 1s\nusers: 0\n",
            "4:8: expected a number from 1",
        ),
        (
            "mix: {server-list: 1}\narrivals: {rate: 1}\nduration: 1s\nuser: 1\n",
            "unknown key 'user' (did you mean users?)",
        ),
        ("mix: {server-list: 1}\narrivals: {rate: 1}\nduration: 1s\nbefore: {weather: x}\n", "none of image"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, text, said):
    path = tmp_path / "w.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_ids_look_like_the_services_own(everything):
    import re

    assert all(re.fullmatch(ID, one) for line in everything for one in line.made)


def test_the_command(tmp_path, capsys):
    (tmp_path / "w.yaml").write_text("mix: {server-list: 1}\narrivals: {rate: 4}\nduration: 5s\n")
    assert (
        main(
            ["trace", "synthesize", str(tmp_path / "w.yaml"), "-o", str(tmp_path / "t.jsonl"), "--seed", "9"]
        )
        == 0
    )
    assert "of 1 users (seed 9)" in capsys.readouterr().out
    assert open_trace(tmp_path / "t.jsonl").header.seed == 9

"""The file of latencies and faults: which clouds its rules are for, when they hold, and what is refused."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from oidproxy.errors import ConfigError
from oidproxy.sim.fleet.disturbances import Disturbances, Fault, RuleKeys, When, read

CLOUDS = tuple(f"cloud-{number}" for number in range(1, 1001))
HOME = ("cloud-1",)


def always() -> float:
    return 0.0


@pytest.fixture
def rules(tmp_path):
    def written(text: str, clouds=CLOUDS) -> Disturbances:
        path = tmp_path / "disturbances.yaml"
        path.write_text(text)
        return read(path, clouds, HOME)

    return written


def test_shares_are_exact_fall_on_different_clouds_and_spare_the_home(rules):
    found = rules(
        "rules: [{share: 1%, fault: dead}, {share: 1%, fault: garbage}, {share: 97%, fault: break}]"
    )
    counted = dict.fromkeys(("dead", "garbage", "break"), 0)
    for faults in found.disturbed().values():
        [fault] = faults
        counted[fault] += 1
    assert counted == {"dead": 10, "garbage": 10, "break": 970}
    assert "cloud-1" not in found.disturbed()


def test_all_clouds_fall_to_shares_but_the_home_and_never_more(rules):
    found = rules("rules: [{share: 50%, fault: dead}, {share: 60%, fault: garbage}]")
    assert len(found.disturbed()) == 999


def test_the_seed_says_which_clouds_a_share_means(rules):
    text = "seed: {}\nrules: [{{share: 2%, fault: silent}}]"
    first, again, other = (set(rules(text.format(seed)).disturbed()) for seed in (1, 1, 2))
    assert first == again != other


def test_the_first_rule_that_holds_counts(rules):
    found = rules(
        "rules:\n"
        "- {clouds: cloud-7, services: [image], fault: garbage}\n"
        "- {clouds: [cloud-7, cloud-8*], fault: status, status: 429, retry_after: 3}\n"
    )
    assert found.trouble("cloud-7", "image", 0.0, always).fault == "garbage"
    limited = found.trouble("cloud-7", "compute", 0.0, always)
    assert (limited.fault, limited.status, limited.retry_after) == ("status", 429, 3)
    assert found.trouble("cloud-88", "image", 0.0, always) == limited
    assert found.trouble("cloud-9", "image", 0.0, always) is None


def test_a_chance_is_drawn_for_each_request(rules):
    found = rules("rules: [{clouds: cloud-7, fault: break, at: 90%, chance: 25%}]")
    assert found.trouble("cloud-7", "image", 0.0, lambda: 0.24).at == 0.9
    assert found.trouble("cloud-7", "image", 0.0, lambda: 0.25) is None


def test_a_cloud_is_dead_as_the_schedule_says(rules):
    found = rules("rules: [{clouds: cloud-7, fault: dead, from: 10s, every: 60s, lasting: 5s}]")
    expected = {0: False, 9.9: False, 10: True, 14.9: True, 15: False, 70: True, 75: False}
    assert {moment: found.dead("cloud-7", moment) for moment in expected} == expected
    assert not found.dead("cloud-8", 12)


def test_a_time_may_end():
    assert [When(1.0, 3.0).holds(moment) for moment in (0.9, 1.0, 2.9, 3.0)] == [False, True, True, False]


def test_latencies_are_the_files_own_or_each_clouds_or_a_rules(rules):
    same = rules("latency: 20ms")
    assert {same.latency(cloud) for cloud in CLOUDS} == {0.02}
    own = rules("latency: {from: 5ms, to: 80ms}")
    spread = [own.latency(cloud) for cloud in CLOUDS]
    assert all(0.005 <= one <= 0.08 for one in spread)
    assert sum(one != other for one, other in pairwise(spread)) > 990
    found = rules('latency: 1ms\nrules: [{clouds: "cloud-9*", latency: 0.5}]')
    assert [found.latency(cloud) for cloud in ("cloud-1", "cloud-9", "cloud-99")] == [0.001, 0.5, 0.5]
    assert found.disturbed() == {}


def test_an_empty_file_disturbs_nobody(rules):
    assert rules("").disturbed() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{fault: flood}]", "flood"),
        ("rules: [{faults: dead}]", "faults"),
        ("rules: [{clouds: cloud-7}]", "rules[0] has neither fault nor latency"),
        ("rules: [{fault: status, status: 200}]", "status 200 is no error"),
        ("rules: [{fault: dead, chance: 10%}]", "dead holds for a whole cloud"),
        ("rules: [{fault: dead, services: [image]}]", "dead holds for a whole cloud"),
        ("rules: [{fault: break, at: 900}]", "0 to 1"),
        ("rules: [{fault: dead, every: 5s, lasting: 6s}]", "shorter lasting"),
        ("latency: soon", "duration"),
        ("latency: [", "flow"),
        ("[]", "object"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_files_name(rules, text, said):
    with pytest.raises(ConfigError) as caught:
        rules(text)
    assert said in str(caught.value)
    assert "disturbances.yaml" in str(caught.value)


DOCUMENTED = (Path(__file__).parents[3] / "docs" / "simulated-clouds.md").read_text()


@pytest.mark.parametrize("word", [*get_args(Fault), *msgspec.to_builtins(RuleKeys())])
def test_every_fault_and_every_key_is_documented(word):
    assert re.search(rf"`{word}`|\b{word}: ", DOCUMENTED)


def test_the_documented_file_can_be_used(rules):
    [text] = re.findall(r"```yaml\n(# disturbances\.yaml\n.*?)```", DOCUMENTED, re.DOTALL)
    found = rules(text)
    assert len(found.disturbed()) > 40
    assert found.latency("cloud-200") == 0.2

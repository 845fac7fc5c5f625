"""Where a scope is given, and which of the places wins."""

from __future__ import annotations

import pytest

from oidproxy.errors import ConfigError
from oidproxy.osc.sources import (
    HOOK,
    Given,
    GivenCarry,
    carry_from_environment,
    from_environment,
    given,
    given_carry,
    is_ours,
)

OPTION = {"oidproxy": {"scope": "from-option", "source": "--scope"}}
FILE = {"oidproxy": {"scope": "from-file"}}
ENVIRON = {"OIDPROXY_SCOPE": "from-env"}


def test_nothing_given():
    assert given({}, {}) is None
    assert given({"oidproxy": None}, {"OIDPROXY_SCOPE": "", "OS_SCOPE": ""}) is None


def test_the_option_wins_over_the_environment():
    assert given(OPTION, ENVIRON) == Given("from-option", "--scope")


def test_the_environment_wins_over_the_file():
    assert given(FILE, ENVIRON) == Given("from-env", "OIDPROXY_SCOPE")


def test_the_file_alone():
    assert given(FILE, {}) == Given("from-file", "clouds.yaml")


def test_the_second_spelling_counts_only_without_the_first():
    assert from_environment({"OS_SCOPE": "b"}) == Given("b", "OS_SCOPE")
    assert from_environment({"OS_SCOPE": "b", "OIDPROXY_SCOPE": "a"}) == Given("a", "OIDPROXY_SCOPE")
    assert from_environment({"OS_SCOPE": "b", "OIDPROXY_SCOPE": ""}) == Given("b", "OS_SCOPE")


def test_braces_are_for_the_variable_that_the_sdk_does_not_expand():
    braced = "{keystone:cloud-1}"
    assert from_environment({"OIDPROXY_SCOPE": braced}) == Given(braced, "OIDPROXY_SCOPE")
    for text in (braced, "{", "a}"):
        with pytest.raises(ConfigError, match="OIDPROXY_SCOPE"):
            from_environment({"OS_SCOPE": text, "OIDPROXY_SCOPE": "a"})


def test_a_section_survives_the_way_through_the_configuration():
    for source in ("--scope", "OIDPROXY_SCOPE"):
        one = Given("a:b", source)
        assert given({"oidproxy": one.section()}, {}) == one


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("cloud-1", "has to be a mapping"),
        (["cloud-1"], "has to be a mapping"),
        ({"scop": "cloud-1"}, "unknown key `scop`"),
        ({"scope": "cloud-1", "more": 1}, "unknown key `more`"),
        ({}, "has to be a text"),
        ({"scope": None}, "has to be a text"),
        ({"scope": ["cloud-1"]}, "has to be a text"),
    ],
)
def test_a_section_that_makes_no_sense_is_an_error(section, reason):
    with pytest.raises(ConfigError, match=reason):
        given({"oidproxy": section}, {})


def test_only_our_own_hook_is_ours():
    assert is_ours(HOOK)
    assert not is_ours("otcextensions.sdk:load")
    assert not is_ours(None)


def test_the_option_carries_and_without_it_the_environment():
    by_option = {"oidproxy_carry": GivenCarry("edge-2", "--scope-carry")}
    environ = {"OS_SCOPE_CARRY": "edge-3", "OIDPROXY_SCOPE_CARRY": "edge-4"}
    assert given_carry(by_option, environ) == GivenCarry("edge-2", "--scope-carry")
    assert given_carry({}, environ) == GivenCarry("edge-4", "OIDPROXY_SCOPE_CARRY")
    assert given_carry({"oidproxy_carry": None}, {"OS_SCOPE_CARRY": "edge-3"}) == GivenCarry(
        "edge-3", "OS_SCOPE_CARRY"
    )
    assert given_carry({}, {"OS_SCOPE_CARRY": ""}) is None


@pytest.mark.parametrize("written", ["edge-2", {"text": "edge-2", "source": "--scope-carry"}, ["edge-2"]])
def test_no_file_can_say_what_is_carried(written):
    """A remote profile is merged into the configuration as well as clouds.yaml is."""
    with pytest.raises(ConfigError, match=r"cannot stand in clouds\.yaml"):
        given_carry({"oidproxy_carry": written}, {})
    with pytest.raises(ConfigError, match="unknown key `carry`"):
        given({"oidproxy": {"scope": "a", "carry": written}}, {})


def test_braces_in_the_second_spelling_of_what_is_carried():
    with pytest.raises(ConfigError, match=r"OS_SCOPE_CARRY cannot hold braces.* set OIDPROXY_SCOPE_CARRY$"):
        carry_from_environment({"OS_SCOPE_CARRY": '"{x}"'})

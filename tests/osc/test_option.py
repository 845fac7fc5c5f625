"""The options `--scope` and `--scope-carry`, as argparse calls them."""

from __future__ import annotations

import argparse

import pytest

from oidproxy.osc import plugin
from oidproxy.osc.sources import HOOK, GivenCarry

VARIABLES = ("OIDPROXY_SCOPE", "OS_SCOPE", "OIDPROXY_SCOPE_CARRY", "OS_SCOPE_CARRY")

TEXT = "<keystone:cloud-1;glance:cloud-999>"


@pytest.fixture
def parser(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return plugin.build_option_parser(argparse.ArgumentParser(prog="openstack"))


@pytest.mark.parametrize(
    "argv",
    [
        ["--scope", TEXT, "server", "list"],
        ["server", "list", "--scope", TEXT],
        ["server", f"--scope={TEXT}", "list"],
        ["--os-scope", TEXT, "server", "list"],
        ["--scope", "cloud-1", "server", "list", "--scope", TEXT],
    ],
)
def test_before_after_and_between_the_words_of_the_command(parser, argv):
    options, rest = parser.parse_known_args(argv)
    assert rest == ["server", "list"]
    assert options.oidproxy == {"scope": TEXT, "source": "--scope"}
    assert options.vendor_hook == HOOK


def test_without_a_scope_nothing_is_set(parser):
    options, _ = parser.parse_known_args(["server", "list"])
    assert options.oidproxy is None
    assert not hasattr(options, "vendor_hook")


@pytest.mark.parametrize("text", ["", "<a:b", "a:b;a:c", "{a:b>", "\udcff", "a:b\x00", "x" * 5000])
def test_a_bad_scope_ends_the_program_with_2(parser, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        parser.parse_known_args(["--scope", text, "server", "list"])
    assert stopped.value.code == 2
    assert "argument --scope: " in capsys.readouterr().err


def test_a_bad_scope_is_shown_with_a_caret(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_known_args(["--scope", "glance:cloud-1;image:cloud-2"])
    shown = capsys.readouterr().err
    assert "glance:cloud-1;image:cloud-2\n" in shown
    assert "^" in shown


@pytest.mark.parametrize("value", ["POOL", "ZONE"])
@pytest.mark.parametrize(
    "command",
    [["tsigkey", "create", "--name", "k"], ["tsigkey", "list"], ["tsigkey", "set", "k1"]],
)
def test_tsigkeys_own_scope_goes_to_tsigkey(parser, command, value):
    options, rest = parser.parse_known_args([*command, "--scope", value])
    assert rest == [*command, "--scope", value]
    assert options.oidproxy is None
    assert not hasattr(options, "vendor_hook")


def test_tsigkey_under_a_scope(parser):
    """What the command gets is what python-designateclient's own parser takes."""
    argv = ["--scope", TEXT, "tsigkey", "create", "--scope=ZONE", "--name", "k"]
    options, rest = parser.parse_known_args(argv)
    assert options.oidproxy == {"scope": TEXT, "source": "--scope"}
    tsigkey = argparse.ArgumentParser()
    tsigkey.add_argument("--name", required=True)
    tsigkey.add_argument("--scope", required=True)
    assert rest[:2] == ["tsigkey", "create"]
    assert vars(tsigkey.parse_args(rest[2:])) == {"name": "k", "scope": "ZONE"}


@pytest.mark.parametrize("file", ["audit.yaml", "./my/scope.yml", "/tmp/x.json", "scope file.json"])
def test_watchers_own_scope_goes_to_watcher(parser, file):
    command = ["optimize", "audittemplate", "create", "name", "goal"]
    options, rest = parser.parse_known_args([*command, "--scope", file])
    assert rest == [*command, "--scope", file]
    assert options.oidproxy is None


@pytest.mark.parametrize("text", ["image:a.yaml", "<a.yaml>", "{image:a.json}", "yaml", "pool", "POOL|ZONE"])
def test_any_other_text_is_a_scope(parser, text):
    assert parser.parse_known_args(["--scope", text])[0].oidproxy["scope"] == text


def test_a_command_without_a_scope_of_its_own_refuses_what_is_handed_to_it(parser):
    _, rest = parser.parse_known_args(["server", "list", "--scope", "POOL"])
    with pytest.raises(SystemExit):
        argparse.ArgumentParser().parse_args(rest[2:])


def test_clouds_of_those_names_have_two_other_spellings(parser):
    assert parser.parse_known_args(["--os-scope", "POOL"])[0].oidproxy["scope"] == "POOL"
    assert parser.parse_known_args(["--scope", "<ZONE>"])[0].oidproxy["scope"] == "<ZONE>"


def build(monkeypatch, **environ):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return plugin.build_option_parser(argparse.ArgumentParser(prog="openstack"))


def test_the_environment_is_the_default(monkeypatch):
    options, _ = build(monkeypatch, OIDPROXY_SCOPE="{image:a}").parse_known_args([])
    assert options.oidproxy == {"scope": "{image:a}", "source": "OIDPROXY_SCOPE"}
    assert options.vendor_hook == HOOK


def test_the_option_displaces_even_a_bad_scope_of_the_environment(monkeypatch):
    options, _ = build(monkeypatch, OIDPROXY_SCOPE="<").parse_known_args(["--scope", TEXT])
    assert options.oidproxy == {"scope": TEXT, "source": "--scope"}


def test_braces_in_the_second_spelling_are_explained_at_once(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        build(monkeypatch, OS_SCOPE="{image:a}")
    assert stopped.value.code == 2
    assert "OS_SCOPE cannot hold braces" in capsys.readouterr().err


# --scope-carry


@pytest.mark.parametrize(
    "argv",
    [
        ["--scope-carry", "edge-2", "server", "list", "--scope-carry", "edge-3=mine"],
        ["server", "--scope-carry=edge-2,edge-3=mine", "list"],
        ["server", "list", "--os-scope-carry", "edge-2", "--os-scope-carry", "edge-3=mine"],
    ],
)
def test_each_carry_adds_to_those_before(parser, argv):
    options, rest = parser.parse_known_args(argv)
    assert rest == ["server", "list"]
    assert options.oidproxy_carry == GivenCarry("edge-2,edge-3=mine", "--scope-carry")
    assert options.vendor_hook == HOOK
    assert options.oidproxy is None


def test_without_a_carry_nothing_is_set(parser):
    options, _ = parser.parse_known_args(["--scope", TEXT])
    assert options.oidproxy_carry is None


def test_a_parser_that_is_used_again_carries_nothing_over(parser):
    parser.parse_known_args(["--scope-carry", "edge-2"])
    assert parser.parse_known_args(["--scope-carry", "edge-3"])[0].oidproxy_carry.text == "edge-3"
    assert parser.parse_known_args([])[0].oidproxy_carry is None


@pytest.mark.parametrize(
    "values", [["@edges"], ["edge-2/north"], ["a|b"], ["edge-2="], ["edge-2=a", "edge-2=b"], ["New York"]]
)
def test_a_bad_carry_ends_the_program_with_2(parser, capsys, values):
    with pytest.raises(SystemExit) as stopped:
        parser.parse_known_args([word for value in values for word in ("--scope-carry", value)])
    assert stopped.value.code == 2
    assert "argument --scope-carry: " in capsys.readouterr().err


def test_the_environment_carries_by_default(monkeypatch):
    options, _ = build(monkeypatch, OS_SCOPE_CARRY="edge-2").parse_known_args(["--scope", TEXT])
    assert options.oidproxy_carry == GivenCarry("edge-2", "OS_SCOPE_CARRY")
    assert options.vendor_hook == HOOK


@pytest.mark.parametrize("value", ["edge-3", ""])
def test_the_carry_option_displaces_even_bad_ones_of_the_environment(monkeypatch, value):
    options, _ = build(monkeypatch, OIDPROXY_SCOPE_CARRY="=").parse_known_args(["--scope-carry", value])
    assert options.oidproxy_carry == GivenCarry(value, "--scope-carry")

"""The vendor hook: what it sends, what it calls besides, and that no failure passes for success."""

from __future__ import annotations

import builtins
import logging
import sys
import types
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openstack.exceptions import ConfigException

from oidproxy.osc import hook
from oidproxy.osc.sources import HOOK
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse

SCOPE = "<glance:cloud-999;keystone:cloud-1>"
CANONICAL = "identity:cloud-1;image:cloud-999"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("OIDPROXY_SCOPE", "OS_SCOPE", "OIDPROXY_SCOPE_CARRY", "OS_SCOPE_CARRY"):
        monkeypatch.delenv(name, raising=False)


class Loader:
    """What the SDK knows of the cloud without the command line."""

    def __init__(self, config: dict) -> None:
        self.config = config

    def get_one(self, cloud=None, region_name=None, validate=True):
        assert (cloud, region_name, validate) == ("lab", "RegionOne", False)
        return SimpleNamespace(config=self.config)


def connection(config: dict, files: dict | None = None) -> SimpleNamespace:
    region = SimpleNamespace(
        config=config,
        name="lab",
        region_name="RegionOne",
        _openstack_config=None if files is None else Loader(files),
    )
    session = SimpleNamespace(additional_headers={})
    return SimpleNamespace(config=region, session=session, log=logging.getLogger("test.connection"))


def by_option(files: dict | None = None) -> SimpleNamespace:
    return connection({"oidproxy": {"scope": SCOPE, "source": "--scope"}, "vendor_hook": HOOK}, files)


@pytest.fixture
def other_hooks(monkeypatch):
    """A module `other_hooks` with hooks of somebody else; `calls` tells what they found."""
    module = types.ModuleType("other_hooks")
    module.calls = []

    def load(conn):
        module.calls.append(dict(conn.session.additional_headers))
        conn.session.additional_headers = {"X-Other": "1"}

    def fail(conn):
        raise TypeError("not today")

    module.load, module.fail = load, fail
    monkeypatch.setitem(sys.modules, "other_hooks", module)
    return module


def test_the_canonical_text_is_sent():
    conn = by_option({})
    hook.apply(conn)
    assert conn.session.additional_headers == {"X-Scope": CANONICAL}


def test_clouds_yaml_alone():
    conn = connection({"oidproxy": {"scope": SCOPE}, "vendor_hook": HOOK}, {})
    hook.apply(conn)
    assert conn.session.additional_headers == {"X-Scope": CANONICAL}


def test_the_environment_over_clouds_yaml(monkeypatch):
    monkeypatch.setenv("OIDPROXY_SCOPE", "{image:cloud-2}")
    conn = connection({"oidproxy": {"scope": SCOPE}, "vendor_hook": HOOK}, {})
    hook.apply(conn)
    assert conn.session.additional_headers == {"X-Scope": "image:cloud-2"}


@pytest.mark.parametrize(
    "files",
    [
        {"vendor_hook": "other_hooks:load"},
        {"vendor_hook": HOOK, "oidproxy": {"scope": "x", "vendor_hook": "other_hooks:load"}},
    ],
)
def test_a_displaced_hook_is_called_under_the_scope_and_cannot_take_it_away(other_hooks, files):
    conn = by_option(files)
    hook.apply(conn)
    assert other_hooks.calls == [{"X-Scope": CANONICAL}]
    assert conn.session.additional_headers == {"X-Other": "1", "X-Scope": CANONICAL}


def test_a_hook_named_beside_the_scope_in_clouds_yaml_is_called(other_hooks):
    section = {"scope": SCOPE, "vendor_hook": "other_hooks:load"}
    hook.apply(connection({"oidproxy": section, "vendor_hook": HOOK}, {}))
    assert other_hooks.calls == [{"X-Scope": CANONICAL}]


def test_our_own_hook_is_not_called_again():
    conn = by_option({"vendor_hook": HOOK, "oidproxy": {"scope": SCOPE}})
    hook.apply(conn)
    assert conn.session.additional_headers == {"X-Scope": CANONICAL}


@pytest.mark.parametrize(
    "bad", ["other_hooks:fail", "other_hooks:missing", "no_such_module:load", "nonsense"]
)
def test_a_displaced_hook_that_fails_is_a_warning_as_without_us(other_hooks, caplog, bad):
    conn = by_option({"vendor_hook": bad})
    with caplog.at_level(logging.WARNING):
        hook.apply(conn)
    assert f"Configured hook {bad} cannot be executed" in caplog.text
    assert conn.session.additional_headers == {"X-Scope": CANONICAL}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "needs a scope"),
        ({"oidproxy": {}}, "has to be a text"),
        ({"oidproxy": "cloud-1"}, "has to be a mapping"),
        ({"oidproxy": {"scop": "cloud-1"}}, "unknown key `scop`"),
        ({"oidproxy": {"scope": "image:"}}, "image:\n"),
        ({"oidproxy": {"scope": "image:a;image:b"}}, "image:a;image:b\n"),
    ],
)
def test_every_problem_is_a_configexception_and_sends_nothing(config, reason):
    conn = connection({**config, "vendor_hook": HOOK}, {})
    with pytest.raises(ConfigException, match=reason):
        hook.apply(conn)
    assert conn.session.additional_headers == {}


@pytest.mark.parametrize(
    "error", [ValueError, ImportError, TypeError, AttributeError, ModuleNotFoundError, KeyError]
)
def test_what_the_sdk_would_swallow_never_leaves_the_hook(monkeypatch, error):
    def broken(text):
        raise error("broken")

    monkeypatch.setattr("oidproxy.scope.parse.parse", broken)
    with pytest.raises(ConfigException, match="broken"):
        hook.apply(by_option({}))


def test_a_language_that_cannot_be_imported_is_no_unscoped_run(monkeypatch):
    true_import = builtins.__import__

    def without_scope(name, *rest):
        if name.startswith("oidproxy.scope"):
            raise ModuleNotFoundError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_scope)
    with pytest.raises(ConfigException, match=r"oidproxy\.scope"):
        hook.apply(by_option({}))


def test_a_connection_we_do_not_understand_is_no_unscoped_run():
    with pytest.raises(ConfigException):
        hook.apply(SimpleNamespace())


def test_files_that_cannot_be_read_again_are_no_unscoped_run():
    conn = by_option({})
    conn.config.name = "another"
    with pytest.raises(ConfigException):
        hook.apply(conn)


@given(st.text(st.characters(min_codepoint=0xA0, categories=("L", "N")), min_size=1, max_size=20))
def test_any_name_arrives_as_its_utf8_bytes(name):
    value = hook.header_value(f'image:"{name}"')
    wire = value.encode("latin-1")
    assert wire.decode() == canonical(parse(f'image:"{name}"'))
    assert parse(wire) == parse(f'image:"{name}"')

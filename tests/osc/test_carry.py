"""The text that says where tokens are carried: names as in the scope language, entries as in clouds.yaml."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.errors import ConfigError, ScopeError
from oidproxy.osc.carry import Carried, carried, read
from oidproxy.osc.sources import GivenCarry
from oidproxy.scope.canonical import written_name
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import CloudName


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("edge-2", [("edge-2", "edge-2")]),
        ("edge-2, edge-3=my-entry", [("edge-2", "edge-2"), ("edge-3", "my-entry")]),
        (" edge-2 = my entry ,", [("edge-2", "my entry")]),
        ('"New York"=ny', [("New York", "ny")]),
        ('"New York"', [("New York", "New York")]),
        (r'"a\"b\\"="c,d=e"', [('a"b\\', "c,d=e")]),
        ("edge-2, edge-2", [("edge-2", "edge-2")]),
        ("", []),
        (" , ", []),
    ],
)
def test_clouds_and_their_entries(text, expected):
    assert [(one.cloud, one.entry) for one in read(text)] == expected


@pytest.mark.parametrize(
    "text", ["=a", "a=", "a=b=c", '"a', '"a"b', 'a"b"', '"a\nb"', "a=b c=d", '""', '"\\n"']
)
def test_what_has_another_shape(text):
    with pytest.raises(ConfigError, match="is not CLOUD"):
        read(text)


@pytest.mark.parametrize("text", ["@edges", "edge-*", "*", "a|b", "a/north", "nearest(a)", "New York", "a;b"])
def test_what_means_no_single_cloud(text):
    with pytest.raises(ConfigError, match="is no cloud's name"):
        read(text)


@pytest.mark.parametrize("text", ['"a\u2028b"', "a=b\udcff", "a=\x1b[2J"])
def test_a_name_can_be_shown(text):
    with pytest.raises(ConfigError, match="cannot be printed"):
        read(text)


def test_a_cloud_has_one_token():
    with pytest.raises(ConfigError, match="given both 'b' and 'c'"):
        read("a=b,a=c")


def test_an_error_says_where_the_text_comes_from():
    with pytest.raises(ConfigError, match=r"^OS_SCOPE_CARRY: "):
        carried({}, {"OS_SCOPE_CARRY": "="})


def test_the_option_and_the_environment():
    option = {"oidproxy_carry": GivenCarry("a", "--scope-carry")}
    assert carried(option, {"OS_SCOPE_CARRY": "b"}) == (Carried("a", "a"),)
    assert carried({}, {"OS_SCOPE_CARRY": "b"}) == (Carried("b", "b"),)
    assert carried({}, {}) == ()


@settings(deadline=None)  # the first text compiles the grammar
@given(st.text(min_size=1, max_size=12))
def test_a_name_is_what_the_scope_language_takes_for_one(name):
    written = written_name(name)
    try:
        [binding] = parse(f"image:{written}").bindings
    except ScopeError:
        with pytest.raises(ConfigError):
            read(written)
    else:
        assert binding.expr == CloudName(name)
        assert read(written) == (Carried(name, name),)

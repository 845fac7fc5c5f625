"""What an auth URL tells: where the proxy answers for itself, and which scope the URL holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_lib.exceptions import CommandError

from oidproxy.errors import ScopeError
from oidproxy.osc.address import auth_url, bound_scope, root
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.scope.url import auth_url as scoped_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://proxy/identity/v3", "https://proxy"),
        ("https://proxy:5000/v3", "https://proxy:5000"),
        ("http://[::1]:8888/s/a/identity", "http://[::1]:8888"),
        ("https://proxy", "https://proxy"),
    ],
)
def test_the_proxy_answers_for_itself_at_its_root(url, expected):
    assert root(url) == expected


@pytest.mark.parametrize(
    "url", ["", "proxy/identity", "ftp://proxy", "/identity/v3", "http:///v3", "http://[::1/v3"]
)
def test_what_is_no_url_has_no_root(url):
    with pytest.raises(CommandError, match="auth URL"):
        root(url)


def test_no_error_shows_what_stands_in_the_url():
    with pytest.raises(CommandError) as refused:
        root("ftp://alice:secret@proxy")
    assert "secret" not in str(refused.value)


def test_the_configured_auth_url():
    assert auth_url({"auth": {"auth_url": "http://x"}}) == "http://x"


def test_an_option_or_variable_wins_over_clouds_yaml():
    """Where the client keeps them until it validates credentials."""
    assert auth_url({"auth_url": "http://y", "auth": {"auth_url": "http://x"}}) == "http://y"
    assert auth_url({"auth_url": "http://y", "auth": {}}) == "http://y"


@pytest.mark.parametrize("config", [{}, {"auth": None}, {"auth": {}}, {"auth": {"auth_url": ""}}])
def test_no_auth_url_says_what_to_set(config):
    with pytest.raises(CommandError, match="--os-cloud"):
        auth_url(config)


@pytest.mark.parametrize(
    "url",
    ["https://proxy/identity/v3", "https://proxy", "https://proxy/", "", "https://p/v3/s/a", "https://p/s"],
)
def test_a_url_without_a_scope_binds_none(url):
    assert bound_scope(url) is None


@pytest.mark.parametrize(
    "url", ["https://proxy/s/a:b:c/identity/v3", "https://proxy/s//identity", "http://p/s/\udcff"]
)
def test_a_url_that_holds_junk_is_an_error(url):
    with pytest.raises(ScopeError):
        bound_scope(url)


NAMES = st.text("abcvx019.-", min_size=1, max_size=8).map(lambda text: f"n{text}n")
EXPRESSIONS = st.lists(NAMES, min_size=1, max_size=3).flatmap(
    lambda names: st.sampled_from(["|", "&"]).map(lambda sign: sign.join(names))
)
SERVICES = st.sampled_from(["image", "compute", "*", "identity"])


@given(st.dictionaries(SERVICES, EXPRESSIONS, min_size=1))
def test_every_scope_comes_back_from_its_url(bindings):
    scope = parse(";".join(f"{service}:{expr}" for service, expr in bindings.items()))
    assert bound_scope(scoped_url(scope, "https://proxy:8888")) == scope
    assert bound_scope(f"https://proxy/s/{tag(scope)}/identity/v3") == scope

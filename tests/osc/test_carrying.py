"""The transport that adds carried tokens: which URLs it is asked for, and that it leaves no trace."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests
from openstack.exceptions import ConfigException

from oidproxy.osc.carrying import Carrying, Tokens, carry
from oidproxy.osc.hook import apply
from oidproxy.osc.login import Login
from oidproxy.osc.sources import HOOK, GivenCarry


class Wire:
    """Stands in for the network: what arrives, and how it fails."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None]] = []
        self.failure: type[requests.RequestException] | None = None
        self.closed = 0

    def send(self, request, **_options):
        self.sent.append((request.url, request.headers.get("X-Scope-Tokens")))
        if self.failure:
            raise self.failure(request=request)
        answer = requests.Response()
        answer.status_code, answer.request = 200, request
        return answer

    def close(self) -> None:
        self.closed += 1


class Fixed(Tokens):
    """Tokens without signing in."""

    def __init__(self, value: str = "edge-2=t2") -> None:
        self.value = value
        self.asked = 0

    def header_value(self) -> str:
        self.asked += 1
        return self.value


@pytest.fixture
def wire():
    return Wire()


def session(wire: Wire, auth_url: object) -> SimpleNamespace:
    """As much of a keystoneauth session as counts here."""
    inner = requests.Session()
    inner.mount("http://", wire)
    inner.mount("https://", wire)
    return SimpleNamespace(session=inner, auth=SimpleNamespace(auth_url=auth_url))


def carries(wire: Wire, auth_url: str, url: str) -> bool:
    one = session(wire, auth_url)
    carry(one, Fixed())
    one.session.get(url)
    return wire.sent[-1][1] is not None


@pytest.mark.parametrize(
    ("auth_url", "url"),
    [
        ("https://proxy:8888/identity/v3", "https://proxy:8888/image/v2/images"),
        ("https://proxy:8888/identity/v3", "https://PROXY:8888/"),
        ("https://Proxy:8888", "https://proxy:8888"),
        ("https://proxy:8888/s/image:a/identity", "https://proxy:8888/s/x00/image?a=b"),
        ("https://proxy/identity", "https://proxy:443/image"),
        ("https://proxy:443/identity", "https://proxy/image"),
        ("http://proxy/identity", "http://proxy:80/image"),
        ("http://[::1]:8888/identity", "http://[::1]:8888/image"),
        ("http://[::1]/identity", "http://[::1]/image"),
        ("https://proxy:8888?x", "https://proxy:8888?y"),
    ],
)
def test_the_auth_urls_own_origin(wire, auth_url, url):
    assert carries(wire, auth_url, url)


@pytest.mark.parametrize(
    ("auth_url", "url"),
    [
        ("https://proxy:8888/identity/v3", "http://proxy:8888/image"),
        ("https://proxy:888/identity/v3", "https://proxy:8888/image"),
        ("https://proxy:8888/identity/v3", "https://proxy/image"),
        ("https://proxy/identity/v3", "https://proxy:8888/image"),
        ("https://proxy/identity/v3", "https://proxy.example/image"),
        ("https://proxy/identity/v3", "https://proxy@evil/image"),
        ("https://proxy/identity/v3", "https://proxy:443@evil/image"),
        ("https://proxy/identity/v3", "https://evil/https://proxy/image"),
        ("https://proxy/identity/v3", "https://evil\\@proxy/image"),
        ("https://proxy/identity/v3", "https://evil#https://proxy/"),
        ("http://127.0.0.1:80/identity", "http://127.0.0.1:8080/image"),
        ("http://127.0.0.1/identity", "http://127.0.0.11/image"),
    ],
)
def test_every_other_origin(wire, auth_url, url):
    assert not carries(wire, auth_url, url)


@pytest.mark.parametrize(
    "auth_url", [None, "", "proxy:8888", "ftp://proxy", "https://", "https://p:x", "http://[::1"]
)
def test_without_an_origin_nothing_runs(wire, auth_url):
    with pytest.raises(ConfigException, match="auth URL"):
        carry(session(wire, auth_url), Fixed())


def test_the_answer_holds_no_token(wire):
    one = session(wire, "http://proxy/identity")
    carry(one, Fixed())
    answer = one.session.get("http://proxy/image", headers={"X-Scope": "image:edge-2"})
    assert wire.sent == [("http://proxy/image", "edge-2=t2")]
    assert "X-Scope-Tokens" not in answer.request.headers
    assert answer.request.headers["X-Scope"] == "image:edge-2"


def test_an_error_holds_no_token(wire):
    one = session(wire, "http://proxy/identity")
    carry(one, Fixed())
    wire.failure = requests.ConnectionError
    with pytest.raises(requests.ConnectionError) as failed:
        one.session.get("http://proxy/image")
    assert wire.sent == [("http://proxy/image", "edge-2=t2")]
    assert "X-Scope-Tokens" not in failed.value.request.headers


def test_nothing_is_fetched_before_a_request_to_the_proxy(wire):
    one, tokens = session(wire, "http://proxy/identity"), Fixed()
    carry(one, tokens)
    one.session.get("http://other/image")
    assert tokens.asked == 0


def test_a_second_time_changes_nothing(wire):
    one = session(wire, "http://proxy/identity")
    carry(one, first := Fixed())
    carry(one, Fixed())
    one.session.get("http://proxy/image")
    assert [value for _, value in wire.sent] == ["edge-2=t2"]
    assert first.asked == 1


def test_closing_the_session_closes_the_transport_underneath(wire):
    one = session(wire, "http://proxy:8888/identity")
    carry(one, Fixed())
    before = wire.closed
    one.session.adapters["http://proxy:8888/"].close()
    assert wire.closed == before + 1


def test_a_hook_that_mounts_another_transport_does_not_take_the_tokens_away(wire, monkeypatch):
    """otcextensions and the like may exchange the session's transports."""
    monkeypatch.setattr(Login, "token", lambda self: "t2")
    one = session(wire, "http://proxy/identity")
    one.additional_headers = {}
    another = Wire()

    def mount(connection):
        connection.session.session.mount("http://proxy/", another)

    config = {"oidproxy_carry": GivenCarry("edge-2", "--scope-carry"), "vendor_hook": HOOK}
    files = {"vendor_hook": "their_hook:mount"}
    loader = SimpleNamespace(get_one=lambda **_: SimpleNamespace(config=files))
    region = SimpleNamespace(config=config, name="lab", region_name="", _openstack_config=loader)
    monkeypatch.setitem(__import__("sys").modules, "their_hook", SimpleNamespace(mount=mount))
    apply(SimpleNamespace(config=region, session=one))
    one.session.get("http://proxy/image")
    assert another.sent == [("http://proxy/image", "edge-2=t2")]
    assert isinstance(one.session.get_adapter("http://proxy/"), Carrying)
    assert one.additional_headers == {}


@pytest.mark.parametrize("files", [{"vendor_hook": HOOK}, {"vendor_hook": HOOK, "oidproxy": None}])
def test_carrying_excuses_no_hook_of_clouds_yaml_from_its_scope(wire, files):
    one = session(wire, "http://proxy/identity")
    one.additional_headers = {}
    config = {"oidproxy_carry": GivenCarry("edge-2", "--scope-carry"), "vendor_hook": HOOK}
    loader = SimpleNamespace(get_one=lambda **_: SimpleNamespace(config=files))
    region = SimpleNamespace(config=config, name="lab", region_name="", _openstack_config=loader)
    with pytest.raises(ConfigException, match="needs a scope"):
        apply(SimpleNamespace(config=region, session=one))

"""The rules of the admin listener, each on its own."""

from __future__ import annotations

import pytest

from oidproxy.console.guard import Caller, Guard
from oidproxy.errors import NotAdmitted, TokenRefused

GUARD = Guard("127.0.0.1", "s3cret-admin-token")
TOKEN = "Bearer s3cret-admin-token"


def caller(**changes) -> Caller:
    known = {"peer": "127.0.0.1", "port": 8889, "host": "127.0.0.1:8889"}
    return Caller(**{**known, **changes})


@pytest.mark.parametrize("host", ["127.0.0.1:8889", "localhost:8889", "LocalHost:8889", "[::1]:8889"])
def test_reading_is_for_the_machine_itself_by_a_name_of_ours(host):
    GUARD.may_read(caller(host=host))


@pytest.mark.parametrize("peer", ["127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_every_loopback_address_is_the_machine_itself(peer):
    GUARD.may_read(caller(peer=peer))


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "", "localhost"])
def test_no_other_peer_reads(peer):
    with pytest.raises(NotAdmitted, match="from the machine itself"):
        GUARD.may_read(caller(peer=peer))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8889",
        "127.0.0.1",
        "127.0.0.1:8888",
        "localhost",
        "",
        "127.0.0.1:8889.evil.example",
        "10.0.0.1:8889",
    ],
)
def test_a_name_that_was_made_to_resolve_to_us_is_not_ours(host):
    with pytest.raises(NotAdmitted, match="Host"):
        GUARD.may_read(caller(host=host))


def test_on_port_80_a_browser_leaves_the_port_out():
    GUARD.may_read(caller(port=80, host="localhost"))


def test_the_configured_address_is_a_name_of_ours():
    Guard("::1", "").may_read(caller(peer="::1", host="[::1]:8889"))
    Guard("127.8.8.8", "").may_read(caller(host="127.8.8.8:8889"))


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8889", "http://localhost:8889"])
def test_the_token_changes_things_from_no_page_or_from_ours(origin):
    GUARD.may_change(caller(origin=origin, authorization=TOKEN))


def test_the_token_changes_things_from_another_machine():
    GUARD.may_change(caller(peer="10.0.0.1", host="admin.example:8889", authorization=TOKEN))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "https://127.0.0.1:8889",
        "http://127.0.0.1:8888",
        "http://127.0.0.1",
    ],
)
def test_another_page_changes_nothing_even_with_the_token(origin):
    with pytest.raises(NotAdmitted, match="Origin"):
        GUARD.may_change(caller(origin=origin, authorization=TOKEN))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer s3cret-admin-toke",
        "Bearer s3cret-admin-token2",
        "Basic s3cret-admin-token",
        "s3cret-admin-token",
        "Bearer \udcff",
    ],
)
def test_nothing_but_the_token_changes_anything(authorization):
    with pytest.raises(TokenRefused):
        GUARD.may_change(caller(authorization=authorization))


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer x"])
def test_without_a_configured_token_nothing_can_be_changed(authorization):
    with pytest.raises(NotAdmitted, match="no admin token"):
        Guard("127.0.0.1", "").may_change(caller(authorization=authorization))


def test_the_scheme_is_case_insensitive():
    GUARD.may_change(caller(authorization="bearer s3cret-admin-token"))


def test_no_repr_shows_the_token():
    shown = repr(GUARD) + repr(caller(authorization=TOKEN))
    assert "s3cret" not in shown

"""The sets of special fields agree with the programs they are about."""

from __future__ import annotations

import pytest

from oidproxy.http.fields import (
    END_TO_END,
    HOP_BY_HOP,
    KEYSTONE_FIELDS,
    SECRET_FIELDS,
    SINGLE_FIELDS,
    connection_named,
    steers_scope,
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_c4_every_field_that_keystonemiddleware_sets_is_known():
    from keystonemiddleware.auth_token._request import _AuthTokenRequest

    request = _AuthTokenRequest.blank("/")
    theirs = {name.lower().encode() for name in request._all_auth_headers()}
    theirs |= {request._SYSTEM_SCOPE_HEADER.lower().encode()}
    assert len(theirs) > 25
    assert theirs <= KEYSTONE_FIELDS


def test_c4_the_tokens_themselves_are_not_among_them():
    assert not KEYSTONE_FIELDS & {b"x-auth-token", b"x-service-token", b"x-subject-token"}


def test_c1_connection_names_further_fields():
    fields = [
        (b"Connection", b"close, X-One ,,"),
        (b"Accept", b"X-Two"),
        (b"connection", b"Keep-Alive,\tx-three"),
    ]
    assert connection_named(fields) == {b"x-one", b"x-three"}


def test_c1_the_hop_by_hop_fields():
    assert {
        b"connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"trailer",
        b"http2-settings",
    } <= HOP_BY_HOP


@pytest.mark.parametrize("name", [b"x-scope", b"x-scope-tokens", b"x-oidproxy-error", b"x-scoped"])
def test_c8b_our_own_fields(name):
    assert steers_scope(name)
    assert not steers_scope(b"x-auth-" + name)


def test_the_sets_hold_lower_case_names():
    for names in (HOP_BY_HOP, KEYSTONE_FIELDS, SECRET_FIELDS, SINGLE_FIELDS, END_TO_END):
        assert all(name == name.lower() and name for name in names)

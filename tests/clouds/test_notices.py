"""What an operator is told of a configuration that can be used, but may not do what it seems to."""

from __future__ import annotations

import logging

import pytest

from oidproxy.clouds.loading.load import load

_AUTH = "{username: u, password: p, project_id: i, user_domain_id: d}"
FILES = {"clouds.yaml": f"clouds: {{reader: {{auth: {_AUTH}}}}}"}
GATEWAY = '{bind: "127.0.0.1:8888"}'


@pytest.fixture
def notices(loaded, tmp_path):
    def read(text):
        return [str(notice).replace(f"{tmp_path}/", "") for notice in loaded(text, FILES).notices]

    return read


# Default scopes under which services log in elsewhere.


def two_clouds(*listeners: str, scope: str = "") -> str:
    return (
        f'scope: "{scope}"\n'
        "listeners:\n" + "".join(f"  - {listener}\n" for listener in listeners) + "local: one\n"
        "clouds:\n  one: {upstream: 127.0.9.1, groups: [all]}\n  two: {upstream: 127.0.9.2, groups: [all]}\n"
    )


def beside(cloud: str, scope: str = "") -> str:
    host = {"one": "127.0.8.1", "two": "127.0.8.2"}[cloud]
    return f'{{bind: {host}, ports: openstack, cloud: {cloud}, scope: "{scope}"}}'


def away(place: str, clouds: str, expression: str) -> str:
    return (
        f"oidproxy.yaml:{place}: this scope binds identity to {expression}: the services of {clouds} log in "
        "there too, and not at their own Keystone; bind services by name, and leave identity out"
    )


@pytest.mark.parametrize("scope", ["identity:one", "*:one", "keystone:one;image:two", "one"])
def test_a_default_scope_that_takes_logins_away_is_told_with_the_clouds_it_concerns(notices, scope):
    text = two_clouds(GATEWAY, beside("one"), beside("two"), scope=scope)
    assert notices(text) == [away("1:8", "two", "one")]


def test_a_listeners_scope_is_told_at_its_own_place(notices):
    text = two_clouds(GATEWAY, beside("one", "two"), beside("two"))
    assert notices(text) == [away("4:60", "one", "two")]


def test_a_listeners_scope_stands_over_the_configurations(notices):
    text = two_clouds(beside("one", "identity:one"), beside("two", "keystone:two"), scope="identity:one")
    assert notices(text) == []
    text = two_clouds(beside("one", "image:one"), beside("two", "image:one"), scope="identity:one")
    assert notices(text) == [away("1:8", "two", "one")]


@pytest.mark.parametrize(
    ("expression", "clouds"),
    [
        ("one", "two"),
        ("one|two", "two"),
        ("two|one", "one"),
        ("one&two", "two"),
        ("@all", ""),  # of a set, the listener's own cloud logs in its services
        ("o*", "two"),
        ("@all|one", ""),
        ("@all&not(one)", "one"),
    ],
)
def test_it_is_told_of_the_clouds_whose_logins_do_go_elsewhere(notices, expression, clouds):
    found = notices(two_clouds(beside("one"), beside("two"), scope=f"identity:{expression}"))
    assert found == ([away("1:8", clouds, expression)] if clouds else [])


@pytest.mark.parametrize(
    "text",
    [
        two_clouds(GATEWAY, scope="identity:two"),
        two_clouds(GATEWAY, beside("one"), beside("two"), scope="image:two"),
        two_clouds('{bind: "127.0.0.1:8888", scope: "two"}', beside("one")),
    ],
    ids=["no listener beside a cloud", "identity unbound", "a gateway's own scope"],
)
def test_nothing_is_told_where_no_login_is_concerned(notices, text):
    assert notices(text) == []


def test_the_notice_says_what_routing_does():
    """The premise of all of the above, asked of routing itself."""
    from oidproxy.routing.decision import Issue
    from oidproxy.scope.parse import parse
    from tests.routing import world

    login = world.head("POST", "/v3/auth/tokens")
    here = world.at("cloud-2", "identity")
    for scope, cloud in (("", "cloud-2"), ("*:cloud-1", "cloud-1"), ("identity:@far", "cloud-2")):
        known = world.snapshot(world.registry(scope=parse(scope) if scope else parse("image:cloud-1")))
        found = world.ask(login, here, known, b'{"auth": {}}')
        assert isinstance(found, Issue)
        assert found.route.cloud == cloud


def test_a_proxy_that_starts_says_so_in_its_log(write, caplog):
    with caplog.at_level(logging.WARNING):
        load(write(two_clouds(beside("one"), beside("two"), scope="*:one")))
    logged = [record.getMessage().partition("oidproxy.yaml:")[2] for record in caplog.records]
    assert logged == [away("1:8", "two", "one").partition("oidproxy.yaml:")[2]]


# Exchange: keys of which one does nothing without the other.

USELESS = {
    "admits without a way": (
        "exchange: []\n    admits: {two: {roles: [m]}}",
        "6:5: one: it admits others, but exchange names no way to give them a token of its own",
    ),
    "credentials without the way": (
        "exchange: [carried]\n    mapped: {two: {p: reader}}\n    admits: {two: {roles: [m]}}",
        "7:5: one: these credentials are not used, since exchange does not name mapped",
    ),
    "credentials for a project that is not admitted": (
        "exchange: [mapped]\n    mapped: {two: {p: reader}}\n    admits: {two: {roles: [m], projects: [q]}}",
        "7:20: one does not admit this project of two, so its credentials are not used",
    ),
    "one account for two projects": (
        "exchange: [mapped]\n    mapped: {two: {p: reader, q: reader}}\n    admits: {two: {roles: [m]}}",
        "7:31: one: reader is also for project p of two: both share all they have",
    ),
    "services where nobody asks": (
        "exchange: [carried]\n    admits: {two: {roles: [m], services: [{user: nova, project: service}]}}",
        "7:32: one: its services ask their own Keystone, so no service of two is known there",
    ),
    "credentials for nobody": (
        "exchange: [mapped]\n    mapped: {two: {p: reader}}",
        "7:14: one does not admit two, so these credentials are not used",
    ),
}


@pytest.mark.parametrize("case", USELESS)
def test_what_does_nothing_is_said(notices, case):
    keys, expected = USELESS[case]
    text = (
        "local: one\n"
        f"clouds:\n  two: {{upstream: 127.0.9.2}}\n  one:\n    upstream: 127.0.9.1\n    {keys}\n"
        "clouds_yaml: clouds.yaml\n"
    )
    assert notices(text) == [f"oidproxy.yaml:{expected}"]


def test_a_cloud_that_exchanges_needs_no_key_of_the_fleet(notices):
    text = (
        "local: one\nclouds:\n  two: {upstream: 127.0.9.2}\n"
        "  one: {upstream: 127.0.9.1, auth_url: 'http://127.0.9.2:5000/v3', exchange: [same], "
        "admits: {two: {roles: [m]}}}\n"
    )
    assert notices(text) == []


def test_a_token_that_goes_to_a_cloud_with_another_keystone_as_it_is_is_said(notices):
    text = (
        "local: one\nclouds:\n  two: {upstream: 127.0.9.2}\n"
        "  one: {upstream: 127.0.9.1, exchange: [same], admits: {two: {roles: [m]}}}\n"
    )
    (notice,) = notices(text)
    assert notice.startswith(
        "oidproxy.yaml:4:30: one: by same its services get the tokens of two as they are"
    )

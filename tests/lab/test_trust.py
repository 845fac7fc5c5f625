"""Who of cloud-1 may do what at cloud-999, against a table written by hand, on real services.

An entry is the status of the answer. Anything that succeeds beyond the table is a failure.
"""

from __future__ import annotations

import json
import time
import uuid

import pytest

from devstack.lab.api import send
from devstack.lab.passwords import Secrets

CALLS = {
    "list images": ("image", "GET", "/v2/images", None),
    "create an image": (
        "image",
        "POST",
        "/v2/images",
        {"name": "trust", "disk_format": "raw", "container_format": "bare"},
    ),
    "create a public image": (
        "image",
        "POST",
        "/v2/images",
        {"name": "trust", "disk_format": "raw", "container_format": "bare", "visibility": "public"},
    ),
    "list servers": ("compute", "GET", "/v2.1/servers", None),
    "list everybody's servers": ("compute", "GET", "/v2.1/servers?all_tenants=1", None),
    "list compute services": ("compute", "GET", "/v2.1/os-services", None),
    "create a flavor": (
        "compute",
        "POST",
        "/v2.1/flavors",
        {"flavor": {"name": "trust", "ram": 1, "vcpus": 1, "disk": 1}},
    ),
    "list volumes": ("block-storage", "GET", "/v3/{project}/volumes", None),
    "create a volume": ("block-storage", "POST", "/v3/{project}/volumes", {"volume": {"size": 1}}),
    "list volume services": ("block-storage", "GET", "/v3/{project}/os-services", None),
    "list networks": ("network", "GET", "/v2.0/networks", None),
    "create a network": ("network", "POST", "/v2.0/networks", {"network": {"name": "trust"}}),
    "create a shared network": ("network", "POST", "/v2.0/networks", {"network": {"shared": True}}),
}
MEMBER = {
    "list images": 200,
    "create an image": 201,
    "create a public image": 403,
    "list servers": 200,
    "list everybody's servers": 403,
    "list compute services": 403,
    "create a flavor": 403,
    "list volumes": 200,
    "create a volume": 202,
    "list volume services": 403,
    "list networks": 200,
    "create a network": 201,
    "create a shared network": 403,
}
READER = {
    **MEMBER,
    "create an image": 403,
    # As at home: Cinder enforces its new defaults only if it is told to (`[oslo_policy]`).
    "create a volume": 202,
    "create a network": 403,
}
REFUSED = dict.fromkeys(CALLS, 403)
"""By the proxy: the service does not even hear of it."""

UNKNOWN = dict.fromkeys(CALLS, 401)
ALL_ABROAD = "{keystone:cloud-1;nova+glance+cinder+neutron:cloud-999}"
SECONDS = 20.0


def login(home, user, project, scope=None):
    """A user's token and project id; `scope` is Keystone's own."""
    default = {"name": "Default"}
    known = {"name": user, "password": Secrets(home.folder).get(user), "domain": default}
    answer = send(
        "POST",
        f"{home.beside_url('identity')}/v3/auth/tokens",
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": known}},
                "scope": scope or {"project": {"name": project, "domain": default}},
            }
        },
    )
    assert answer.status == 201, answer
    return answer.headers["x-subject-token"], answer.json["token"].get("project", {}).get("id", "0" * 32)


def outcome(home, token, project, call, scope):
    """The status of one call; what it made is deleted again."""
    service, method, path, body = CALLS[call]
    fields = {"X-Auth-Token": token, "X-Scope": scope}
    url = home.beside_url(service) + path.format(project=project)
    answer = send(method, url, body, headers=fields)
    if method == "POST" and answer.status < 300:
        made = answer.json.get("id") or next(iter(answer.json.values()))["id"]
        removed(f"{url}/{made}", fields)
    return answer.status


def removed(url, fields):
    """Delete what was made, once it is there: Cinder lets a volume be deleted that is still being made."""
    deadline = time.monotonic() + SECONDS
    while b'"status": "creating"' in send("GET", url, headers=fields).body:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    while (status := send("DELETE", url, headers=fields).status) not in {202, 204}:
        assert time.monotonic() < deadline, status
        time.sleep(0.5)


def outcomes(home, token, project, scope=ALL_ABROAD):
    return {call: outcome(home, token, project, call, scope) for call in CALLS}


def heard(lab, home, abroad, since):
    """What the other cloud was sent of what came to the addresses beside home, since a time in ns."""
    calls = map(json.loads, lab.access_log.read_text().splitlines())
    return [
        call
        for call in calls
        if call["time"] >= since
        and call["listener"].startswith(f"{home.beside}:")
        and call.get("cloud") == abroad.name
        and not call.get("error")
    ]


@pytest.fixture
def unheard(lab, home, abroad):
    """Whatever the test does, nothing of it reaches the other cloud."""
    since = time.time_ns()
    yield
    time.sleep(1)
    assert heard(lab, home, abroad, since) == []


@pytest.mark.parametrize(("user", "table"), [("demo", MEMBER), ("viewer", READER)])
def test_the_table_is_what_the_services_themselves_grant_at_home(home, user, table):
    assert outcomes(home, *login(home, user, "demo"), "identity:cloud-1") == table


def test_a_member_is_a_member(home):
    assert outcomes(home, *login(home, "demo", "demo")) == MEMBER


def test_a_reader_is_a_reader(home):
    assert outcomes(home, *login(home, "viewer", "demo")) == READER


def test_an_administrator_is_no_more_than_a_member(home):
    assert outcomes(home, *login(home, "admin", "admin")) == MEMBER


def test_who_speaks_for_all_of_home_is_nobody(home, unheard):
    assert outcomes(home, *login(home, "admin", "admin", {"system": {"all": True}})) == REFUSED


@pytest.fixture
def admitting_nobody(lab):
    """The same configuration without its policy, until the test is over."""
    text = lab.config.read_text()
    lines = text.splitlines(keepends=True)
    # What `admits` holds is indented deeper than a cloud's own keys.
    configured(lab, "".join(line for line in lines if not line.startswith(("    admits", "      "))))
    yield
    configured(lab, text)


def configured(lab, text):
    """Let the proxy that runs have this configuration."""
    log = lab.shared / "proxy.log"
    before = log.read_text().count("reloaded")
    lab.config.write_text(text)
    deadline = time.monotonic() + SECONDS
    while log.read_text().count("reloaded") == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize(("user", "project"), [("demo", "demo"), ("viewer", "demo"), ("admin", "admin")])
def test_without_a_policy_everybody_is_nobody(admitting_nobody, unheard, home, user, project):
    assert outcomes(home, *login(home, user, project)) == REFUSED


def test_a_token_that_was_changed_is_nobodys(home):
    token, project = login(home, "demo", "demo")
    head, mark, envelope = token.partition("~")
    changed = f"{head[:-8]}{uuid.uuid4().hex[:8]}{mark}{envelope}"
    assert outcomes(home, changed, project) == UNKNOWN

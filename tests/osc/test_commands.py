"""The commands `openstack scope …`, run by the real client against a recording proxy."""

from __future__ import annotations

import json

import pytest

from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag

TEXT = "{keystone:cloud-1;glance:cloud-999}"
CANONICAL = "identity:cloud-1;image:cloud-999"
TAG = tag(parse(TEXT))
HOOK = "oidproxy.osc.hook:apply"

EXPLAINED = {
    "scope": CANONICAL,
    "services": [
        {
            "service": "identity",
            "carrier": "header",
            "plan": "cloud-1",
            "clouds": ["cloud-1"],
            "token": "as it is",
            "more": "of a later version",
        },
        {
            "service": "image",
            "carrier": "header",
            "plan": {"all-of": ["a", "b"]},
            "clouds": ["a", "b"],
            "error": "cloud-2 admits nobody",
        },
    ],
}


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# scope show


def test_show_the_option(client, proxy):
    shown = answer(client.openstack("scope", "show", "-f", "json", "--scope", TEXT))
    assert shown == {"scope": CANONICAL, "source": "--scope", "tag": TAG}
    assert not proxy.seen


def test_show_the_environment_over_the_auth_url(client, proxy):
    client.environ["OIDPROXY_SCOPE"] = "glance:cloud-999"
    client.cloud["auth"]["auth_url"] = f"{proxy.url}/s/image:cloud-2;identity:cloud-1/identity/v3"
    shown = answer(client.openstack("scope", "show", "-f", "json"))
    assert (shown["scope"], shown["source"]) == (CANONICAL, "OIDPROXY_SCOPE over auth URL")


def test_show_clouds_yaml(client):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": TEXT})
    shown = answer(client.openstack("scope", "show", "-f", "json"))
    assert shown == {"scope": CANONICAL, "source": "clouds.yaml", "tag": TAG}


def test_show_nothing(client):
    assert answer(client.openstack("scope", "show", "-f", "json")) == {
        "scope": "",
        "source": "none",
        "tag": "",
    }


def test_show_says_when_a_scope_in_clouds_yaml_has_no_hook(client):
    client.cloud.update(oidproxy={"scope": TEXT})
    done = client.openstack("scope", "show")
    assert done.returncode == 1
    assert f"NOT in force: this cloud of clouds.yaml has no `vendor_hook: {HOOK}`" in done.stderr


# scope check


def test_check_needs_no_cloud(client, proxy):
    del client.environ["OS_CLOUD"]
    checked = answer(client.openstack("scope", "check", TEXT, "-f", "json"))
    assert checked == {"scope": CANONICAL, "tag": TAG}
    assert not proxy.seen


def test_check_refuses_with_2_and_a_caret(client):
    done = client.openstack("scope", "check", "glance:a;image:b")
    assert done.returncode == 2
    assert "glance:a;image:b\n" in done.stderr
    assert "^" in done.stderr


def test_check_asks_the_proxy_which_clouds(client, proxy):
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, EXPLAINED)
    checked = answer(client.openstack("scope", "check", TEXT, "--clouds", "-f", "json"))
    assert checked["clouds"] == {"identity": ["cloud-1"], "image": ["a", "b"]}
    assert proxy.query("/.well-known/oidproxy/explain") == {"scope": [CANONICAL]}


# scope url


def test_url_of_a_text(client, proxy):
    done = client.openstack("scope", "url", TEXT, "-f", "value", "-c", "url")
    assert done.stdout == f"{proxy.url}/s/identity:cloud-1;image:cloud-999/identity/v3\n", done.stderr
    assert not proxy.seen


def test_url_of_the_scope_in_force_takes_a_tag_where_it_must(client, proxy):
    shown = answer(client.openstack("--scope", "image:dev1", "scope", "url", "-f", "json"))
    assert shown == {"url": f"{proxy.url}/s/{tag(parse('image:dev1'))}/identity/v3", "scope": "image:dev1"}


def test_url_of_no_scope(client):
    done = client.openstack("scope", "url")
    assert done.returncode == 1
    assert "no scope is in force" in done.stderr


# scope explain, scope cloud list


def test_explain_the_scope_in_force(client, proxy):
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, EXPLAINED)
    request = ["--method", "POST", "--path", "/compute/v2.1/servers"]
    rows = answer(client.openstack("scope", "explain", *request, "-f", "json", "--scope", TEXT))
    assert rows == [
        {
            "Service": "identity",
            "Carrier": "header",
            "Plan": "cloud-1",
            "Clouds": ["cloud-1"],
            "Token": "as it is",
            "Error": None,
        },
        {
            "Service": "image",
            "Carrier": "header",
            "Plan": '{"all-of": ["a", "b"]}',
            "Clouds": ["a", "b"],
            "Token": None,
            "Error": "cloud-2 admits nobody",
        },
    ]
    assert proxy.query("/.well-known/oidproxy/explain") == {
        "method": ["POST"],
        "path": ["/compute/v2.1/servers"],
    }
    [question] = [request for request in proxy.seen if "explain" in request.path]
    assert question.headers["x-auth-token"] == "t0ken"
    assert question.scope == CANONICAL.encode()


def test_explain_another_scope_than_the_one_in_force(client, proxy):
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, EXPLAINED)
    client.environ["OIDPROXY_SCOPE"] = "image:cloud-2"
    assert answer(client.openstack("scope", "explain", TEXT, "-f", "json"))
    assert proxy.query("/.well-known/oidproxy/explain") == {"scope": [CANONICAL]}


def test_explain_a_request_that_no_service_gets(client, proxy):
    refused = {"scope": "", "services": [], "request": {"decision": "refuse"}}
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, refused)
    done = client.openstack("scope", "explain", "--path", "/nonsense")
    assert "No service gets this request. The proxy's own decision: refuse" in done.stderr


def test_explain_a_request_that_is_refused_says_why(client, proxy):
    request = {"decision": "refuse", "status": 404, "error": "No service is served there.", "more": "later"}
    refused = {"scope": "", "services": [], "request": request}
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, refused)
    done = client.openstack("scope", "explain", "--path", "/nonsense")
    assert "own decision: refuse (404 No service is served there.)" in done.stderr


def test_explain_a_method_needs_a_path(client, proxy):
    done = client.openstack("scope", "explain", "--method", "POST")
    assert done.returncode == 1
    assert "needs --path" in done.stderr
    assert not [request for request in proxy.seen if "explain" in request.path]


def test_cloud_list(client):
    rows = answer(client.openstack("scope", "cloud", "list", "-f", "json"))
    assert rows == [
        {
            "Name": "cloud-1",
            "Regions": ["RegionOne"],
            "Groups": ["fr"],
            "Services": ["compute", "image"],
            "Home": True,
        },
        {"Name": "New York", "Regions": ["east", "west"], "Groups": [], "Services": ["image"], "Home": False},
    ]


def test_cloud_list_as_a_table_and_as_csv(client):
    table = client.openstack("scope", "cloud", "list")
    assert "| New York | east, west |" in table.stdout
    csv = client.openstack("scope", "cloud", "list", "-f", "csv", "--quote", "none")
    assert csv.stdout.splitlines()[0] == "Name,Regions,Groups,Services,Home"


UNKNOWN = (404, {}, {"error": {"code": 404, "message": "unknown"}})
REFUSED = (
    403,
    {"X-Oidproxy-Error": "not-admitted"},
    {"error": {"message": "cloud-2 admits nobody of cloud-1"}},
)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (UNKNOWN, "(HTTP 404); is the auth URL that of a proxy?"),
        (
            (200, {"Content-Type": "text/html"}, "<html>"),
            "answered no JSON); is the auth URL that of a proxy?",
        ),
        ((200, {}, {"versions": []}), "answered something else); is the auth URL that of a proxy?"),
        ((200, {}, {"clouds": ["cloud-1"]}), "answered something else); is the auth URL that of a proxy?"),
        ((302, {"Location": "/image/v2/images"}, {}), "(HTTP 302); is the auth URL that of a proxy?"),
        (REFUSED, "refused (HTTP 403): cloud-2 admits nobody of cloud-1"),
        ((503, {"X-Oidproxy-Error": "draining"}, "<html>"), "refused (HTTP 503): no reason given"),
    ],
)
def test_what_is_no_proxy_or_refuses_is_told_apart(page, reason):
    """Without the client's process: the same question, over a session that gives this answer."""
    from osc_lib.exceptions import CommandError

    from oidproxy.osc.questions import Proxy

    status, headers, document = page
    session = FixedSession(status, headers, document)
    with pytest.raises(CommandError) as refused:
        Proxy(session, "https://proxy:5000/v3").clouds()
    assert str(refused.value).endswith(reason)
    assert "https://proxy:5000 " in str(refused.value)
    assert session.asked == ["https://proxy:5000/.well-known/oidproxy/clouds"]


class FixedSession:
    """A keystoneauth session that always gets one answer."""

    def __init__(self, status: int, headers: dict, document: object) -> None:
        self.status_code = status
        self.headers = headers
        self.document = document
        self.asked: list[str] = []

    def get(self, url, *, params, headers, redirect, raise_exc):
        assert (params, redirect, raise_exc) == ({}, False, False)
        self.asked.append(url)
        return self

    def json(self):
        if isinstance(self.document, str):
            raise json.JSONDecodeError("no JSON", self.document, 0)
        return self.document


def test_the_client_says_that_an_ordinary_cloud_is_no_proxy(client, proxy):
    proxy.pages["/.well-known/oidproxy/clouds"] = UNKNOWN
    done = client.openstack("scope", "cloud", "list")
    assert done.returncode == 1
    assert f"no oidproxy answers at {proxy.url} (HTTP 404)" in done.stderr
    assert "Traceback" not in done.stderr

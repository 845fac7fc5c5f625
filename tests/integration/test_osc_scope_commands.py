"""`openstack scope …` against the real proxy: what it tells of scopes, clouds and its own decisions."""

from __future__ import annotations

import pytest

from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.scope.url import auth_url

SCOPE = "keystone:cloud-1;glance:cloud-999"
CANONICAL = "identity:cloud-1;image:cloud-999"
SERVICES = {"block-storage", "compute", "identity", "image", "network", "placement"}


@pytest.fixture(scope="module")
def url(lab):
    return auth_url(parse(SCOPE), lab.places.gateway_url)


@pytest.fixture(scope="module")
def unscoped(openstack):
    with openstack.shell() as shell:
        yield shell


@pytest.fixture(scope="module")
def headed(openstack):
    with openstack.given(OIDPROXY_SCOPE=f"{{{SCOPE}}}").shell() as shell:
        yield shell


@pytest.fixture(scope="module")
def bound(openstack, url):
    """By its auth URL."""
    with openstack.given(OS_AUTH_URL=url).shell() as shell:
        yield shell


def explained(rows, *columns):
    return {row["Service"]: tuple(row[column] for column in columns) for row in rows}


def test_show(unscoped, headed, bound):
    assert unscoped.json("scope", "show") == {"scope": "", "source": "none", "tag": ""}
    shown = {"scope": CANONICAL, "tag": tag(parse(SCOPE))}
    assert headed.json("scope", "show") == {**shown, "source": "OIDPROXY_SCOPE"}
    assert bound.json("scope", "show") == {**shown, "source": "auth URL"}


def test_check(unscoped):
    assert unscoped.json("scope", "check", SCOPE)["scope"] == CANONICAL
    clouds = unscoped.json("scope", "check", SCOPE, "--clouds")["clouds"]
    assert clouds == {name: ["cloud-999" if name == "image" else "cloud-1"] for name in SERVICES}
    bad = unscoped("scope", "check", "glance:cloud-1;image:cloud-2")
    assert "bound twice" in bad.err
    assert unscoped("scope", "check", "glance:cloud-2", "--clouds").err.startswith("the proxy at ")


def test_explain_says_where_what_goes_and_why(unscoped, headed, bound):
    columns = ("Carrier", "Clouds", "Token", "Error")
    home = dict.fromkeys(SERVICES, ("home", ["cloud-1"], "sealed", None))
    identity = ("token", ["cloud-1"], "bare", None)
    assert explained(unscoped.json("scope", "explain"), *columns) == {**home, "identity": identity}
    for shell, carrier in ((headed, "header"), (bound, "token")):
        assert explained(shell.json("scope", "explain"), *columns) == {
            **home,
            "identity": (carrier, ["cloud-1"], "bare", None),
            "image": (carrier, ["cloud-999"], "closed", None),
        }


def test_explain_another_scope_and_one_request(unscoped, bound):
    rows = explained(unscoped.json("scope", "explain", "image:cloud-1&cloud-999"), "Clouds", "Error")
    assert rows["image"] == (["cloud-1", "cloud-999"], None)
    rows = explained(unscoped.json("scope", "explain", "image:cloud-1%cloud-999"), "Clouds", "Error")
    clouds, error = rows["image"]
    assert clouds == ["cloud-1", "cloud-999"]
    assert "one resource across clouds" in error
    request = ("--method", "POST", "--path", "/compute/v2.1/servers")
    [row] = bound.json("scope", "explain", "nova:cloud-999", *request)
    assert (row["Service"], row["Clouds"], row["Token"]) == ("compute", ["cloud-999"], "closed")


def test_url_is_an_auth_url_for_any_client(unscoped, headed, bound, openstack, url):
    beside = openstack.environment["OS_AUTH_URL"].removesuffix("/v3")
    assert unscoped.json("scope", "url", SCOPE) == {
        "url": f"{beside}/s/{CANONICAL}/identity/v3",
        "scope": CANONICAL,
    }
    assert headed.json("scope", "url") == unscoped.json("scope", "url", SCOPE)
    assert bound.json("scope", "url")["url"] == url
    assert "no scope is in force" in unscoped("scope", "url").err


def test_the_url_works_as_the_documentation_shows_it(openstack):
    printed = openstack("scope", "url", f"<{SCOPE}>", "-f", "value", "-c", "url")
    assert printed.status == 0, printed.err
    found = openstack.given(OS_AUTH_URL=printed.out.strip())("image", "list", "-f", "value", "-c", "Name")
    assert (found.status, "cirros" in found.out.splitlines()) == (0, True)


def test_the_clouds_that_admit_the_user(unscoped, bound, lab):
    expected = [
        {
            "Name": place.name,
            "Regions": [place.region],
            "Groups": [],
            "Services": sorted(SERVICES),
            "Home": place.name == "cloud-1",
        }
        for place in lab.places.clouds
    ]
    assert unscoped.json("scope", "cloud", "list") == expected
    assert bound.json("scope", "cloud", "list") == expected

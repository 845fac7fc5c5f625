"""The real openstackclient and openstacksdk with the plugin installed: what leaves the machine."""

from __future__ import annotations

import json

import pytest

from oidproxy.scope.parse import parse
from oidproxy.scope.url import auth_url

SCOPE = "<keystone:cloud-1;glance:cloud-999>"
CANONICAL = b"identity:cloud-1;image:cloud-999"
HOOK = "oidproxy.osc.hook:apply"

LIST_IMAGES = "import openstack; list(openstack.connect(cloud='lab').image.images()); print('listed')"

EVERY_STEP = {"GET /identity/v3", "POST /identity/v3/auth/tokens", "GET /image/v2/images"}
"""Discovery, the token, the call itself: each of them has to carry the scope."""

OTHER_HOOK = """
def load(connection):
    headers = connection.session.additional_headers
    headers["X-Other"] = headers.get("X-Scope", "")
"""


def listed(done) -> bool:
    assert done.returncode == 0, done.stderr
    return True


@pytest.mark.parametrize(
    "argv",
    [["--scope", SCOPE, "image", "list"], ["image", "list", "--scope", SCOPE]],
    ids=["before", "after"],
)
def test_every_request_carries_the_option(client, proxy, argv):
    assert listed(client.openstack(*argv))
    assert proxy.requests() >= EVERY_STEP
    assert proxy.scopes == {CANONICAL}


def test_every_request_carries_the_environment(client, proxy):
    client.environ["OIDPROXY_SCOPE"] = "{keystone:cloud-1;glance:cloud-999}"
    assert listed(client.openstack("image", "list"))
    assert proxy.requests() >= EVERY_STEP
    assert proxy.scopes == {CANONICAL}


def test_the_second_spelling_of_the_environment(client, proxy):
    client.environ["OS_SCOPE"] = SCOPE
    assert listed(client.openstack("image", "list"))
    assert proxy.scopes == {CANONICAL}


def test_the_second_spelling_without_clouds_yaml(client, proxy):
    auth = client.cloud["auth"]
    del client.environ["OS_CLOUD"]
    client.environ.update({f"OS_{key.upper()}": value for key, value in auth.items()})
    client.environ.update(OS_SCOPE=SCOPE, OS_IDENTITY_API_VERSION="3")
    assert listed(client.openstack("image", "list"))
    assert proxy.scopes == {CANONICAL}


def test_every_request_carries_the_scope_of_clouds_yaml(client, proxy):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": SCOPE})
    assert listed(client.openstack("image", "list"))
    assert proxy.requests() >= EVERY_STEP
    assert proxy.scopes == {CANONICAL}


def test_a_program_with_the_sdk_and_no_client(client, proxy):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": SCOPE})
    assert listed(client.python(LIST_IMAGES))
    assert proxy.requests() >= EVERY_STEP
    assert proxy.scopes == {CANONICAL}


def test_the_option_wins_over_the_environment_and_clouds_yaml(client, proxy):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": "image:cloud-3"})
    client.environ["OIDPROXY_SCOPE"] = "image:cloud-2"
    assert listed(client.openstack("--scope", SCOPE, "image", "list"))
    assert proxy.scopes == {CANONICAL}


def test_a_name_beyond_ascii_leaves_as_utf8(client, proxy):
    assert listed(client.openstack("--scope", 'image:"Orléans";identity:"東京"', "image", "list"))
    assert proxy.scopes == {'identity:"東京";image:"Orléans"'.encode()}


def test_without_a_scope_nothing_is_sent(client, proxy):
    assert listed(client.openstack("image", "list"))
    assert proxy.requests() >= EVERY_STEP
    assert proxy.scopes == {None}


@pytest.mark.parametrize("profiled", [False, True], ids=["cloud", "profile"])
def test_a_hook_that_the_option_displaces_is_still_called(client, proxy, profiled):
    (client.folder / "other_hook.py").write_text(OTHER_HOOK)
    if profiled:
        vendors = {"public-clouds": {"vendor": {"vendor_hook": "other_hook:load"}}}
        (client.folder / "clouds-public.yaml").write_text(json.dumps(vendors))
        client.cloud["profile"] = "vendor"
    else:
        client.cloud["vendor_hook"] = "other_hook:load"
    assert listed(client.openstack("--scope", SCOPE, "image", "list"))
    assert proxy.scopes == {CANONICAL}
    assert {request.headers.get("x-other") for request in proxy.seen} == {CANONICAL.decode()}


@pytest.mark.parametrize("text", ["keystone:cloud-1;glance:cloud-999", "image:paris/north|b"])
def test_a_scope_in_the_auth_url_needs_no_plugin(client, proxy, text):
    client.cloud["auth"]["auth_url"] = url = auth_url(parse(text), proxy.url)
    assert listed(client.python(LIST_IMAGES))
    [token] = [request.path for request in proxy.seen if request.method == "POST"]
    assert proxy.url + token == f"{url}/auth/tokens"
    prefix = url.removeprefix(proxy.url).removesuffix("identity/v3")
    assert not [request.path for request in proxy.seen if not request.path.startswith(prefix)]


def test_the_settings_without_a_plugin_that_the_documentation_shows(client, proxy):
    """A scope as a setting of its own, and the proxy as a profile: openstacksdk alone."""
    del client.cloud["auth"]["auth_url"]
    client.cloud["scope"] = "keystone:cloud-1;glance:cloud-999"
    client.cloud["auth"]["auth_url"] = proxy.url + "/s/{scope}/identity/v3"
    assert listed(client.python(LIST_IMAGES))
    assert {request.path[: len("/s/keystone:cloud-1;glance:cloud-999/")] for request in proxy.seen} == {
        "/s/keystone:cloud-1;glance:cloud-999/"
    }


def test_the_proxy_as_a_profile(client, proxy):
    del client.cloud["auth"]["auth_url"]
    client.cloud["profile"] = proxy.url
    document = {"name": "oidproxy", "profile": {"auth": {"auth_url": f"{proxy.url}/identity/v3"}}}
    proxy.pages["/.well-known/openstack/api"] = (200, {}, document)
    assert listed(client.openstack("--scope", SCOPE, "image", "list"))
    assert {request.scope for request in proxy.seen if "well-known" not in request.path} == {CANONICAL}


# Failing closed: whatever is wrong with a scope, no request leaves.


def refused(client, proxy, done, reason: str) -> None:
    assert done.returncode != 0
    assert reason in done.stderr, done.stderr
    assert not proxy.seen


@pytest.mark.parametrize("after", [False, True])
def test_a_bad_option_exits_with_2_before_any_request(client, proxy, after):
    bad = ["--scope", "glance:cloud-1;image:cloud-2"]
    done = client.openstack(*(["image", "list", *bad] if after else [*bad, "image", "list"]))
    refused(client, proxy, done, "argument --scope: ")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_bad_environment(client, proxy):
    client.environ["OIDPROXY_SCOPE"] = "image:"
    refused(client, proxy, client.openstack("image", "list"), "the scope cannot be put in force")


def test_braces_in_the_second_spelling(client, proxy):
    client.environ["OS_SCOPE"] = "{image:cloud-1}"
    done = client.openstack("image", "list")
    refused(client, proxy, done, "OS_SCOPE cannot hold braces")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("section", "reason"),
    [({"scope": "image:"}, "put in force"), ({"scop": "image:a"}, "unknown key"), (None, "needs a scope")],
)
def test_a_broken_clouds_yaml(client, proxy, section, reason):
    client.cloud.update(vendor_hook=HOOK, oidproxy=section)
    refused(client, proxy, client.openstack("image", "list"), reason)


def test_a_broken_clouds_yaml_in_a_program_with_the_sdk(client, proxy):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": "image:"})
    refused(client, proxy, client.python(LIST_IMAGES), "ConfigException")


def test_a_language_that_cannot_be_imported(client, proxy):
    """The SDK turns an ImportError in a hook into a warning and goes on; that would be unscoped."""
    (client.folder / "lark.py").write_text("raise ImportError('lark is broken')")
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": SCOPE})
    refused(client, proxy, client.python(LIST_IMAGES), "lark is broken")

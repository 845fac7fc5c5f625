"""The real openstackclient and openstacksdk with tokens carried: who signs in where, what goes to whom."""

from __future__ import annotations

import json

import pytest

SCOPE = "<keystone:cloud-1;glance:edge-2>"
CANONICAL = b"identity:cloud-1;image:edge-2"
HOOK = "oidproxy.osc.hook:apply"

EDGE_2_TOKEN = "gAAAAtokenOfEdge2-_="
EDGE_3_TOKEN = "gAAAAtokenOfEdge3~aWRlbnRpdHk6ZWRnZS0z"
"""The form that a proxy gives: it goes as it is."""

BOTH = f"edge-2={EDGE_2_TOKEN}, edge-3={EDGE_3_TOKEN}"

LIST_IMAGES = "import openstack; list(openstack.connect(cloud='lab').image.images())"

LIST_TWICE_IN_THREADS = """
import threading, openstack
connection = openstack.connect(cloud="lab")
threads = [threading.Thread(target=lambda: list(connection.image.images())) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture
def edge_2(cloud, client):
    """A cloud of its own, whose entry has the name that the proxy knows it by."""
    one = cloud(EDGE_2_TOKEN)
    client.others["edge-2"] = one.entry("bob", "pa55 of bob")
    return one


@pytest.fixture
def edge_3(cloud, client):
    """A cloud of its own, whose entry is called otherwise."""
    one = cloud(EDGE_3_TOKEN)
    client.others["my-entry"] = one.entry("carol", "pa55 of carol")
    return one


def succeeded(done) -> bool:
    assert done.returncode == 0, done.stderr
    return True


def logins(cloud) -> list[tuple[str, str]]:
    """Who signed in there, and with what."""
    bodies = [json.loads(request.body) for request in cloud.seen if request.method == "POST"]
    users = [body["auth"]["identity"]["password"]["user"] for body in bodies]
    return [(user["name"], user["password"]) for user in users]


def carried(cloud) -> set[tuple[str, ...]]:
    """The fields X-Scope-Tokens of each request."""
    return {tuple(request.carried) for request in cloud.seen}


def everything(cloud) -> str:
    return repr(cloud.seen)


def test_every_request_to_the_proxy_has_both_tokens_once(client, proxy, edge_2, edge_3):
    options = ["--scope-carry", "edge-2", "--scope", SCOPE, "--scope-carry", "edge-3=my-entry"]
    assert succeeded(client.openstack(*options, "image", "list"))
    steps = {"GET /identity/v3", "POST /identity/v3/auth/tokens", "GET /image/v2/images"}
    assert proxy.requests() >= steps
    assert carried(proxy) == {(BOTH,)}
    assert proxy.scopes == {CANONICAL}


def test_each_cloud_sees_one_login_by_its_own_entry_and_nothing_of_the_others(client, proxy, edge_2, edge_3):
    assert succeeded(client.openstack("image", "list", "--scope-carry", "edge-2,edge-3=my-entry"))
    assert (logins(proxy), logins(edge_2), logins(edge_3)) == (
        [("alice", "secret")],
        [("bob", "pa55 of bob")],
        [("carol", "pa55 of carol")],
    )
    assert carried(edge_2) == carried(edge_3) == {()}
    assert EDGE_3_TOKEN not in everything(edge_2)
    assert EDGE_2_TOKEN not in everything(edge_3)
    assert "t0ken" not in everything(edge_2) + everything(edge_3)


@pytest.mark.parametrize("name", ["OIDPROXY_SCOPE_CARRY", "OS_SCOPE_CARRY"])
def test_the_environment_carries(client, proxy, edge_2, edge_3, name):
    client.environ[name] = "edge-2, edge-3=my-entry"
    assert succeeded(client.openstack("--scope", SCOPE, "image", "list"))
    assert carried(proxy) == {(BOTH,)}
    assert proxy.scopes == {CANONICAL}


def test_a_program_with_the_sdk_and_no_client(client, proxy, edge_2):
    client.environ["OIDPROXY_SCOPE_CARRY"] = "edge-2"
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": SCOPE})
    assert succeeded(client.python(LIST_TWICE_IN_THREADS))
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}
    assert len([request for request in proxy.seen if request.path.startswith("/image/v2/images")]) == 8
    assert logins(edge_2) == [("bob", "pa55 of bob")]


def test_the_scope_of_clouds_yaml_stays_in_force(client, proxy, edge_2):
    client.cloud.update(vendor_hook=HOOK, oidproxy={"scope": SCOPE})
    assert succeeded(client.openstack("--scope-carry", "edge-2", "image", "list"))
    assert proxy.scopes == {CANONICAL}
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}


def test_a_scope_in_the_auth_url_is_enough(client, proxy, edge_2):
    client.cloud["auth"]["auth_url"] = f"{proxy.url}/s/identity:cloud-1;image:edge-2/identity/v3"
    assert succeeded(client.openstack("--scope-carry", "edge-2", "image", "list"))
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}
    assert proxy.scopes == {None}


def test_a_name_beyond_ascii_leaves_as_the_scope_language_writes_it(client, proxy, edge_2):
    client.others["south"] = client.others.pop("edge-2")
    assert succeeded(client.openstack("--scope-carry", '"Orléans sud"=south', "image", "list"))
    [(value,)] = carried(proxy)
    assert value.encode("latin-1") == f'"Orléans sud"={EDGE_2_TOKEN}'.encode()


def test_a_hook_that_the_option_displaces_is_still_called(client, proxy, edge_2):
    (client.folder / "other_hook.py").write_text(
        "def load(connection):\n    connection.session.additional_headers['X-Other'] = '1'\n"
    )
    client.cloud["vendor_hook"] = "other_hook:load"
    assert succeeded(client.openstack("--scope-carry", "edge-2", "image", "list"))
    assert {request.headers.get("x-other") for request in proxy.seen} == {"1"}
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}


# Who is asked for nothing, and who is told nothing.


def test_an_entry_is_not_used_unasked(client, proxy, edge_2, edge_3):
    assert succeeded(client.openstack("--scope", SCOPE, "image", "list"))
    assert carried(proxy) == {()}
    assert not edge_2.seen
    assert not edge_3.seen


def test_the_option_displaces_the_environment_also_with_no_cloud(client, proxy, edge_2, edge_3):
    client.environ["OIDPROXY_SCOPE_CARRY"] = "edge-3=my-entry"
    assert succeeded(client.openstack("--scope-carry", "", "image", "list"))
    assert carried(proxy) == {()}
    assert not edge_3.seen


def test_what_sends_nothing_signs_in_nowhere(client, proxy, edge_2):
    done = client.openstack("scope", "show", "--scope-carry", "edge-2", "-f", "json")
    assert succeeded(done)
    assert json.loads(done.stdout) == {"scope": "", "source": "none", "tag": "", "carried": ["edge-2"]}
    assert not edge_2.seen
    assert not proxy.seen


def test_settings_of_the_commands_own_cloud_do_not_leak_into_an_entry(client, proxy, edge_2):
    client.environ.update(
        OS_USERNAME="mallory", OS_PASSWORD="other", OS_PROJECT_NAME="elsewhere", OS_AUTH_TYPE="password"
    )
    options = ["--scope-carry", "edge-2", "--os-user-domain-name", "Another"]
    assert succeeded(client.openstack(*options, "image", "list"))
    assert logins(edge_2) == [("bob", "pa55 of bob")]
    [login] = [request for request in edge_2.seen if request.method == "POST"]
    assert b"elsewhere" not in login.body
    assert b"Another" not in login.body
    assert logins(proxy) == [("mallory", "other")]


def test_the_files_are_those_of_the_commands_own_cloud(client, proxy, edge_2):
    """Also where the environment names them, with a secure.yaml: nothing is read from the working folder."""
    elsewhere = client.folder / "elsewhere"
    elsewhere.mkdir()
    del client.others["edge-2"]["auth"]["password"]
    secrets = {"clouds": {"edge-2": {"auth": {"password": "pa55 of bob"}}}}
    clouds = {"clouds": {"lab": client.cloud, **client.others}}
    (elsewhere / "mine.yaml").write_text(json.dumps(clouds))
    (elsewhere / "secret.yaml").write_text(json.dumps(secrets))
    client.others.clear()
    client.environ["OS_CLIENT_CONFIG_FILE"] = str(elsewhere / "mine.yaml")
    client.environ["OS_CLIENT_SECURE_FILE"] = str(elsewhere / "secret.yaml")
    assert succeeded(client.openstack("--scope-carry", "edge-2", "image", "list"))
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}
    assert logins(edge_2) == [("bob", "pa55 of bob")]


def test_debug_and_timing_show_no_token(client, proxy, edge_2, edge_3):
    options = ["--debug", "--timing", "--scope", SCOPE, "--scope-carry", "edge-2, edge-3=my-entry"]
    done = client.openstack(*options, "image", "list")
    assert succeeded(done)
    assert carried(proxy) == {(BOTH,)}
    shown = done.stdout + done.stderr
    # That much is shown: the requests with their fields, and the names.
    assert "X-Scope: identity:cloud-1;image:edge-2" in shown
    assert "/image/v2/images" in shown
    for secret in (EDGE_2_TOKEN, EDGE_3_TOKEN, "pa55 of bob", "pa55 of carol"):
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown


def test_a_cloud_that_is_in_the_catalog_itself_is_told_nothing(client, proxy, cloud, edge_2):
    proxy.image_at = (other := cloud("0ther")).url
    assert succeeded(client.openstack("--scope", SCOPE, "--scope-carry", "edge-2", "image", "list"))
    assert "GET /image/v2/images" in other.requests()
    assert carried(other) == {()}
    assert EDGE_2_TOKEN not in everything(other)
    assert carried(proxy) == {(f"edge-2={EDGE_2_TOKEN}",)}


def test_a_redirect_to_another_host_takes_no_token_along(client, proxy, cloud, edge_2):
    other = cloud("0ther")
    proxy.pages["/image/v2/images"] = (307, {"Location": f"{other.url}/image/v2/images"}, {})
    assert succeeded(client.openstack("--scope-carry", "edge-2", "image", "list"))
    assert other.requests() == {"GET /image/v2/images"}
    assert carried(other) == {()}
    assert EDGE_2_TOKEN not in everything(other)


def test_a_server_cannot_ask_for_tokens_by_its_profile(client, proxy, edge_2):
    """openstacksdk merges what a `profile` answers into the cloud's configuration, `vendor_hook` too."""
    del client.cloud["auth"]["auth_url"]
    client.cloud["profile"] = proxy.url
    auth = {"auth_url": f"{proxy.url}/identity/v3"}
    asked = {"auth": auth, "vendor_hook": HOOK, "oidproxy": {"scope": SCOPE}, "oidproxy_carry": "edge-2"}
    proxy.pages["/.well-known/openstack/api"] = (200, {}, {"name": "evil", "profile": asked})
    done = client.python(LIST_IMAGES)
    assert done.returncode != 0
    assert "`oidproxy_carry:` cannot stand in clouds.yaml" in done.stderr
    assert not edge_2.seen


# What fails: before anything is sent to the proxy, with what to do, and no second attempt.


def refused(client, proxy, done, *reasons: str) -> None:
    assert done.returncode == 1, done.stderr
    for reason in reasons:
        assert reason in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not proxy.seen


def test_an_entry_that_is_not_there_is_named_with_the_nearest(client, proxy, edge_3):
    done = client.openstack("--scope-carry", "edge-3=my-enty", "image", "list")
    refused(client, proxy, done, "'my-enty'", "no such entry (did you mean my-entry?) in ", "clouds.yaml")
    assert not edge_3.seen


@pytest.mark.parametrize("debug", [False, True])
def test_a_refused_login_is_told_without_the_servers_words(client, proxy, edge_2, debug):
    """Keystone's schema errors repeat what they were sent."""
    echo = {"error": {"code": 401, "message": "wrong: 'pa55 of bob'", "title": "Unauthorized"}}
    edge_2.pages["/identity/v3/auth/tokens"] = (401, {}, echo)
    options = ["--debug"] if debug else []
    done = client.openstack(*options, "--scope", SCOPE, "--scope-carry", "edge-2", "image", "list")
    assert done.returncode == 1
    assert not proxy.seen
    assert "the entry 'edge-2' of clouds.yaml: its Keystone answers HTTP 401" in done.stderr
    assert "`openstack --os-cloud edge-2 token issue` has to work" in done.stderr
    assert ("Traceback" in done.stderr) is debug
    raised = [line for line in done.stderr.splitlines() if "RESP BODY" not in line]
    assert "pa55" not in "\n".join(raised)
    assert len(logins(edge_2)) == 1


def test_a_cloud_that_is_down(client, proxy, edge_2):
    client.others["edge-2"]["auth"]["auth_url"] = "http://127.0.0.1:1/identity/v3"
    done = client.openstack("--scope-carry", "edge-2", "image", "list")
    refused(client, proxy, done, "the entry 'edge-2' of clouds.yaml", "http://127.0.0.1:1/identity/v3")


def test_an_entry_that_lacks_its_password(client, proxy, edge_2):
    del client.others["edge-2"]["auth"]["password"]
    done = client.openstack("--scope-carry", "edge-2", "image", "list")
    refused(client, proxy, done, "the entry 'edge-2' of clouds.yaml: nobody answered 'Password'")
    assert not edge_2.seen


BASIC = {"username": "bob", "password": "pa55 of bob", "endpoint": "http://127.0.0.1:1"}


def test_an_entry_without_tokens(client, proxy):
    client.others["edge-2"] = {"auth_type": "http_basic", "auth": BASIC}
    done = client.openstack("--scope-carry", "edge-2", "image", "list")
    refused(client, proxy, done, "the entry 'edge-2' of clouds.yaml: it gives no token that could be carried")


def test_a_token_that_would_forge_the_header(client, proxy, edge_2):
    edge_2.token = "a,cloud-1=b"
    done = client.openstack("--scope-carry", "edge-2", "image", "list")
    refused(client, proxy, done, "it gives no token that could be carried")
    assert "cloud-1=b" not in done.stderr


def test_a_bad_option_exits_with_2(client, proxy):
    done = client.openstack("image", "list", "--scope-carry", "@edges")
    assert done.returncode == 2
    assert "argument --scope-carry: '@edges' is no cloud's name" in done.stderr
    assert not proxy.seen


def test_a_bad_variable(client, proxy):
    client.environ["OIDPROXY_SCOPE_CARRY"] = "edge-2="
    refused(client, proxy, client.openstack("image", "list"), "OIDPROXY_SCOPE_CARRY: 'edge-2=' is not CLOUD")


def test_without_an_auth_url_there_is_no_proxy_to_carry_to(client, proxy, edge_2):
    client.cloud.update(auth_type="none", auth={"endpoint": proxy.url})
    done = client.openstack("--scope-carry", "edge-2", "image", "list")
    refused(client, proxy, done, "only where the auth URL is a proxy's")
    assert not edge_2.seen


# scope explain


def test_explain_tells_the_clouds_that_get_one_and_those_that_nothing_goes_to(client, proxy, edge_2, edge_3):
    rows = [{"service": "image", "clouds": ["edge-2", "b"]}, {"service": "compute", "clouds": ["cloud-1"]}]
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, {"services": rows})
    done = client.openstack(
        "scope", "explain", "--scope-carry", "edge-2, edge-3=my-entry", "-f", "json", "--scope", SCOPE
    )
    assert succeeded(done)
    told = {row["Service"]: row["Carried"] for row in json.loads(done.stdout)}
    assert told == {"image": ["edge-2"], "compute": []}
    assert "No service goes to a cloud whose token is carried: edge-3" in done.stderr
    [question] = [request for request in proxy.seen if "explain" in request.path]
    assert question.carried == [BOTH]


def test_explain_of_one_request_does_not_speak_of_the_other_services(client, proxy, edge_2):
    rows = [{"service": "image", "clouds": ["cloud-1"], "error": None}]
    proxy.pages["/.well-known/oidproxy/explain"] = (200, {}, {"services": rows})
    done = client.openstack("scope", "explain", "--scope-carry", "edge-2", "--path", "/image/v2/images")
    assert succeeded(done)
    assert "Carried" in done.stdout
    assert not done.stderr

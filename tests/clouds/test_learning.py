"""Endpoints learned from a real (tiny) Keystone, by the real SDK in its child process."""

from __future__ import annotations

import ssl
import subprocess
import sys

import pytest
import trustme
import yaml

from oidproxy.clouds.asking import Ask
from oidproxy.clouds.loading import asked
from oidproxy.clouds.loading.load import load
from oidproxy.errors import ConfigError
from tests.clouds.keystone import PASSWORD, PROJECT, Keystone, random_address


@pytest.fixture
def keystone():
    started = []

    def start(**options):
        started.append(Keystone(**options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def entry(auth_url, password=PASSWORD, **more):
    auth = {
        "auth_url": auth_url,
        "username": "reader",
        "password": password,
        "project_name": "demo",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return {"auth": {name: value for name, value in auth.items() if value is not None}, **more}


def clouds_yaml(**entries):
    return {"clouds.yaml": yaml.safe_dump({"clouds": entries})}


def test_a_catalog_is_learned_with_the_clouds_own_credentials(keystone, loaded):
    stub = keystone(region="Lab")
    text = f"clouds_yaml: clouds.yaml\nclouds: {{one: {{auth_url: '{stub.auth_url}', credentials: reader}}}}"
    result = loaded(text, clouds_yaml(reader=entry("http://127.0.0.1:1/v3")))
    cloud = result.registry.clouds["one"]
    assert (cloud.region, cloud.unlearned, result.notices, result.unlearned) == ("Lab", "", (), ())
    shown = [
        (one.service_type, one.catalog_url("P"), one.source)
        for one in cloud.endpoints
        if one.interface == "public"
    ]
    assert shown == [
        ("identity", f"{stub.base}/identity/v3", "given"),
        ("image", f"{stub.base}/image", "learned"),
        ("block-storage", f"{stub.base}/volume/v3/P", "learned"),
    ]
    assert [one.interface for one in cloud.endpoints].count("internal") == 3
    assert result.registry.endpoint("one", "block-storage").catalog_name == "cinderv3"
    assert PROJECT not in repr(cloud)
    assert ("POST", "/identity/v3/auth/tokens") in [request[:2] for request in stub.requests]


def test_an_entry_of_clouds_yaml_is_a_cloud_and_secure_yaml_has_its_password(keystone, loaded):
    stub = keystone()
    files = clouds_yaml(lyon=entry(stub.auth_url, None, region_name="RegionOne"))
    files["secure.yaml"] = yaml.safe_dump({"clouds": {"lyon": {"auth": {"password": PASSWORD}}}})
    registry = loaded("clouds_yaml: clouds.yaml", files).registry
    assert registry.local == "lyon"
    assert registry.clouds["lyon"].auth_url == stub.auth_url
    assert registry.endpoint("lyon", "image").base == f"{stub.base}/image"


def test_one_cloud_that_fails_stops_no_other_and_shows_no_password(keystone, loaded):
    good, bad = keystone(), keystone()
    unscoped = entry(good.auth_url)
    del unscoped["auth"]["project_name"], unscoped["auth"]["project_domain_name"]
    files = clouds_yaml(
        good=entry(good.auth_url),
        wrong=entry(bad.auth_url, "hunter2"),
        gone=entry("http://127.0.0.1:1/v3", "hunter2"),
        unscoped=unscoped,
        incomplete={"auth": {"password": "hunter2"}},
        odd=entry(good.auth_url, auth_type="no-such-plugin"),
    )
    result = loaded("clouds_yaml: clouds.yaml\nlocal: good", files)
    assert result.registry.endpoint("good", "image").source == "learned"
    said = {notice.message.split(":")[0]: notice.message for notice in result.unlearned}
    assert said.keys() == {"wrong", "gone", "unscoped", "incomplete", "odd"}
    assert "The request you have made requires authentication. (HTTP 401)" in said["wrong"]
    assert "Unable to establish connection to http://127.0.0.1:1" in said["gone"]
    assert "scope these credentials to a project" in said["unscoped"]
    assert "auth_url" in said["incomplete"]
    assert "no-such-plugin" in said["odd"]
    assert "hunter2" not in str(said)
    assert result.registry.clouds["gone"].auth_url == "http://127.0.0.1:1/v3"
    assert result.registry.clouds["wrong"].unlearned


def test_the_environment_has_no_say(keystone, loaded, monkeypatch):
    stub = keystone()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1/v3")
    monkeypatch.setenv("OS_CLOUD", "other")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nonexistent")
    result = loaded("clouds_yaml: clouds.yaml", clouds_yaml(one=entry(stub.auth_url)))
    assert list(result.registry.clouds) == ["one"]
    assert result.unlearned == ()


def test_the_childs_environment():
    own = {
        "PATH": "/bin",
        "OS_TOKEN": "x",
        "https_proxy": "x",
        "REQUESTS_CA_BUNDLE": "x",
        "NETRC": "/nowhere/.netrc",
    }
    assert asked.environment(own) == {"PATH": "/bin", "NETRC": "/dev/null"}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.mark.parametrize(
    ("keys", "learned"),
    [
        ("cacert: ca.pem", True),
        ("insecure: true", True),
        ("insecure: false", False),
        ("region: RegionOne", False),
    ],
)
def test_certificates_are_verified_unless_it_is_said_otherwise(keys, learned, authority, keystone, loaded):
    address, context = random_address(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address).configure_cert(context)
    stub = keystone(address=address, tls=context)
    text = (
        f"clouds_yaml: clouds.yaml\nclouds: {{one: {{auth_url: '{stub.auth_url}', credentials: r, {keys}}}}}"
    )
    result = loaded(text, {**clouds_yaml(r=entry(stub.auth_url)), "ca.pem": authority.cert_pem.bytes()})
    assert (result.registry.endpoint("one", "image") is not None) is learned
    if not learned:
        assert "CERTIFICATE_VERIFY_FAILED" in result.unlearned[0].message
    if "cacert" in keys:
        assert result.registry.clouds["one"].cacert == authority.cert_pem.bytes().decode()


def test_the_authorities_of_an_entry_are_the_clouds(authority, keystone, loaded, tmp_path):
    address, context = random_address(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address).configure_cert(context)
    stub = keystone(address=address, tls=context)
    files = clouds_yaml(lyon=entry(stub.auth_url, cacert=str(tmp_path / "ca.pem")))
    registry = loaded("clouds_yaml: clouds.yaml", {**files, "ca.pem": authority.cert_pem.bytes()}).registry
    assert registry.endpoint("lyon", "image") is not None
    assert registry.clouds["lyon"].cacert == authority.cert_pem.bytes().decode()


def test_a_cloud_that_never_answers_is_given_up(keystone, tmp_path, monkeypatch):
    slow, quick = keystone(), keystone()
    slow.silent.set()
    path = tmp_path / "clouds.yaml"
    path.write_text(clouds_yaml(slow=entry(slow.auth_url), quick=entry(quick.auth_url))["clouds.yaml"])
    answers = asked.learn(str(path), [Ask("slow", "slow"), Ask("quick", "quick")], 0.3)
    assert answers["quick"].catalog
    assert "timed out" in answers["slow"].error


def test_a_child_that_takes_too_long_is_ended_and_what_it_said_so_far_counts(keystone, tmp_path, monkeypatch):
    slow, quick = keystone(), keystone()
    slow.silent.set()
    path = tmp_path / "clouds.yaml"
    path.write_text(clouds_yaml(slow=entry(slow.auth_url), quick=entry(quick.auth_url))["clouds.yaml"])
    monkeypatch.setattr(asked, "START", -30.0)
    answers = asked.learn(str(path), [Ask("slow", "slow"), Ask("quick", "quick")], 20.0)
    assert answers["quick"].catalog
    assert answers["slow"].error == "no answer within 10 s"


def test_a_child_that_cannot_ask_at_all_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    path.write_text("[hunter2]")
    with pytest.raises(ConfigError) as caught:
        asked.learn(str(path), [Ask("one", "one")], 1.0)
    assert str(caught.value) == "clouds_yaml cannot be used: the process that reads it ended with status 1"


def test_a_missing_sdk_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "openstack").mkdir()
    (tmp_path / "openstack" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'openstack'\")"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "clouds.yaml").write_text("clouds: {one: {}}")
    with pytest.raises(ConfigError, match=r"No module named 'openstack'; pip install 'oidproxy\[server\]'$"):
        asked.learn(str(tmp_path / "clouds.yaml"), [Ask("one", "one")], 1.0)


def test_the_sdk_is_never_imported_here(keystone, write):
    stub = keystone()
    path = write("clouds_yaml: clouds.yaml", clouds_yaml(one=entry(stub.auth_url)))
    program = (
        "import sys; from oidproxy.clouds.loading.load import load; "
        f"registry = load({str(path)!r}); assert registry.endpoint('one', 'image'); "
        "print([name for name in ('openstack', 'keystoneauth1', 'requests') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_load_logs_what_could_not_be_learned_and_keeps_what_was(keystone, write, caplog):
    stub = keystone()
    path = write("clouds_yaml: clouds.yaml", clouds_yaml(one=entry(stub.auth_url)))
    before = load(path)
    stub.catalog = []
    after = load(path, previous=before)
    assert after.index == before.index
    assert "one: its endpoints could not be learned: the token has no catalog" in caplog.text
    assert "those of before are kept" in caplog.text

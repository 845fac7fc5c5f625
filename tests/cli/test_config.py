"""`oidproxy config check`: the table, the notices, the errors, and the exit status."""

from __future__ import annotations

import pytest

from oidproxy.cli.main import main

TWO = """
listeners: [{bind: "127.0.0.1:8888"}]
local: paris
clouds:
  paris: {upstream: 127.0.9.1, services: [image, cinder]}
  rennes:
    auth_url: https://rennes.example/identity/v3
    region: West
    insecure: true
    endpoints: {image: {West: https://rennes.example/image, East: https://east.example/image/v2}}
"""
TABLE = """\
SERVICE        CLOUD   REGION     URL                                      FROM
block-storage  paris   RegionOne  http://127.0.9.1:8776/v3/%(project_id)s  upstream
identity       paris   RegionOne  http://127.0.9.1:5000/v3                 upstream
identity       rennes  West       https://rennes.example/identity/v3       given
image          paris   RegionOne  http://127.0.9.1:9292                    upstream
image          rennes  West       https://rennes.example/image             given
image          rennes  East       https://east.example/image/v2            given

oidproxy.yaml: 2 clouds, 6 endpoints, 1 listener; the local cloud is paris
the services of paris, rennes ask another proxy of yours; if it is their own Keystone, give exchange: []
"""
ASKED = "clouds_yaml: clouds.yaml\nclouds:\n  one: {auth_url: 'http://127.0.0.1:1/v3', credentials: reader}\n"
CREDENTIALS = """
clouds:
  reader:
    auth: {username: u, password: hunter2, project_name: p, user_domain_name: d, project_domain_name: d}
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    def run(text, *arguments, **files):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "oidproxy.yaml").write_text(text)
        for name, content in files.items():
            (tmp_path / name.replace("_", ".")).write_text(content)
        status = main(["config", "check", *arguments, "oidproxy.yaml"])
        return status, *capsys.readouterr()

    return run


def test_a_good_configuration_is_shown_service_by_service(check):
    status, output, complaints = check(TWO)
    assert (status, output) == (0, TABLE)
    assert complaints == ("warning: oidproxy.yaml:9:5: rennes: INSECURE, its certificates are not verified\n")


def test_every_error_has_its_line_and_nothing_else_is_shown(check):
    status, output, complaints = check(
        TWO.replace("local: paris", "local: pariss").replace("image: {W", "imag: {W") + "store: x\n"
    )
    assert (status, output) == (2, "")
    assert complaints == (
        "oidproxy.yaml:3:8: no cloud is called 'pariss' (did you mean paris?)\n"
        "oidproxy.yaml:11:8: expected sqlite:// and an absolute path, as in "
        "sqlite:///var/lib/oidproxy/state.db, or redis://<host>\n"
    )


def test_a_file_that_is_not_there(check, capsys):
    assert main(["config", "check", "/nonexistent/oidproxy.yaml"]) == 2
    assert (
        capsys.readouterr().err == "/nonexistent/oidproxy.yaml: cannot be read: No such file or directory\n"
    )


def test_a_cloud_that_cannot_be_asked_is_an_error_that_names_it(check):
    status, output, complaints = check(ASKED, clouds_yaml=CREDENTIALS)
    assert status == 2
    assert "identity  one    RegionOne  http://127.0.0.1:1/v3  given" in output
    assert complaints.startswith("oidproxy.yaml:3:3: one: its endpoints could not be learned: ")
    assert "hunter2" not in output + complaints


def test_offline_no_cloud_is_asked_and_that_is_no_error(check):
    status, _, complaints = check(ASKED, "--offline", clouds_yaml=CREDENTIALS)
    assert (status, complaints) == (
        0,
        "warning: oidproxy.yaml:3:3: one: its endpoints could not be learned: not asked (--offline)\n",
    )


def test_k2k_is_refused(check):
    status, _, complaints = check("clouds: {one: {upstream: 127.0.9.1, exchange: [k2k]}}")
    assert status == 2
    message = "k2k (Keystone to Keystone) is not available; use mapped, carried, same"
    assert complaints == f"oidproxy.yaml:1:48: {message}\n"


def test_it_says_whom_the_services_of_each_cloud_ask(check):
    text = (
        "listeners: [{bind: 127.0.8.1, ports: openstack, cloud: one}]\nlocal: one\nclouds:\n"
        "  one: {upstream: 127.0.9.1}\n  two: {upstream: 127.0.9.2}\n"
        "  three: {upstream: 127.0.9.3, exchange: []}\n"
    )
    _, output, _ = check(text)
    assert output.splitlines()[-3:] == [
        "the services of one ask this proxy, by a listener of their own",
        "the services of two ask another proxy of yours; if it is their own Keystone, give exchange: []",
        "the services of three ask their own Keystone (exchange)",
    ]

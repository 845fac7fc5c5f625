"""A recording of real processes' traffic: what happened is in it, and no secret is."""

from __future__ import annotations

import json
import re
import stat
import urllib.request

import pytest
import zstandard

from devstack.lab.api import Account, Api, send
from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.trace.checking import check
from oidproxy.trace.reading import open_trace
from tests.wire.rig import loopback

ADMIN = f"{loopback()}:8889"
TOKEN = "the-admin-token-of-this-test"
USER_DATA = "IyEvYmluL3NoCmVjaG8gaHVudGVyMg=="


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, image):
    """The lab's traffic, recorded: the trace, its folder, and what was seen meanwhile."""
    folder = tmp_path_factory.mktemp("recording")
    traces = folder / "traces"
    lab = Embedded(
        folder / "lab",
        images={"cloud-999": {"cirros": image.path}},
        more=f'record: {{folder: "{traces}", on: true, bodies: true}}\n'
        f'admin: {{bind: "{ADMIN}", token: {TOKEN}}}\n',
        workers=2,
    )
    lab.start()
    try:
        seen = traffic(lab)
    finally:
        lab.stop()
    [recording] = traces.iterdir()
    return seen, recording, list(open_trace(recording).lines())


class Seen:
    """What a client saw."""

    def __init__(self):
        self.statuses = []
        self.secrets = []


def traffic(lab):
    seen, gateway = Seen(), lab.places.gateway_url
    api = Api(f"{gateway}/identity/v3", Account("demo", "demo", lab.password))

    def call(method, path, body=None, **headers):
        answer = api.call(method, gateway + path, body, headers=headers, fine=(400, 404))
        seen.statuses.append((method, path.split("?")[0].split("/", 2)[1], answer.status))
        return answer

    abroad = {"X-Scope": "image:cloud-999"}
    seen.image = call("GET", "/image/v2/images?name=cirros", **abroad).json["images"][0]["id"]
    flavor = call("GET", "/compute/v2.1/flavors").json["flavors"][0]["id"]
    network = call("GET", "/network/v2.0/networks").json["networks"][0]["id"]
    server = {"name": "s", "imageRef": seen.image, "flavorRef": flavor, "networks": [{"uuid": network}]}
    server |= {"adminPass": "hunter2-admin", "user_data": USER_DATA}
    made = call("POST", "/compute/v2.1/servers", {"server": server}, **abroad)
    seen.server = made.json["server"]["id"]
    for _ in range(8):
        call("GET", f"/compute/v2.1/servers/{seen.server}", **{"OpenStack-API-Version": "compute 2.1"})
    call("GET", "/image/v2/images/no-such-image")
    call("GET", "/image/v2/images", **{"X-Scope": "image:cloud-1&cloud-999"})
    call("DELETE", f"/compute/v2.1/servers/{seen.server}")
    send("GET", f"{gateway}/image/v2/images?token=gAAAAABsecretsecretsecret", headers={"X-Auth-Token": "bad"})
    token = api.token()
    seen.secrets = [token, token.partition("~")[0], lab.password, "hunter2-admin", USER_DATA, TOKEN]
    seen.secrets += ["gAAAAABsecretsecretsecret"]
    seen.state = admin("/recording")
    return seen


def admin(path):
    with urllib.request.urlopen(f"http://{ADMIN}{path}") as answer:
        return json.load(answer)


def of_user(lines):
    """The client's own requests, without those of the services."""
    return [line for line in lines if not line.listener]


def test_every_request_is_in_it_with_its_status(recorded):
    seen, _, lines = recorded
    told = [(line.method, line.service, line.status) for line in of_user(lines)]
    for one in set(seen.statuses):
        assert told.count(one) >= seen.statuses.count(one), one
    assert 401 in {line.status for line in of_user(lines)}


def test_calls_that_services_make_are_in_it_too(recorded):
    _, _, lines = recorded
    assert any(line.service == "image" and line.cloud == "cloud-999" and line.listener for line in lines)
    assert any(line.caller.startswith("nova@") for line in lines)


def test_ids_are_told_where_they_were_made_and_used(recorded):
    seen, _, lines = recorded
    [made] = [line for line in lines if seen.server in line.made]
    assert (made.method, made.template, made.status) == ("POST", "/v2.1/servers", 202)
    assert seen.image in made.used
    reads = [line for line in of_user(lines) if line.method == "GET" and seen.server in line.used]
    assert {line.template for line in reads} >= {"/v2.1/servers/{server_id}"}
    assert len({line.user for line in reads}) == 1
    assert {line.microversion for line in reads if "servers" in line.path} == {"compute 2.1"}


def test_names_of_what_was_there_before_are_told(recorded):
    seen, _, lines = recorded
    assert {line.names[seen.image] for line in lines if seen.image in line.names} == {"cirros"}


def test_where_a_request_went_is_told(recorded):
    _, _, lines = recorded
    union = next(line for line in of_user(lines) if line.cloud == "*")
    assert sorted(union.clouds) == sorted(union.asked) == ["cloud-1", "cloud-999"]
    abroad = next(line for line in of_user(lines) if line.cloud == "cloud-999" and line.service == "image")
    assert (abroad.scope, abroad.carrier, abroad.home) == ("image:cloud-999", "header", "cloud-1")
    assert abroad.clouds == abroad.asked == ["cloud-999"]


def test_times_grow_from_step_to_step(recorded):
    _, _, lines = recorded
    assert [line.n for line in lines] == list(range(len(lines)))
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    for line in lines:
        order = [line.steps[name] for name in ("decided", "sent", "first_byte", "done") if name in line.steps]
        assert order == sorted(order), line
        assert line.steps["done"] > 0


def test_it_keeps_to_the_published_form(recorded):
    _, folder, _ = recorded
    found = check(folder)
    assert (found.faults, found.shown) == (0, [])


def test_no_secret_is_in_any_file(recorded):
    seen, folder, lines = recorded
    files = list(folder.iterdir())
    assert len(files) == 2
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with path.open("rb") as file:
            text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
        for secret in seen.secrets:
            assert secret.encode() not in text
        assert not re.search(rb"gAAAA|oid1~|hunter2", text)
        assert text.count(b"\n") > 5
    creates = [line for line in lines if line.template == "/v2.1/servers" and line.request_body]
    bodies = [line.request_body["server"] for line in creates]
    assert [body["name"] for body in bodies] == ["s"]
    assert all(body["adminPass"].startswith("{SHA256}") for body in bodies)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_admin_listener_tells_of_it(recorded):
    seen, folder, _ = recorded
    assert seen.state["recording"] == folder.name
    assert seen.state["bodies"] is True
    assert not any(seen.state["dropped"].values())

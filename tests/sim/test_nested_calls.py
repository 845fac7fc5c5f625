"""A server create makes the calls that real services were recorded making, in their order and with their
tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.sim.virtual import User, World

if TYPE_CHECKING:
    from oidproxy.sim.steps import Call

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEX = re.compile(r"[0-9a-f]{32}")
PORTS = {5000: "identity", 9292: "image", 8774: "compute", 9696: "network", 8778: "placement", 8776: "volume"}

# Recorded beside a real cloud (2025.1), cold caches, one network; validations left out. Caller, service,
# request, and whether X-Auth-Token and X-Service-Token came along.
PROVIDER = "fields=provider%3Aphysical_network&fields=provider%3Anetwork_type"
API = f"""
nova-api-os-compute image GET / - -
python-glanceclient image GET /v2/images/{{uuid}} token service
python-glanceclient image GET /v2/schemas/image token service
python-neutronclient network GET /v2.0/networks?id={{uuid}} token service
python-neutronclient network GET /v2.0/quotas/{{pid}} token service
python-neutronclient network GET /v2.0/ports?tenant_id={{pid}}&fields=id token service
python-neutronclient network GET /v2.0/extensions token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?fields=segments token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?{PROVIDER} token service
"""
BUILD = f"""
nova-scheduler placement GET /allocation_candidates token -
nova-scheduler placement GET /allocations/{{uuid}} token -
nova-scheduler placement PUT /allocations/{{uuid}} token -
nova-compute placement GET /allocations/{{uuid}} token -
nova-compute placement GET /resource_providers/{{uuid}}/allocations token -
nova-compute placement GET /allocations/{{uuid}} token -
nova-compute placement GET /allocations/{{uuid}} token -
nova-compute placement GET /allocations/{{uuid}} token -
nova-compute placement GET /allocations/{{uuid}} token -
python-neutronclient network GET /v2.0/networks?id={{uuid}} token service
python-neutronclient network POST /v2.0/ports token service
python-neutronclient network GET /v2.0/extensions token service
python-neutronclient network PUT /v2.0/ports/{{uuid}} token service
python-glanceclient image GET /v2/images/{{uuid}} token service
python-glanceclient image GET /v2/images/{{uuid}}/file token service
python-neutronclient network GET /v2.0/ports?tenant_id={{pid}}&device_id={{uuid}} token service
python-neutronclient network GET /v2.0/floatingips?fixed_ip_address=10.8.0.2&port_id={{uuid}} token service
python-neutronclient network GET /v2.0/subnets?id={{uuid}} token service
python-neutronclient network GET /v2.0/ports?network_id={{uuid}}&device_owner=network%3Adhcp token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?fields=segments token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?{PROVIDER} token service
"""
NOTIFIED = """
python-novaclient compute POST /v2.1/os-server-external-events token -
python-novaclient compute POST /v2.1/os-server-external-events token -
"""
REFRESHED = f"""
python-neutronclient network GET /v2.0/ports?tenant_id={{pid}}&device_id={{uuid}} token service
python-neutronclient network GET /v2.0/networks?id={{uuid}} token service
python-neutronclient network GET /v2.0/floatingips?fixed_ip_address=10.8.0.2&port_id={{uuid}} token service
python-neutronclient network GET /v2.0/subnets?id={{uuid}} token service
python-neutronclient network GET /v2.0/ports?network_id={{uuid}}&device_owner=network%3Adhcp token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?fields=segments token service
python-neutronclient network GET /v2.0/networks/{{uuid}}?{PROVIDER} token service
"""
POLL = """
python-neutronclient network GET /v2.0/ports?device_id={uuid} token service
python-neutronclient network GET /v2.0/security-groups?id={uuid}&fields=id&fields=name token service
"""
DELETE = """
nova-compute placement GET /resource_providers/{uuid}/allocations token -
nova-compute placement GET /allocations/{uuid} token -
nova-compute placement GET /allocations/{uuid} token -
nova-compute placement GET /allocations/{uuid} token -
nova-compute placement GET /allocations/{uuid} token -
python-neutronclient network GET /v2.0/ports?device_id={uuid} token service
python-neutronclient network DELETE /v2.0/ports/{uuid} token service
nova-compute placement DELETE /allocations/{uuid} token -
python-novaclient compute POST /v2.1/os-server-external-events token -
"""


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", "127.0.1.1")
    return found


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def shape(call: Call) -> str:
    fields = dict(call.fields)
    parts = urlsplit(call.url)
    target = parts.path + (f"?{parts.query}" if parts.query and "candidates" not in parts.path else "")
    target = HEX.sub("{pid}", UUID.sub("{uuid}", target))
    agent = fields.get("User-Agent", "").partition(" ")[0]
    token = "token" if "X-Auth-Token" in fields else "-"
    service = "service" if "X-Service-Token" in fields else "-"
    return f"{agent} {PORTS[parts.port or 0]} {call.method} {target} {token} {service}"


def calls(world: World, since: int) -> list[str]:
    """What services asked each other since then, without Keystone's share."""
    found = [call for call, _ in world.log[since:] if call.process != "client"]
    return [shape(call) for call in found if urlsplit(call.url).port != 5000]


def network_of(demo: User) -> Any:
    return demo.ask("GET", "network", "/v2.0/networks").json()["networks"][0]


def test_a_cold_server_create(world: World) -> None:
    demo = User(world, "127.0.1.1")
    image, network = demo.image(), network_of(demo)
    before = len(world.log)
    created = demo.server(image["id"], [{"uuid": network["id"]}])
    # In virtual time Neutron's notifications run when the build is through; in real time they run beside it.
    assert calls(world, before) == lines(API) + lines(BUILD) + lines(NOTIFIED) + lines(REFRESHED)
    before = len(world.log)
    server = demo.show(created.json()["server"]["id"])
    assert server["security_groups"] == [{"name": "default"}]
    assert calls(world, before) == lines(POLL)
    before = len(world.log)
    demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}")
    assert calls(world, before) == lines(DELETE)


def test_a_warm_server_create_without_network_makes_fifteen_calls(world: World) -> None:
    demo = User(world, "127.0.1.1")
    image = demo.image()
    demo.server(image["id"], "none")
    before = len(world.log)
    assert demo.server(image["id"], "none").status == 202
    found = [shape(call) for call, _ in world.log[before:]]
    # The client's own POST, two looks at the image, Placement's nine, the image again and its data, and the
    # one look at its ports; nothing of Keystone's, since that is warm.
    assert [line for line in found if " identity " in line] == []
    assert len(found) == 15


def test_each_token_is_whose_it_should_be(world: World) -> None:
    """Ports are made with the user's token and bound with Nova's own; Placement never sees the user's."""
    demo = User(world, "127.0.1.1")
    image, network = demo.image(), network_of(demo)
    demo.server(image["id"], [{"uuid": network["id"]}])
    for call, _ in world.log:
        fields = dict(call.fields)
        target = shape(call)
        if call.process == "client" or " identity " in target:
            continue
        if " POST /v2.0/ports" in target or " image GET /v2" in target or "quotas" in target:
            assert fields["X-Auth-Token"] == demo.token
            assert fields["X-Service-Token"] != demo.token
        if "placement" in target or "external-events" in target or " PUT /v2.0/ports" in target:
            assert fields["X-Auth-Token"] != demo.token


def test_every_process_authenticates_once_for_each_of_its_accounts(world: World) -> None:
    demo = User(world, "127.0.1.1")
    image, network = demo.image(), network_of(demo)
    for _ in range(3):
        demo.server(image["id"], [{"uuid": network["id"]}])
    issued = [
        (call.process, call.body)
        for call, _ in world.log
        if call.method == "POST" and call.url.endswith("/auth/tokens") and call.process != "client"
    ]
    assert len(issued) == len(set(issued))
    assert {process for process, _ in issued} == {
        "glance-auth", "nova-auth", "neutron-auth", "placement-auth",
        "nova-api-os-compute", "nova-scheduler", "nova-compute", "neutron-server",
    }  # fmt: skip


def test_every_call_for_a_request_carries_its_id(world: World) -> None:
    demo = User(world, "127.0.1.1")
    image, network = demo.image(), network_of(demo)
    own = "req-01234567-89ab-4def-8123-456789abcdef"
    given = {"name": "s", "imageRef": image["id"], "flavorRef": "2", "networks": [{"uuid": network["id"]}]}
    before = len(world.log)
    fields = {"OpenStack_API_Version": "compute 2.96", "X_OpenStack_Request_ID": own}
    demo.ask("POST", "compute", "/v2.1/servers", {"server": given}, **fields)
    found = [call for call, _ in world.log[before:] if call.process.startswith("nova-")]
    sent = {dict(call.fields).get("X-OpenStack-Request-ID") for call in found if ":5000" not in call.url}
    # All but the anonymous look at Glance's versions, and what Neutron's own notification makes Nova do.
    assert own in sent
    builds = [call for call in found if "/v2.0/ports" in call.url and call.method in {"POST", "PUT"}]
    assert [dict(call.fields)["X-OpenStack-Request-ID"] for call in builds] == [own, own]
    placements = [call for call in found if ":8778" in call.url]
    assert {dict(call.fields)["X-OpenStack-Request-ID"] for call in placements} == {own}


def test_without_an_id_of_the_client_the_services_own_goes_along(world: World) -> None:
    demo = User(world, "127.0.1.1")
    image, before = demo.image(), len(world.log)
    given = {"server": {"name": "s", "imageRef": image["id"], "flavorRef": "2", "networks": "none"}}
    demo.ask("POST", "compute", "/v2.1/servers", given, X_OpenStack_Request_ID="req-nonsense")
    sent = {
        dict(call.fields)["X-OpenStack-Request-ID"]
        for call, _ in world.log[before:]
        if call.process.startswith("nova-") and (":8778" in call.url or "/v2/" in call.url)
    }
    assert len(sent) == 1
    assert re.fullmatch(f"req-{UUID.pattern}", sent.pop())

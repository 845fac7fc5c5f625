"""Neutron: networks, addresses, ports, security groups, who sees and sets what, how errors look."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.sim.faults import ApiError
from oidproxy.sim.neutron.addresses import Allocations, gateway_of, network_of, pools_of
from tests.sim.virtual import User, World

ADDRESS = "127.0.1.1"


@pytest.fixture
def world() -> World:
    found = World()
    found.add("cloud-1", ADDRESS)
    return found


@pytest.fixture
def demo(world: World) -> User:
    return User(world, ADDRESS)


def make(user: User, member: str, **values: Any) -> dict[str, Any]:
    answer = user.ask("POST", "network", f"/v2.0/{member.replace('_', '-')}s", {member: values})
    assert answer.status == 201, answer.body
    return dict(answer.json()[member])


def network(user: User, cidr: str = "10.1.0.0/29") -> dict[str, Any]:
    found = make(user, "network", name="n")
    make(user, "subnet", network_id=found["id"], ip_version=4, cidr=cidr)
    return found


def kind_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json()["NeutronError"]["type"]


class TestAddresses:
    def test_a_port_gets_the_next_address_and_gives_it_back(self, demo: User) -> None:
        found = network(demo)
        ports = [make(demo, "port", network_id=found["id"]) for _ in range(5)]
        taken = [port["fixed_ips"][0]["ip_address"] for port in ports]
        assert taken == [f"10.1.0.{last}" for last in range(2, 7)]
        full = demo.ask("POST", "network", "/v2.0/ports", {"port": {"network_id": found["id"]}})
        assert kind_of(full) == (409, "IpAddressGenerationFailure")
        demo.ask("DELETE", "network", f"/v2.0/ports/{ports[1]['id']}")
        assert make(demo, "port", network_id=found["id"])["fixed_ips"][0]["ip_address"] == "10.1.0.3"

    def test_a_wanted_address_is_given_once_and_only_inside(self, demo: User) -> None:
        found = network(demo)
        wanted = {"network_id": found["id"], "fixed_ips": [{"ip_address": "10.1.0.4"}]}
        assert make(demo, "port", **wanted)["fixed_ips"][0]["ip_address"] == "10.1.0.4"
        again = demo.ask("POST", "network", "/v2.0/ports", {"port": wanted})
        assert kind_of(again) == (409, "IpAddressAlreadyAllocated")
        wanted["fixed_ips"] = [{"ip_address": "10.9.9.9"}]
        assert kind_of(demo.ask("POST", "network", "/v2.0/ports", {"port": wanted})) == (
            400,
            "InvalidIpForNetwork",
        )

    @given(st.integers(20, 30), st.data())
    @settings(deadline=None, max_examples=30)
    def test_addresses_are_distinct_and_within_the_pools(self, prefix: int, data: st.DataObject) -> None:
        subnet_of = network_of(f"10.0.0.0/{prefix}", 4)
        gateway = gateway_of(subnet_of, "")
        pools = pools_of(subnet_of, gateway, None)
        subnet = {"id": "s", "network_id": "n", "cidr": str(subnet_of), "allocation_pools": pools}
        allocations, held = Allocations(), set()
        for _ in range(min(20, subnet_of.num_addresses - 3)):
            if held and data.draw(st.booleans()):
                gone = data.draw(st.sampled_from(sorted(held)))
                held.discard(gone)
                allocations.give_back("s", gone)
            address = allocations.take(subnet)
            assert address not in held | {gateway}
            assert ip_address(address) in ip_network(subnet["cidr"])
            held.add(address)

    @pytest.mark.parametrize(
        ("cidr", "version"), [("10.0.0.1/8", 4), ("nonsense", 4), ("fd00::/64", 4), ("10.0.0.0/8", 6)]
    )
    def test_nonsense_is_no_subnet(self, cidr: str, version: int) -> None:
        with pytest.raises(ApiError) as refused:
            network_of(cidr, version)
        assert refused.value.status == 400


class TestWhoSeesAndSetsWhat:
    def test_shared_networks_are_everybodys_to_see_and_nobodys_to_change(self, demo: User) -> None:
        rows = demo.ask("GET", "network", "/v2.0/networks").json()["networks"]
        assert [row["name"] for row in rows] == ["private"]
        assert demo.ask("DELETE", "network", f"/v2.0/networks/{rows[0]['id']}").status == 403

    def test_others_are_not_there(self, world: World, demo: User) -> None:
        admin = User(world, ADDRESS, "admin", "admin")
        hidden = make(admin, "network", name="hidden")
        assert kind_of(demo.ask("GET", "network", f"/v2.0/networks/{hidden['id']}")) == (
            404,
            "NetworkNotFound",
        )
        port = demo.ask("POST", "network", "/v2.0/ports", {"port": {"network_id": hidden["id"]}})
        assert kind_of(port) == (404, "NetworkNotFound")

    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ({"shared": True}, 403),
            ({"router:external": True}, 403),
            ({"provider:network_type": "vlan"}, 403),
            ({"tenant_id": "another"}, 403),
            ({"status": "DOWN"}, 400),
            ({"nonsense": 1}, 400),
            ({"shared": False}, 201),
        ],
    )
    def test_what_members_may_set(self, demo: User, values: dict[str, Any], status: int) -> None:
        assert demo.ask("POST", "network", "/v2.0/networks", {"network": values}).status == status

    def test_bindings_and_providers_are_for_services(self, world: World, demo: User) -> None:
        found, neutron = network(demo), User(world, ADDRESS, "neutron", "service")
        port = make(demo, "port", network_id=found["id"])
        assert "binding:host_id" not in port
        assert "provider:network_type" not in found
        assert (
            demo.ask("PUT", "network", f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h"}}).status
            == 403
        )
        bound = neutron.ask("PUT", "network", f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h"}})
        assert (bound.json()["port"]["status"], bound.json()["port"]["binding:vif_type"]) == ("ACTIVE", "ovs")

    def test_a_quota_is_its_projects(self, demo: User) -> None:
        assert demo.ask("GET", "network", f"/v2.0/quotas/{demo.project_id}").json()["quota"]["port"] > 0
        assert demo.ask("GET", "network", "/v2.0/quotas/another").status == 403


class TestLists:
    def test_filters_fields_order_and_pages_with_absolute_links(self, demo: User) -> None:
        for name in ("c", "a", "b"):
            make(demo, "network", name=name)
        ask = lambda query: demo.ask("GET", "network", f"/v2.0/networks?{query}").json()  # noqa: E731
        assert [row["name"] for row in ask("name=a&name=b&sort_key=name&sort_dir=desc")["networks"]] == [
            "b",
            "a",
        ]
        assert ask("name=a&fields=name")["networks"] == [{"name": "a"}]
        assert [row["name"] for row in ask("shared=True")["networks"]] == ["private"]
        first = ask("shared=False&limit=2&sort_key=name")
        link = first["networks_links"][0]["href"]
        assert link.startswith(f"http://{ADDRESS}:9696/v2.0/networks?")
        rest = demo.ask("GET", "network", link.removeprefix(f"http://{ADDRESS}:9696")).json()
        assert [row["name"] for row in first["networks"] + rest["networks"]] == ["a", "b", "c"]
        assert "networks_links" not in rest

    def test_a_port_list_without_a_limit_is_whole(self, demo: User) -> None:
        found = network(demo, "10.1.0.0/24")
        for _ in range(60):
            make(demo, "port", network_id=found["id"])
        assert len(demo.ask("GET", "network", "/v2.0/ports").json()["ports"]) == 60


class TestDeletion:
    def test_what_is_used_stays(self, demo: User) -> None:
        found = network(demo)
        port = make(demo, "port", network_id=found["id"])
        subnet_id = port["fixed_ips"][0]["subnet_id"]
        assert kind_of(demo.ask("DELETE", "network", f"/v2.0/networks/{found['id']}")) == (
            409,
            "NetworkInUse",
        )
        assert kind_of(demo.ask("DELETE", "network", f"/v2.0/subnets/{subnet_id}")) == (409, "SubnetInUse")
        group = port["security_groups"][0]
        answer = demo.ask("DELETE", "network", f"/v2.0/security-groups/{group}")
        assert kind_of(answer) == (409, "SecurityGroupCannotRemoveDefault")
        demo.ask("DELETE", "network", f"/v2.0/ports/{port['id']}")
        assert demo.ask("DELETE", "network", f"/v2.0/networks/{found['id']}").status == 204
        assert demo.ask("GET", "network", f"/v2.0/subnets/{subnet_id}").status == 404

    def test_a_group_in_use_stays(self, demo: User) -> None:
        found, group = network(demo), make(demo, "security_group", name="g")
        port = make(demo, "port", network_id=found["id"], security_groups=[group["id"]])
        answer = demo.ask("DELETE", "network", f"/v2.0/security-groups/{group['id']}")
        assert kind_of(answer) == (409, "SecurityGroupInUse")
        demo.ask("DELETE", "network", f"/v2.0/ports/{port['id']}")
        assert demo.ask("DELETE", "network", f"/v2.0/security-groups/{group['id']}").status == 204


def test_each_project_has_a_default_security_group(demo: User) -> None:
    rows = demo.ask("GET", "network", "/v2.0/security-groups").json()["security_groups"]
    assert [row["name"] for row in rows] == ["default"]
    assert len(rows[0]["security_group_rules"]) == 4


def test_a_router_joins_and_leaves_a_subnet(demo: User) -> None:
    found, router = network(demo), make(demo, "router", name="r")
    subnet = demo.ask("GET", "network", f"/v2.0/subnets?network_id={found['id']}").json()["subnets"][0]
    path = f"/v2.0/routers/{router['id']}"
    given = {"subnet_id": subnet["id"]}
    joined = demo.ask("PUT", "network", f"{path}/add_router_interface", given)
    port = demo.ask("GET", "network", f"/v2.0/ports/{joined.json()['port_id']}").json()["port"]
    assert port["fixed_ips"][0]["ip_address"] == subnet["gateway_ip"]
    assert kind_of(demo.ask("DELETE", "network", f"/v2.0/ports/{port['id']}")) == (409, "ServicePortInUse")
    assert kind_of(demo.ask("DELETE", "network", path)) == (409, "RouterInUse")
    assert demo.ask("PUT", "network", f"{path}/remove_router_interface", given).status == 200
    assert demo.ask("DELETE", "network", path).status == 204


def test_without_a_token_the_filter_answers(world: World) -> None:
    answer = world.ask("GET", f"http://{ADDRESS}:9696/v2.0/networks")
    assert answer.status == 401
    assert answer.json()["error"]["title"] == "Unauthorized"
    assert answer.fields["www-authenticate"] == f'Keystone uri="http://{ADDRESS}:5000/v3"'


def test_a_nova_that_is_down_does_not_keep_a_port_from_being_bound(world: World, demo: User) -> None:
    found, neutron = network(demo), User(world, ADDRESS, "neutron", "service")
    port = make(demo, "port", network_id=found["id"], device_id="server")
    world.down.add(f"{ADDRESS}:8774")
    bound = neutron.ask("PUT", "network", f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h"}})
    assert bound.status == 200

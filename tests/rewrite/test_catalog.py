"""Catalogs as clients and services see them: every URL at the proxy, every service where its scope leads."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from oidproxy.clouds.registry import Listener, Origin
from oidproxy.rewrite.catalog import client_catalog, service_catalog
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import untag
from oidproxy.scope.tree import NO_SCOPE
from tests.rewrite.world import (
    GATEWAY,
    PORTS,
    beside,
    beside_facade,
    cloud,
    endpoint,
    gateway,
    registry,
    two_clouds,
)

PROJECT = "3f2a"
SUFFIXES = {"identity": "/v3", "compute": "/v2.1", "volumev3": f"/v3/{PROJECT}"}
TYPES = {
    "identity": "identity",
    "image": "image",
    "compute": "compute",
    "network": "network",
    "placement": "placement",
    "volumev3": "block-storage",
}


def service(
    kind,
    *regions,
    host="127.0.1.1",
    name=None,
    port=None,
    suffix=None,
    interfaces=("public", "internal", "admin"),
):
    """A service of a Keystone's catalog."""
    port = port or PORTS[TYPES.get(kind, "identity")]
    url = f"http://{host}:{port}{SUFFIXES.get(kind, '') if suffix is None else suffix}"
    return {
        "type": kind,
        "name": name or kind.title(),
        "id": f"id-{kind}",
        "endpoints": [
            {
                "id": f"{kind}-{region}-{one}",
                "interface": one,
                "region": region,
                "region_id": region,
                "url": url,
            }
            for region in regions or ("RegionOne",)
            for one in interfaces
        ],
    }


CATALOG = [service(kind) for kind in TYPES]


def seen(catalog=CATALOG, *, to=None, bound="", home="cloud-1", facade=None, project=PROJECT):
    scope = parse(bound) if bound else NO_SCOPE
    return client_catalog(
        catalog,
        registry=to or two_clouds(),
        bound=scope,
        home=home,
        facade=facade or gateway(),
        project_id=project,
    )


def urls(catalog, region="RegionOne"):
    """Type -> the one URL that all three interfaces have in this region."""
    found = {}
    for one in catalog:
        there = [point for point in one["endpoints"] if point["region"] == region]
        if there:
            assert [point["interface"] for point in there] == ["public", "internal", "admin"]
            (found[one["type"]],) = {point["url"] for point in there}
    return found


def split(url):
    """(the scope of its tag or None, service, rest) of a URL at the gateway."""
    path = urlsplit(url).path.split("/")[1:]
    scope = None
    if path[0] == "s":
        scope, path = untag(path[1]), path[2:]
    return scope, path[0], "/" + "/".join(path[1:]) if path[1:] else ""


class TestWithoutScope:
    def test_every_url_leads_to_the_proxy_under_the_homes_own_names(self):
        catalog = seen()
        assert urls(catalog) == {
            "identity": "http://127.0.0.1:8888/identity/v3",
            "image": "http://127.0.0.1:8888/image",
            "compute": "http://127.0.0.1:8888/compute/v2.1",
            "network": "http://127.0.0.1:8888/network",
            "placement": "http://127.0.0.1:8888/placement",
            "volumev3": f"http://127.0.0.1:8888/block-storage/v3/{PROJECT}",
        }
        assert [(one["type"], one["name"], one["id"]) for one in catalog] == [
            (one["type"], one["name"], one["id"]) for one in CATALOG
        ]

    def test_endpoints_have_keystones_shape_and_ids_that_stay(self):
        points = [point for one in seen() for point in one["endpoints"]]
        assert all(sorted(point) == ["id", "interface", "region", "region_id", "url"] for point in points)
        ids = [point["id"] for point in points]
        assert len(set(ids)) == len(ids)
        assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)
        assert set(ids) <= {point["id"] for one in seen(bound="image:cloud-2") for point in one["endpoints"]}

    def test_beside_a_cloud_each_service_has_its_port(self):
        assert urls(seen(facade=beside_facade(1)))["image"] == "http://127.0.2.1:9292"

    def test_a_catalog_that_already_holds_our_addresses_gives_the_same(self):
        assert urls(seen([service(kind, host="127.0.2.1") for kind in TYPES])) == urls(seen())

    def test_what_the_proxy_does_not_serve_is_left_out(self):
        """Its client would send the token past the proxy."""
        strange = [
            service("acme", host="elsewhere", port=99),
            service("orchestration", port=8004, suffix=f"/v1/{PROJECT}"),
        ]
        assert urls(seen([*CATALOG, *strange])) == urls(seen())

    def test_an_unknown_type_at_an_address_that_the_proxy_serves_stays(self):
        found = urls(seen([*CATALOG, service("acme", port=9292, suffix="/acme/v1")]))
        assert found["acme"] == "http://127.0.0.1:8888/image/acme/v1"

    def test_services_of_a_cloud_that_was_not_learned_stay(self):
        """What it has is unknown now; the request will tell."""
        unlearned = registry(replace(cloud(1, services=()), unlearned="no answer"), cloud(2))
        assert urls(seen(to=unlearned)) == urls(seen())
        assert urls(seen([service("acme", port=9)], to=unlearned)) == {}

    def test_a_service_without_endpoints_is_left_out(self):
        assert seen([{**service("image"), "endpoints": []}, {"type": 7}, "junk", {"type": "image"}]) == []

    def test_a_root_is_what_stands_before_the_version(self):
        apache = endpoint("cloud-1", "compute", "x", origin=Origin("http", "cloud", 80), root="/compute")
        to = registry(cloud(1, services=("identity",), more=(apache,)))
        catalog = [
            {
                **service("compute"),
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": "http://cloud/compute/v2.1",
                    },
                    {
                        "interface": "admin",
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": "http://inside:1/nova/v2.1",
                    },
                ],
            }
        ]
        assert urls(seen(catalog, to=to)) == {"compute": "http://127.0.0.1:8888/compute/v2.1"}

    def test_the_public_interface_counts_and_an_internal_one_will_do(self):
        only = [
            service("image", interfaces=("internal",), suffix="/v2"),
            service("compute", interfaces=("admin",)),
        ]
        assert urls(seen(only)) == {
            "image": "http://127.0.0.1:8888/image/v2",
            "compute": "http://127.0.0.1:8888/compute/v2.1",
        }


class TestRegionsOfTheHome:
    def two_regions(self):
        second = endpoint("cloud-1", "image", "127.0.1.9", region="RegionNine")
        return registry(cloud(1, more=(second,)), cloud(2, admits=("cloud-1",)))

    def test_another_real_region_is_bound_by_its_url(self):
        catalog = [
            service("image", "RegionOne", "RegionNine"),
            service("identity", "RegionOne", "RegionNine"),
        ]
        found = seen(catalog, to=self.two_regions())
        assert urls(found)["image"] == "http://127.0.0.1:8888/image"
        assert split(urls(found, "RegionNine")["image"]) == (parse("image:cloud-1/RegionNine"), "image", "")
        assert urls(found, "RegionNine")["identity"] == "http://127.0.0.1:8888/identity/v3"

    def test_the_scope_stays_in_it(self):
        found = seen(
            [service("image", "RegionOne", "RegionNine")], to=self.two_regions(), bound="compute:cloud-2"
        )
        assert split(urls(found, "RegionNine")["image"])[0] == parse(
            "compute:cloud-2;image:cloud-1/RegionNine"
        )

    def test_a_scope_too_long_to_hold_the_region_as_well_loses_the_region_only(self):
        long = "compute:" + "|".join(f'"{name * 41}"' for name in "abcdefghijklmnopqrstuvwx")
        found = seen([service("image", "RegionOne", "RegionNine")], to=self.two_regions(), bound=long)
        assert urls(found, "RegionNine") == {}
        assert split(urls(found)["image"])[1:] == ("image", "")

    def test_a_region_that_the_proxy_does_not_serve_is_left_out(self):
        assert urls(seen([service("image", "RegionOne", "RegionTen")]), "RegionTen") == {}

    def test_a_scope_that_names_a_region_leads_there_whatever_the_clients_region(self):
        catalog = [service("image", "RegionOne", "RegionNine")]
        found = seen(catalog, to=self.two_regions(), bound="image:cloud-1/RegionNine")
        assert urls(found) == urls(found, "RegionNine")

    def test_a_region_that_is_misspelled_in_our_configuration_is_the_homes_own(self):
        assert urls(seen([service("image", "region-one")]), "region-one") == {
            "image": "http://127.0.0.1:8888/image"
        }


class TestWithScope:
    def test_the_scope_is_in_every_url(self):
        found = urls(seen(bound="identity:cloud-1;image:cloud-2"))
        assert {split(url)[0] for url in found.values()} == {parse("identity:cloud-1;image:cloud-2")}
        assert split(found["image"])[1:] == ("image", "")
        assert split(found["volumev3"])[1:] == ("block-storage", f"/v3/{PROJECT}")

    def test_a_service_of_another_cloud_has_that_clouds_path(self):
        elsewhere = endpoint(
            "cloud-2",
            "block-storage",
            "127.0.1.2",
            suffix="/v3.70/%(project_id)s",
            catalog_type="block-storage",
        )
        to = registry(cloud(1), cloud(2, services=("image",), more=(elsewhere,)))
        found = urls(seen(to=to, bound="cinder:cloud-2"))
        assert split(found["volumev3"])[1:] == ("block-storage", f"/v3.70/{PROJECT}")

    def test_among_several_spellings_it_has_the_homes(self):
        old = endpoint(
            "cloud-2", "block-storage", "127.0.1.2", suffix="/v2/%(project_id)s", catalog_type="volumev2"
        )
        to = registry(cloud(1), cloud(2, services=("block-storage",), more=(old,)))
        catalog = [service("volumev2", port=8776, suffix=f"/v2/{PROJECT}"), service("volumev3")]
        found = urls(seen(catalog, to=to, bound="cinder:cloud-2"))
        assert [split(found[kind])[2] for kind in ("volumev2", "volumev3")] == [
            f"/v2/{PROJECT}",
            f"/v3/{PROJECT}",
        ]

    def test_placement_and_network_follow_compute(self):
        elsewhere = endpoint("cloud-2", "network", "127.0.1.2", suffix="/networking")
        to = registry(cloud(1), cloud(2, services=("compute", "placement"), more=(elsewhere,)))
        assert split(urls(seen(to=to, bound="compute:cloud-2"))["network"])[2] == "/networking"
        assert split(urls(seen(to=to, bound="compute:cloud-2;network:cloud-1"))["network"])[2] == ""

    def test_what_the_other_cloud_does_not_have_is_left_out(self):
        to = registry(cloud(1), cloud(2, services=("image",)))
        assert sorted(urls(seen(to=to, bound="*:cloud-2;identity:cloud-1"))) == ["identity", "image"]

    def test_unless_that_is_not_known(self):
        to = registry(cloud(1), replace(cloud(2, services=()), unlearned="no answer"))
        assert split(urls(seen(to=to, bound="image:cloud-2"))["image"])[1:] == ("image", "")

    def test_what_only_the_other_cloud_has_is_added_under_the_homes_region(self):
        heat = endpoint("cloud-2", "orchestration", "127.0.1.2", suffix="/v1/%(project_id)s")
        to = registry(cloud(1), cloud(2, region="RegionTwo", more=(heat,)))
        added = {one["type"]: one for one in seen(to=to, bound="heat:cloud-2")}["orchestration"]
        assert added["name"] == "the orchestration"
        assert {point["region"] for point in added["endpoints"]} == {"RegionOne"}
        assert split(added["endpoints"][0]["url"])[1:] == ("orchestration", f"/v1/{PROJECT}")
        assert "orchestration" in urls(seen(to=to, bound="*:cloud-2"))
        assert "orchestration" not in urls(seen(to=to, bound="image:cloud-2"))

    def test_several_clouds_have_the_homes_path(self):
        found = urls(seen(bound="cinder:cloud-1&cloud-2"))
        assert split(found["volumev3"]) == (
            parse("cinder:cloud-1&cloud-2"),
            "block-storage",
            f"/v3/{PROJECT}",
        )

    def test_a_scope_that_means_nothing_breaks_no_catalog(self):
        found = urls(seen(bound="image:atlantis"))
        assert split(found["image"])[0] == parse("image:atlantis")

    def test_a_token_without_project_sees_nothing_that_needs_one(self):
        """Keystone leaves such endpoints out of its own catalog, too."""
        catalog = [one for one in CATALOG if one["type"] != "volumev3"]
        assert "volumev3" not in urls(seen(catalog, bound="*:cloud-2;identity:cloud-1", project=""))

    def test_beside_a_cloud_a_scope_makes_paths(self):
        found = urls(seen(facade=beside_facade(1, port=5000), bound="image:cloud-2"))
        assert urlsplit(found["image"]).netloc == "127.0.2.1:5000"
        assert split(found["image"])[0] == parse("image:cloud-2")

    def test_beside_a_cloud_a_service_without_a_port_is_reached_behind_a_scope(self):
        few = Listener("127.0.2.1", None, {"identity": 5000}, "cloud-1")
        facade = replace(beside_facade(1, port=5000), listener=few)
        found = urls(seen(facade=facade))
        assert found["identity"] == "http://127.0.2.1:5000/v3"
        assert split(found["image"])[:2] == (parse("image:cloud-1"), "image")


class TestCloudsAsRegions:
    def test_on_a_gateway_the_clouds_of_the_scope_are_regions(self):
        catalog = seen(bound="image:cloud-2")
        found = urls(catalog, "cloud-2")
        assert {split(url)[0] for url in found.values()} == {parse("*:cloud-2;identity:cloud-1")}
        assert split(found["identity"])[1:] == ("identity", "/v3")
        assert split(found["volumev3"])[1:] == ("block-storage", f"/v3/{PROJECT}")
        assert [point["region"] for point in catalog[0]["endpoints"]] == ["RegionOne"] * 3 + ["cloud-2"] * 3

    def test_the_home_is_one_of_them_when_it_is_named(self):
        found = urls(seen(bound="*:cloud-1"), "cloud-1")
        assert {split(url)[0] for url in found.values()} == {parse("*:cloud-1;identity:cloud-1")}

    def test_groups_and_unions_name_clouds_too(self):
        to = registry(
            *(cloud(number, admits=("cloud-1",), groups=("fr",)) for number in range(1, 5)),
            groups={"fr": ("cloud-3", "cloud-4")},
        )
        regions = {
            point["region"] for one in seen(to=to, bound="image:@fr|cloud-2") for point in one["endpoints"]
        }
        assert regions == {"RegionOne", "cloud-2", "cloud-3", "cloud-4"}

    def test_a_cloud_that_does_not_admit_the_home_is_none(self):
        assert urls(seen(to=registry(cloud(1), cloud(2)), bound="image:cloud-2"), "cloud-2") == {}

    def test_without_a_scope_there_are_none(self):
        assert {point["region"] for one in seen() for point in one["endpoints"]} == {"RegionOne"}

    def test_beside_a_cloud_there_are_none(self):
        assert urls(seen(bound="image:cloud-2", facade=beside_facade(1)), "cloud-2") == {}

    def test_a_region_that_the_home_really_has_keeps_its_meaning(self):
        to = registry(cloud(1, region="cloud-2"), cloud(2, admits=("cloud-1",)))
        found = urls(seen([service("image", "cloud-2")], to=to, bound="compute:cloud-2"), "cloud-2")
        assert split(found["image"])[0] == parse("compute:cloud-2")

    def test_there_are_at_most_32(self):
        to = registry(*(cloud(number, admits=("cloud-1",)) for number in range(1, 60)))
        regions = {point["region"] for one in seen(to=to, bound="image:*") for point in one["endpoints"]}
        assert len(regions) == 1 + 32

    def test_services_that_only_such_a_cloud_has_are_added(self):
        heat = endpoint("cloud-2", "orchestration", "127.0.1.2", suffix="/v1/%(project_id)s")
        to = registry(cloud(1), cloud(2, admits=("cloud-1",), more=(heat,)))
        found = urls(seen(to=to, bound="image:cloud-2"), "cloud-2")
        assert split(found["orchestration"])[1:] == ("orchestration", f"/v1/{PROJECT}")


class TestForServices:
    def shown(self, to=None, facade=None, project=PROJECT, name="cloud-2"):
        return service_catalog(to or two_clouds(), name, project, facade or beside_facade(2, port=5000))

    def test_their_own_cloud_at_our_addresses_in_its_own_words(self):
        catalog = self.shown()
        assert urls(catalog, "RegionTwo") == {
            "identity": "http://127.0.2.2:5000/v3",
            "image": "http://127.0.2.2:9292",
            "compute": "http://127.0.2.2:8774/v2.1",
            "network": "http://127.0.2.2:9696",
            "volumev3": f"http://127.0.2.2:8776/v3/{PROJECT}",
            "placement": "http://127.0.2.2:8778",
        }
        assert {one["type"]: one["name"] for one in catalog}["volumev3"] == "cinderv3"

    def test_never_a_tag(self):
        assert self.shown(facade=beside_facade(2, "x41", 5000)) == self.shown()

    def test_only_what_an_untagged_address_leads_to(self):
        far = endpoint("cloud-2", "image", "127.0.1.9", region="RegionNine")
        keystone = endpoint("cloud-2", "identity", "127.0.1.2", region="RegionNine")
        to = registry(cloud(1), cloud(2, more=(far, keystone)))
        assert list(urls(self.shown(to), "RegionNine")) == ["identity"]

    def test_internal_endpoints_are_not_shown_twice(self):
        inside = endpoint("cloud-2", "image", "10.0.0.1", interface="internal")
        to = registry(cloud(1), cloud(2, more=(inside,)))
        assert urls(self.shown(to))["image"] == "http://127.0.2.2:9292"

    def test_two_spellings_stay_two_services(self):
        old = endpoint(
            "cloud-2",
            "block-storage",
            "127.0.1.2",
            suffix="/v2/%(project_id)s",
            catalog_type="volumev2",
            catalog_name="cinderv2",
        )
        found = urls(self.shown(registry(cloud(1), cloud(2, more=(old,)))))
        assert found["volumev2"] == f"http://127.0.2.2:8776/v2/{PROJECT}"
        assert found["volumev3"] == f"http://127.0.2.2:8776/v3/{PROJECT}"

    def test_without_a_project_what_needs_one_is_left_out(self):
        assert "volumev3" not in urls(self.shown(project=""), "RegionTwo")

    def test_a_service_that_no_address_beside_the_cloud_has_is_left_out_or_found_on_the_gateway_port(self):
        few = Listener("127.0.2.2", None, {"identity": 5000}, "cloud-2")
        both = replace(few, port=8888)
        assert list(
            urls(self.shown(facade=replace(beside_facade(2, port=5000), listener=few)), "RegionTwo")
        ) == ["identity"]
        found = urls(self.shown(facade=replace(beside_facade(2, port=5000), listener=both)), "RegionTwo")
        assert found["identity"] == "http://127.0.2.2:5000/v3"
        assert found["image"] == "http://127.0.2.2:8888/image"


def test_no_url_of_any_catalog_leaves_the_proxy():
    ours = {GATEWAY.host, beside(1).host, beside(2).host}
    for catalog in (seen(), seen(bound="*:cloud-2;identity:cloud-1"), TestForServices().shown()):
        assert {urlsplit(point["url"]).hostname for one in catalog for point in one["endpoints"]} <= ours


class TestRegionsOfAnotherHome:
    """A client keeps the region of its own cloud, also where its scope has the identity elsewhere."""

    CLOUDS = registry(cloud(1), cloud(2, region="Edge999"))
    THERE = [service(kind, "Edge999", host="127.0.1.2") for kind in TYPES]  # noqa: RUF012 - never changed

    def test_beside_a_cloud_its_region_stands_for_the_homes_own(self):
        shown = seen(self.THERE, to=self.CLOUDS, home="cloud-2", facade=beside_facade(1))
        assert urls(shown, "RegionOne") == urls(shown, "Edge999")
        assert urls(shown, "Edge999")

    def test_at_the_gateway_and_beside_the_home_regions_are_the_homes(self):
        for facade in (gateway(), beside_facade(2)):
            shown = seen(self.THERE, to=self.CLOUDS, home="cloud-2", facade=facade)
            assert {one["region"] for entry in shown for one in entry["endpoints"]} == {"Edge999"}

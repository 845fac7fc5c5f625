"""Version documents of a service of several clouds come from one of them, so that the call can say no."""

from __future__ import annotations

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.routing.decision import Forward, Refuse
from oidproxy.routing.explain import explain
from tests.routing.world import NOW, ask, at, at_gateway, cloud, head, registry, sealed, snapshot

OPEN = {"admits": {name: Admission() for name in ("cloud-1", "cloud-2", "cloud-3")}}
KNOWN = snapshot(
    registry(
        cloud("cloud-1", 0, without=("block-storage",), groups=("near",), **OPEN),
        cloud("cloud-2", 1, regions=("RegionOne", "RegionTwo"), groups=("far",), **OPEN),
        cloud("cloud-3", 2, groups=("far",), **OPEN),
    )
)


def decided(method="GET", path="/image/", scope="image:*", token=None, known=KNOWN):
    return ask(head(method, path, scope=scope, token=token), known=known)


@pytest.mark.parametrize("token", [None, sealed()])
@pytest.mark.parametrize(
    "path", ["/image", "/image/", "/image/v2", "/image/v2/", "/image/v2.1", "/image/%762/"]
)
@pytest.mark.parametrize(
    ("scope", "first"),
    [
        ("glance:*", "cloud-1"),
        ("glance:cloud-3|cloud-1", "cloud-3"),
        ("glance:@far", "cloud-2"),
        ("glance:any(2,cloud-3&cloud-2)", "cloud-3"),
        ("glance:cloud-2%cloud-1", "cloud-2"),
        ("*:cloud-3&cloud-1;identity:cloud-1", "cloud-3"),
    ],
)
def test_the_plans_first_cloud_answers_for_the_versions(path, token, scope, first):
    found = decided("GET", path, scope, token)
    assert isinstance(found, Forward)
    assert found.route.cloud == first


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/image/v2/images"),
        ("GET", "/image/versions"),
        ("GET", "/image/volumes"),
        ("GET", "/image/v"),
        ("GET", "/image/v2x"),
        ("GET", "/image/v2/v2"),
        ("POST", "/image/"),
        ("POST", "/image/v2"),
        ("DELETE", "/image/v2"),
    ],
)
def test_every_other_call_hears_why_several_clouds_are_refused(method, path):
    found = decided(method, path)
    assert isinstance(found, Refuse)
    assert (found.error.status, "means 3 clouds" in found.error.message) == (501, True)


def test_beside_a_cloud_and_behind_a_url_it_is_the_same():
    found = ask(head(target="/v2.0", scope="network:@far"), at("cloud-1", "network"), KNOWN)
    assert found.route.cloud == "cloud-2"
    assert ask(head(target="/s/image:@far/image/v2"), known=KNOWN).route.cloud == "cloud-2"


def test_a_named_region_is_kept():
    found = decided(scope="image:cloud-2/RegionTwo&cloud-1")
    assert (found.route.cloud, found.route.endpoint.region) == ("cloud-2", "RegionTwo")


def test_a_cloud_that_could_not_answer_is_passed_over():
    assert decided(path="/volumev3/v3", scope="cinder:*").route.cloud == "cloud-2"
    shut = snapshot(registry(cloud("cloud-1", 0), cloud("cloud-2", 1), cloud("cloud-3", 2, **OPEN)))
    assert decided(scope="image:*", token=sealed("cloud-2"), known=shut).route.cloud == "cloud-2"
    assert decided(scope="image:cloud-2|cloud-3", known=shut).route.cloud == "cloud-3"


def test_where_no_cloud_could_the_first_one_is_asked():
    shut = snapshot(registry())
    assert decided(scope="image:@far", known=shut).route.cloud == "cloud-2"
    absent = decided(path="/volumev3/v3", scope="cinder:cloud-3&cloud-3/RegionOne", known=shut)
    assert (absent.error.status, absent.error.message) == (501, "cloud-3 has no block-storage.")


def test_an_explanation_of_every_service_is_about_the_calls():
    request = head(scope="image:*;identity:*", token=sealed())
    rows = explain(request, at_gateway(), KNOWN, NOW, every_service=True)["services"]
    image = next(row for row in rows if row["service"] == "image")
    assert (image["status"], image["cloud"], image["clouds"]) == (
        None,
        None,
        ["cloud-1", "cloud-2", "cloud-3"],
    )
    assert image["plan"] == "all of cloud-1, cloud-2, cloud-3"
    identity = next(row for row in rows if row["service"] == "identity")
    assert (identity["status"], identity["cloud"]) == (None, "cloud-1")

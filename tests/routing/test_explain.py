"""Explanations: the same decisions as serving, in stable names, and no more than the asker may know."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.errors import ScopeError, TokenRefused
from oidproxy.routing.decide import decide
from oidproxy.routing.explain import explain
from oidproxy.scope.parse import parse
from tests.routing.world import (
    IMAGE,
    NOW,
    ask,
    at,
    at_gateway,
    closed,
    cloud,
    head,
    registry,
    sealed,
    snapshot,
)

ADMITS = {"admits": MappingProxyType({"cloud-1": Admission(roles=frozenset({"member"}))})}
KNOWN = snapshot(
    registry(
        cloud("cloud-1", 0, groups=("near",)),
        cloud("cloud-2", 1, groups=("far",), **ADMITS),
        cloud("cloud-3", 2, without=("block-storage",), groups=("far",)),
    )
)


def told(request, *, arrival=None, known=KNOWN, **more):
    made = explain(request, arrival or at_gateway(), known, NOW, **more)
    assert json.loads(json.dumps(made)) == made
    return made


def table(request, **more):
    return {row["service"]: row for row in told(request, every_service=True, **more)["services"]}


def test_every_service_is_told_with_its_carrier_plan_cloud_and_token():
    rows = table(
        head(scope="image:cloud-2;compute:cloud-2", token=sealed("cloud-1", "block-storage:cloud-1"))
    )
    assert {
        name: (row["carrier"], row["plan"], row["cloud"], row["token"]) for name, row in rows.items()
    } == {
        "block-storage": ("token", "cloud-1", "cloud-1", "sealed"),
        "compute": ("header", "cloud-2", "cloud-2", "closed"),
        "identity": ("token", "cloud-1", "cloud-1", "bare"),
        "image": ("header", "cloud-2", "cloud-2", "closed"),
        "network": ("compute", "cloud-2", "cloud-2", "closed"),
        "placement": ("compute", "cloud-2", "cloud-2", "closed"),
    }
    assert rows["image"]["expression"] == "cloud-2"
    assert rows["image"]["clouds"] == ["cloud-2"]
    assert rows["image"]["admitted"] is True
    assert rows["image"]["error"] is None


def test_the_whole_has_scope_and_home():
    made = told(head(scope="image:cloud-2", token=sealed("cloud-1", "compute:cloud-1")), every_service=True)
    assert (made["scope"], made["home"]) == ("compute:cloud-1;image:cloud-2", "cloud-1")
    assert "request" not in made
    assert told(head(), every_service=True, arrival=at("cloud-3", "image"))["home"] == "cloud-3"


def test_the_names_of_a_row_stay():
    row = table(head())["image"]
    assert list(row) == [
        "service", "carrier", "expression", "plan", "clouds", "cloud",
        "region", "endpoint", "token", "admitted", "status", "error",
        "left_out", "round_trips_us",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "plan", "clouds"),
    [
        ("cloud-2", "cloud-2", ["cloud-2"]),
        ("cloud-2/RegionOne", "cloud-2/RegionOne", ["cloud-2"]),
        ("cloud-1&cloud-2", "all of cloud-1, cloud-2", ["cloud-1", "cloud-2"]),
        (
            "cloud-1|cloud-2&cloud-3",
            "first of cloud-1, (all of cloud-2, cloud-3)",
            ["cloud-1", "cloud-2", "cloud-3"],
        ),
        ("any(2,*)", "2 of cloud-1, cloud-2, cloud-3", ["cloud-1", "cloud-2", "cloud-3"]),
        ("cloud-1%cloud-2", "across cloud-1, cloud-2", ["cloud-1", "cloud-2"]),
    ],
)
def test_a_plan_is_told_in_words(text, plan, clouds):
    row = table(head(scope=f"image:{text}", token=sealed()), operator=True)["image"]
    assert (row["plan"], row["clouds"], row["expression"]) == (plan, clouds, text)


def test_a_refusal_is_told_with_its_plan():
    row = table(head(scope="image:cloud-1%cloud-2", token=sealed()))["image"]
    assert (row["status"], row["cloud"], row["plan"]) == (501, None, "across cloud-1, cloud-2")
    assert "one resource across clouds" in row["error"]
    assert table(head(scope="cinder:cloud-3", token=sealed()))["block-storage"]["status"] == 501
    rows = table(head(scope="identity:cloud-2", token=sealed()))
    assert {row["status"] for row in rows.values()} == {401}


def test_a_user_sees_its_home_and_the_clouds_that_admit_it_and_no_addresses():
    rows = table(head(scope="image:cloud-3;compute:cloud-2;block-storage:*", token=sealed()))
    assert (rows["image"]["cloud"], rows["image"]["clouds"], rows["image"]["plan"]) == (None, [], None)
    assert rows["block-storage"]["clouds"] == ["cloud-1", "cloud-2"]
    assert rows["block-storage"]["plan"] is None
    assert rows["compute"]["cloud"] == "cloud-2"
    assert {row["endpoint"] for row in rows.values()} == {None}


def test_an_operator_sees_everything():
    rows = table(head(scope="image:cloud-3", token=sealed()), operator=True)
    assert rows["image"]["endpoint"] == "http://127.0.1.3:9292"
    assert (rows["image"]["admitted"], rows["compute"]["admitted"]) == (False, True)


def test_one_request_is_told_as_it_would_be_served():
    request = head(target=f"/image/v2/images/{IMAGE}?x=1", scope="image:cloud-2", token=sealed())
    made = told(request)
    assert made["request"] == {
        "method": "GET",
        "path": f"/image/v2/images/{IMAGE}",
        "decision": "forward",
        "target": f"/v2/images/{IMAGE}?x=1",
        "status": None,
        "error": None,
    }
    (row,) = made["services"]
    served = decide(request, at_gateway(), KNOWN, NOW).route
    assert (row["service"], row["cloud"], row["carrier"]) == (
        served.service_type,
        served.cloud,
        served.carrier,
    )


@pytest.mark.parametrize(
    ("request_", "decision", "service", "status"),
    [
        (head("POST", "/identity/v3/auth/tokens"), "issue", "identity", None),
        (
            head(target="/identity/v3/auth/tokens", token=sealed(), subject=sealed()),
            "validate",
            "identity",
            None,
        ),
        (
            head("DELETE", "/identity/v3/auth/tokens", token=sealed(), subject=sealed()),
            "revoke",
            "identity",
            None,
        ),
        (
            head(target="/image/v2/images", scope="image:@far&cloud-1", token=sealed()),
            "fan-out",
            "image",
            None,
        ),
        (head("PUT", "/image/v2/images", scope="image:@far"), "refuse", "image", 501),
        (
            head("POST", "/compute/v2.1/servers", scope="network:cloud-2", token=sealed()),
            "refuse",
            "compute",
            400,
        ),
    ],
)
def test_every_decision_has_its_row(request_, decision, service, status):
    made = told(request_)
    assert made["request"]["decision"] == decision
    (row,) = made["services"]
    assert (row["service"], row["status"]) == (service, status)


@pytest.mark.parametrize(("target", "decision"), [("/healthcheck", "answer"), ("/nothing", "refuse")])
def test_what_concerns_no_service_has_no_row(target, decision):
    made = told(head(target=target))
    assert (made["request"]["decision"], made["services"]) == (decision, [])


def test_a_refusal_that_concerns_no_service_says_why():
    request = told(head(target="/nope/v2.1/servers"))["request"]
    assert (request["decision"], request["status"]) == ("refuse", 404)
    assert request["error"] == ask(head(target="/nope/v2.1/servers")).error.message
    request = told(head("PUT", "/image/v2/images", scope="image:cloud-1&cloud-2"))["request"]
    assert (request["decision"], request["status"]) == ("refuse", 501)
    assert "2 clouds" in request["error"]
    answered = told(head(target="/healthcheck"))["request"]
    assert (answered["decision"], answered["status"], answered["error"]) == ("answer", None, None)


def test_a_closed_token_is_told_what_it_may():
    made = told(head(target=f"/v2/images/{IMAGE}", token=closed()), arrival=at("cloud-2", "image"))
    assert made["services"][0]["token"] == "sealed"
    made = told(head(target="/v2/tasks", token=closed()), arrival=at("cloud-2", "image"))
    assert made["services"][0]["status"] == 403


def test_what_cannot_be_read_cannot_be_explained():
    with pytest.raises(ScopeError, match="did you mean: cloud-1"):
        told(head(scope="image:cloud-9"), every_service=True)
    with pytest.raises(TokenRefused):
        told(head(token="junk~junk"), every_service=True)


def test_no_token_shows():
    assert "gAAAAAB" not in json.dumps(told(head(token=sealed(), target="/image/v2")))


def test_the_table_agrees_with_serving_for_every_service():
    known = replace(KNOWN, registry=replace(KNOWN.registry, scope=parse("compute:cloud-2")))
    request = head(scope="image:cloud-2", token=sealed())
    for service, row in table(request, known=known).items():
        served = ask(replace(request, target=f"/{service}/".encode()), known=known).route
        assert (row["cloud"], row["carrier"], row["region"]) == (
            served.cloud,
            served.carrier,
            served.endpoint.region,
        )


def test_how_far_clouds_are_is_told_where_a_scope_goes_by_it():
    rows = table(head(scope="image:nearest(cloud-2&cloud-3,2);compute:cloud-2"), operator=True)
    away = rows["image"]["round_trips_us"]
    assert list(away) == rows["image"]["clouds"]
    assert set(away) == {"cloud-2", "cloud-3"}
    assert rows["compute"]["round_trips_us"] is None

"""Calls to clouds whose services ask their own Keystone: what is read, carried and staged for them."""

from __future__ import annotations

import json

import pytest

from oidproxy.errors import BadRequest, BodyTooLarge
from oidproxy.http.head import Chunked, Length, NoBody
from oidproxy.routing.decision import Forward, ReadBody, Refuse
from oidproxy.routing.why import why
from tests.routing import world
from tests.routing.world import IMAGE, TOKEN, ask, closed, head, sealed, snapshot

JSON = {"content_type": "application/json"}
SERVER = json.dumps({"server": {"imageRef": IMAGE, "name": "s"}}).encode()


@pytest.fixture
def known():
    """cloud-1 asks the proxy; cloud-2 and cloud-3 ask their own Keystones."""
    return snapshot(
        world.registry(
            world.cloud("cloud-1", 0),
            world.cloud("cloud-2", 1, exchange=("mapped", "carried")),
            world.cloud("cloud-3", 2, exchange=(), without=("image",)),
        )
    )


def asked(known, method, target, scope, *, home="cloud-1", body=None, **more):
    return ask(head(method, target, scope=scope, token=sealed(home), **more), known=known, body=body)


# What is read.


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_document_for_an_exchanged_token_is_read_for_the_projects_in_it(known, method):
    decision = asked(known, method, "/network/v2.0/ports", "network:cloud-2", **JSON)
    assert decision == ReadBody(known.registry.limits.request_body)
    again = asked(known, method, "/network/v2.0/ports", "network:cloud-2", body=b'{"a": 1}', **JSON)
    assert isinstance(again, Forward)
    assert (again.body, again.direct, again.stage) == (b'{"a": 1}', True, None)


@pytest.mark.parametrize(
    ("method", "target", "scope", "more"),
    [
        (
            "PUT",
            f"/image/v2/images/{IMAGE}/file",
            "image:cloud-2",
            {"content_type": "application/octet-stream"},
        ),
        ("PUT", "/object-store/v1/AUTH_x/c/o", "object-store:cloud-2", JSON),
        ("POST", "/network/v2.0/ports", "network:cloud-1", JSON),
        ("GET", "/network/v2.0/ports", "network:cloud-2", {}),
        ("POST", "/network/v2.0/ports", "network:cloud-2", {**JSON, "framing": NoBody()}),
    ],
)
def test_data_and_calls_to_clouds_that_ask_the_proxy_are_not_read(known, method, target, scope, more):
    assert not isinstance(asked(known, method, target, scope, **more), ReadBody)


def test_a_home_that_asks_its_own_keystone_is_not_read_either(known):
    decision = asked(known, "POST", "/network/v2.0/ports", None, home="cloud-2", **JSON)
    assert isinstance(decision, Forward)
    assert decision.direct


def test_a_document_that_says_it_is_too_large_is_refused_before_it_is_read(known):
    framing = Length(known.registry.limits.request_body + 1)
    decision = asked(known, "POST", "/network/v2.0/ports", "network:cloud-2", framing=framing, **JSON)
    assert isinstance(decision, Refuse)
    assert isinstance(decision.error, BodyTooLarge)


# What is carried.


def test_a_carried_token_goes_with_the_call_to_its_cloud_and_with_no_other(known):
    carried = {"x_scope_tokens": "cloud-2=mine"}
    there = asked(known, "GET", "/image/v2/images", "image:cloud-2", **carried)
    assert there.carried.token == "mine"
    for scope, home in (("image:cloud-1", "cloud-1"), ("image:cloud-2", "cloud-2")):
        assert asked(known, "GET", "/image/v2/images", scope, home=home, **carried).carried is None


def test_what_cannot_be_read_of_it_matters_only_where_it_is_used(known):
    junk = {"x_scope_tokens": "=,="}
    decision = asked(known, "GET", "/image/v2/images", "image:cloud-2", **junk)
    assert isinstance(decision.error, BadRequest)
    assert isinstance(asked(known, "GET", "/image/v2/images", "image:cloud-1", **junk), Forward)


# What is staged.


def staged(known, target="/compute/v2.1/servers", scope="compute:cloud-2;image:cloud-1", **more):
    return asked(known, "POST", target, scope, body=SERVER, **JSON, **more)


def test_an_image_of_another_cloud_is_staged(known):
    stage = staged(known).stage
    assert stage.images == (IMAGE,)
    assert (stage.source.route.cloud, stage.target.route.cloud) == ("cloud-1", "cloud-2")
    assert {stage.source.route.service_type, stage.target.route.service_type} == {"image"}
    assert (stage.source.direct, stage.target.direct) == (False, True)
    assert stage.source.token.token == TOKEN


def test_images_that_nothing_binds_are_those_of_home(known):
    assert staged(known, scope="compute:cloud-2").stage.source.route.cloud == "cloud-1"
    assert staged(known, scope="compute:cloud-2", home="cloud-2").stage is None


def test_a_cloud_that_asks_the_proxy_fetches_images_itself(known):
    assert staged(known, scope="compute:cloud-1;image:cloud-2").stage is None


@pytest.mark.parametrize("framing", [Length(2), Chunked()])
def test_its_body_is_read_also_at_home(known, framing):
    scope = "compute:cloud-2;image:cloud-1;identity:cloud-2"
    request = head("POST", "/compute/v2.1/servers", scope=scope, token=sealed("cloud-2"), framing=framing)
    assert isinstance(ask(request, known=known), ReadBody)


def test_answers_about_servers_show_ids_of_that_cloud(known):
    listed = asked(known, "GET", "/compute/v2.1/servers/detail", "compute:cloud-2;image:cloud-1")
    assert listed.stage is not None
    assert listed.stage.images == ()


@pytest.mark.parametrize(
    "scope",
    ["compute:cloud-3", "compute:cloud-2;image:cloud-1 & cloud-2", "compute:cloud-2;image:cloud-2"],
)
def test_nothing_is_staged_where_there_is_no_one_image_service_on_either_side(known, scope):
    assert staged(known, scope=scope).stage is None


def test_what_a_service_of_another_cloud_asks_for_is_not_staged(known):
    box = closed("cloud-1", "block-storage:cloud-2;image:cloud-1", cloud="cloud-3")
    volume = json.dumps({"volume": {"imageRef": IMAGE}}).encode()
    request = head("POST", "/v3/volumes", token=box, **JSON)
    decision = ask(request, world.at("cloud-3", "block-storage"), known, volume)
    assert isinstance(decision, Forward)
    assert decision.stage is None


# What is said.


def test_why_says_that_a_token_is_exchanged(known):
    assert why(asked(known, "GET", "/image/v2/images", "image:cloud-2")).endswith("token=exchanged")
    assert why(asked(known, "GET", "/image/v2/images", None, home="cloud-2")).endswith("token=bare")
    assert why(asked(known, "GET", "/image/v2/images", "image:cloud-1")).endswith("token=sealed")


@pytest.mark.parametrize("service", ["orchestration", "database"])
def test_services_that_act_later_are_open_to_exchanged_tokens(service):
    clouds = [
        world.cloud("cloud-1", 0),
        world.cloud("cloud-2", 1, exchange=("mapped",), ports={service: 8004}),
        world.cloud("cloud-3", 2, ports={service: 8004}),
    ]
    known = snapshot(world.registry(*clouds))
    assert isinstance(asked(known, "GET", f"/{service}/v1/x/stacks", f"{service}:cloud-2"), Forward)
    assert isinstance(asked(known, "GET", f"/{service}/v1/x/stacks", f"{service}:cloud-3"), Refuse)

"""Requests of several clouds: which of them can be asked, how each is reached, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from oidproxy.clouds.plan import Every, First, One, Some
from oidproxy.clouds.registry import Admission
from oidproxy.errors import EndpointsUnknown, NotAdmitted, NotSupported, TokenRefused
from oidproxy.http.head import Length
from oidproxy.routing.decision import FanOut, Forward, Kind, ReadBody, Refuse
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from tests.routing.world import IMAGE, SERVICE_TOKEN, TOKEN, ask, cloud, head, registry, sealed, snapshot

OPEN = {"admits": MappingProxyType({"cloud-1": Admission()})}
LIST = "/image/v2/images"


def world(*, second=None, third=None, fourth=None):
    """cloud-1 is home; the others admit its users, but for what is changed."""
    return snapshot(
        registry(
            cloud("cloud-1", 0, groups=("near",)),
            cloud(
                "cloud-2", 1, regions=("RegionOne", "RegionTwo"), groups=("far",), **(OPEN | (second or {}))
            ),
            cloud("cloud-3", 2, groups=("far",), roots={"compute": "/compute"}, **(OPEN | (third or {}))),
            cloud("cloud-4", 3, groups=("far",), **(OPEN | (fourth or {}))),
        )
    )


def several(target=LIST, scope="image:*", *, known=None, method="GET", token=None, body=None, **more):
    found = ask(
        head(method, target, scope=scope, token=token or sealed(), **more), known=known or world(), body=body
    )
    assert isinstance(found, FanOut), found
    return found


def clouds(found):
    return [one.cloud for one in found.ones]


@pytest.mark.parametrize(
    ("scope", "plan"),
    [
        ("image:*", Every((One("cloud-1"), One("cloud-2"), One("cloud-3"), One("cloud-4")))),
        ("image:cloud-3&cloud-1", Every((One("cloud-3"), One("cloud-1")))),
        ("image:@far&not(cloud-3)", Every((One("cloud-2"), One("cloud-4")))),
        ("image:cloud-2|cloud-1", First((One("cloud-2"), One("cloud-1")))),
        ("image:any(2,@far)", Some(2, (One("cloud-2"), One("cloud-3"), One("cloud-4")))),
        ("image:cloud-1&(cloud-2|cloud-3)", Every((One("cloud-1"), First((One("cloud-2"), One("cloud-3")))))),
        ("image:(cloud-1&cloud-2)|cloud-3", First((Every((One("cloud-1"), One("cloud-2"))), One("cloud-3")))),
        ("image:cloud-2&cloud-2/RegionTwo", Every((One("cloud-2"), One("cloud-2", "RegionTwo")))),
        ("image:nearest(*,2)", Every((One("cloud-1"), One("cloud-3")))),
        ("image:around(cloud-1,1500us)", Every((One("cloud-1"), One("cloud-3")))),
        ("image:around(near,1500us)", Every((One("cloud-1"), One("cloud-3")))),
        ("image:cloud-*&not(cloud-4)", Every((One("cloud-1"), One("cloud-2"), One("cloud-3")))),
    ],
)
def test_a_plan_of_several_clouds_is_carried_out_as_it_is(scope, plan):
    found = several(scope=scope)
    assert found.plan == plan
    assert found.kind is Kind.COLLECTION


def test_each_way_is_that_of_a_request_to_this_cloud_alone():
    known = world(second={"exchange": ("same",)})
    target = f"/compute/v2.1/servers/{IMAGE}?x=1"
    found = several(target, "compute:*", known=known, service_token=SERVICE_TOKEN)
    for leg in found.legs:
        alone = ask(
            head(
                target=target, scope=f"compute:{leg.one.cloud}", token=sealed(), service_token=SERVICE_TOKEN
            ),
            known=known,
        )
        assert isinstance(alone, Forward)
        mine, other = leg.forward.route, alone.route
        assert (mine.endpoint, mine.target, mine.rest) == (other.endpoint, other.target, other.rest)
        assert (mine.home, mine.carrier, mine.facade) == (other.home, other.carrier, other.facade)
        assert (leg.forward.token, leg.forward.service_token) == (alone.token, alone.service_token)
        assert (leg.forward.direct, leg.forward.carried) == (alone.direct, alone.carried)


@pytest.mark.parametrize(
    ("target", "scope", "travels"),
    [
        ("/compute/v2.1/servers", "compute:*", "compute:cloud-2"),
        ("/compute/v2.1/servers", "*:*", "*:cloud-2;compute:cloud-2;identity:cloud-1"),
        ("/compute/v2.1/servers", "*:*;identity:*", "*:cloud-2;compute:cloud-2;identity:*"),
        ("/compute/v2.1/servers", "compute+network:*", "compute:cloud-2;network:cloud-2"),
        ("/compute/v2.1/servers", "compute:*;image:@near", "compute:cloud-2;image:@near"),
        ("/compute/v2.1/servers", "compute:*;image:cloud-1&cloud-3", "compute:cloud-2;image:cloud-1&cloud-3"),
        ("/compute/v2.1/servers", "compute:cloud-2|cloud-3", "compute:cloud-2"),
        ("/network/v2.0/ports", "compute:*", "compute:cloud-2;network:cloud-2"),
        (LIST, "image:*;compute:@far", "compute:cloud-2;image:cloud-2"),
        (LIST, "image:cloud-2/RegionTwo&cloud-3", "image:cloud-2/RegionTwo"),
    ],
)
def test_what_travels_with_a_token_means_the_cloud_it_goes_to(target, scope, travels):
    """Else each compute service would ask the network services of all clouds, for one list."""
    found = several(target, scope)
    (leg,) = (leg for leg in found.legs if leg.one.cloud == "cloud-2")
    assert canonical(leg.forward.route.effective) == travels


def test_a_scope_of_the_operator_does_not_fan_out_again():
    known = world()
    known = replace(known, registry=replace(known.registry, scope=parse("compute:*")))
    found = ask(head(target="/compute/v2.1/servers", token=sealed()), known=known)
    assert [canonical(leg.forward.route.effective) for leg in found.legs] == [
        f"compute:cloud-{number}" for number in (1, 2, 3, 4)
    ]


def test_a_region_is_a_place_of_its_own():
    found = several(scope="image:cloud-2&cloud-2/RegionTwo")
    assert [leg.forward.route.endpoint.region for leg in found.legs] == ["RegionOne", "RegionTwo"]


def test_clouds_that_cannot_be_asked_are_told_with_their_reason():
    known = world(
        second={"admits": {}},
        third={"without": ("image",)},
        fourth={"without": ("image",), "unlearned": "silent"},
    )
    found = several(known=known)
    assert clouds(found) == ["cloud-1"]
    reasons = {one.one.cloud: type(one.error) for one in found.absent}
    assert reasons == {"cloud-2": NotAdmitted, "cloud-3": NotSupported, "cloud-4": EndpointsUnknown}


def test_where_nobody_admits_the_user_no_cloud_is_named():
    shut = world(second={"admits": {}}, third={"admits": {}}, fourth={"admits": {}})
    found = ask(head(target=LIST, scope="image:@far", token=sealed()), known=shut)
    assert isinstance(found, Refuse)
    assert (found.error.status, "cloud-" in found.error.message.replace("cloud-1", "")) == (403, False)


def test_without_a_token_nobody_is_asked_and_nobody_named():
    found = ask(head(target=LIST, scope="image:*"), known=snapshot(registry()))
    assert isinstance(found, Refuse)
    assert (found.error.status, "cloud-" in found.error.message) == (401, False)


def test_tokens_that_came_along_go_to_their_own_clouds():
    known = world(second={"exchange": ("carried",)}, third={"exchange": ("carried",)})
    found = several(known=known, x_scope_tokens="cloud-2=theirs, nowhere=x")
    carried = {leg.one.cloud: leg.forward.carried and leg.forward.carried.token for leg in found.legs}
    assert carried == {"cloud-1": None, "cloud-2": "theirs", "cloud-3": None, "cloud-4": None}
    assert {leg.one.cloud for leg in found.legs if leg.forward.direct} == {"cloud-2", "cloud-3"}
    bad = ask(head(target=LIST, scope="image:*", token=sealed(), x_scope_tokens="cloud-2"), known=known)
    assert bad.error.status == 400


def test_images_of_another_cloud_are_staged_where_a_cloud_stands_alone():
    known = world(second={"exchange": ("same",)}, third={"exchange": ("same",)})
    found = several("/compute/v2.1/servers", "compute:@far;image:cloud-1", known=known)
    stages = {leg.one.cloud: leg.forward.stage for leg in found.legs}
    assert stages["cloud-4"] is None
    for name in ("cloud-2", "cloud-3"):
        assert stages[name].source.route.cloud == "cloud-1"
        assert (stages[name].target.route.cloud, stages[name].target.route.endpoint.service_type) == (
            name,
            "image",
        )
    server = b'{"server": {"imageRef": "%b"}}' % IMAGE.encode()
    made = several(
        "/compute/v2.1/servers", "compute:@far;image:cloud-1", known=known, method="POST", body=server
    )
    assert {leg.forward.stage and leg.forward.stage.images for leg in made.legs} == {(IMAGE,), None}


@pytest.mark.parametrize(("method", "below"), [("POST", ""), ("PATCH", f"/{IMAGE}")])
def test_what_is_repeated_is_read_whole_first(method, below):
    request = head(method, LIST + below, scope="image:*", token=sealed(), framing=Length(2))
    assert ask(request, known=world()) == ReadBody(1024 * 1024)
    assert ask(request, known=world(), body=b"{}").body == b"{}"


def test_what_is_too_long_to_be_repeated_is_a_413():
    request = head("POST", LIST, scope="image:*", token=sealed(), framing=Length(2 << 20))
    assert ask(request, known=world()).error.status == 413


def test_data_are_not_read_before():
    found = ask(
        head("PUT", f"{LIST}/{IMAGE}/file", scope="image:*", token=sealed(), framing=Length(2 << 30)),
        known=world(),
    )
    assert (found.kind, found.body) == (Kind.DATA, None)


def test_many_at_once_are_not_made_at_many():
    body = b'{"networks": [{"name": "a"}]}'
    found = ask(
        head("POST", "/network/v2.0/networks", scope="network:*", token=sealed()), known=world(), body=body
    )
    assert (found.error.status, "by one call each" in found.error.message) == (501, True)
    tagged = several(method="POST", body=b'{"name": "a", "tags": ["x", "y"]}')
    assert tagged.kind is Kind.CREATE


@pytest.mark.parametrize(
    "scope", ["image:cloud-1%cloud-2", "image:cloud-3&(cloud-1%cloud-2)", "image:(cloud-1%cloud-2)|cloud-3"]
)
def test_one_resource_across_clouds_is_a_501(scope):
    found = ask(head(target=LIST, scope=scope, token=sealed()), known=world())
    assert (found.error.status, "one resource across clouds" in found.error.message) == (501, True)


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ("compute:cloud-1&cloud-2", True),
        ("*:cloud-1&cloud-2;identity:cloud-1", True),
        ("compute+network:cloud-1&cloud-2", True),
        ("compute:cloud-1&cloud-2;network:cloud-2&cloud-1", True),
        ("compute:cloud-1&cloud-2;network:cloud-1", False),
        ("compute:cloud-1;network:cloud-1&cloud-2", False),
        ("compute:cloud-1&cloud-2;placement:cloud-3", False),
    ],
)
def test_servers_of_several_clouds_need_the_networks_of_each(scope, fits):
    found = ask(head("POST", "/compute/v2.1/servers", scope=scope, token=sealed()), known=world(), body=b"{}")
    assert isinstance(found, FanOut) is fits
    if not fits:
        assert (found.error.status, "follows compute" in found.error.message) == (400, True)


# Identity.


def test_projects_of_several_clouds_are_asked_where_there_may_be_a_token():
    known = world(second={"exchange": ("mapped",)})
    found = several("/identity/v3/projects", "identity:*", known=known)
    assert clouds(found) == ["cloud-1", "cloud-2"]
    assert [leg.forward.direct for leg in found.legs] == [False, True]
    assert {one.one.cloud: type(one.error) for one in found.absent} == {
        "cloud-3": TokenRefused,
        "cloud-4": TokenRefused,
    }


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/identity/v3/projects", "image:*"),
        ("GET", "/identity/v3/projects", "identity:cloud-1|cloud-2"),
        ("GET", "/identity/v3/projects/p", "identity:*"),
        ("GET", "/identity/v3/auth/projects", "identity:*"),
        ("POST", "/identity/v3/projects", "identity:*"),
        ("GET", "/identity/v3/auth/catalog", "*"),
    ],
)
def test_everything_else_of_identity_goes_home(method, path, scope):
    found = ask(head(method, path, scope=scope, token=sealed()), known=world())
    assert isinstance(found, Forward)
    assert found.route.cloud == "cloud-1"


def test_a_scope_of_the_token_alone_leaves_identity_at_home():
    found = ask(head(target="/identity/v3/projects", token=sealed("cloud-1", "*:*")), known=world())
    assert isinstance(found, Forward)


# What is remembered.


def test_a_list_after_a_document_of_the_service_goes_to_all():
    known = world()
    for _ in range(2):
        described = ask(
            head(target="/image/v2/schemas/image", scope="image:@far", token=sealed()), known=known
        )
        assert described.route.cloud == "cloud-2"
        assert isinstance(ask(head(target=LIST, scope="image:@far", token=sealed()), known=known), FanOut)


def test_the_same_scope_of_another_home_is_another_answer():
    known = world()
    assert clouds(several(known=known)) == ["cloud-1", "cloud-2", "cloud-3", "cloud-4"]
    assert clouds(several(known=known, token=sealed("cloud-2"))) == ["cloud-2"]
    assert clouds(several(known=known)) == ["cloud-1", "cloud-2", "cloud-3", "cloud-4"]


def test_no_token_shows():
    found = several(
        known=world(second={"exchange": ("carried",)}),
        x_scope_tokens="cloud-2=theirs",
        method="POST",
        body=b'{"secret": 1}',
    )
    for text in (TOKEN, "theirs", "secret"):
        assert text not in repr(found)

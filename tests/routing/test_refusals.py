"""What routing refuses whatever the token: scopes, services and clouds that do not fit together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.clouds.registry import Admission
from oidproxy.routing.decision import Forward, Refuse
from oidproxy.scope.parse import parse
from tests.routing.world import GATEWAY, ask, at, at_gateway, beside, cloud, head, registry, sealed, snapshot


def refused(request, arrival=None, known=None, body=None):
    found = ask(request, arrival, known, body)
    assert isinstance(found, Refuse), found
    return found.error


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("image:(cloud-2", 'expected ")"'),
        ("image:cloud-9", "did you mean: cloud-1"),
        ("image:@fra", "no group is called 'fra'"),
        ("image:cloud-2/RegionTow", "did you mean: RegionTwo"),
        ("compute:cloud-9", "no cloud is called 'cloud-9'"),
        ("imagee:cloud-1", "did you mean: image"),
        ("image:cloud-1 & not(cloud-1)", "no cloud of this configuration"),
        ("", "scope"),
    ],
)
@pytest.mark.parametrize("carrier", ["header", "url"])
def test_a_scope_that_means_nothing_is_a_400_that_shows_where(carrier, scope, message):
    if carrier == "header":
        request = head(target="/image/v2", scope=scope, token=sealed())
    else:
        quoted = scope.replace("/", "%2F").replace(" ", "%20")
        request = head(target=f"/s/{quoted}/image/v2", token=sealed())
    error = refused(request)
    assert (error.status, error.code) == (400, "scope")
    assert message in error.message


def test_the_400_has_a_caret_under_the_mistake():
    error = refused(head(target="/image/v2", scope="<nova: cloud-1 & cloud-9; glance: cloud-1>"))
    assert error.message.splitlines() == [
        "line 1, column 17: no cloud is called 'cloud-9'",
        "  compute:cloud-1&cloud-9;image:cloud-1",
        "                  ^",
        "did you mean: cloud-1",
    ]
    syntax = refused(head(target="/image/v2", scope="image:cloud-1;;"))
    assert "^" in syntax.message


def test_of_several_bindings_the_400_shows_which_one_is_meant():
    error = refused(head(target="/image/v2", scope='"x y":cloud-1;image:cloud-1;compute:cloud-9;dns:cloud-9'))
    assert error.message.splitlines()[:3] == [
        "line 1, column 9: no cloud is called 'cloud-9'",
        '  compute:cloud-9;dns:cloud-9;image:cloud-1;"x y":cloud-1',
        "          ^",
    ]
    error = refused(head(target="/image/v2", scope="image:cloud-1;compute:cloud-1&not(cloud-1)"))
    assert error.message.splitlines()[0].startswith("line 1, column 9: no cloud of this configuration")


def test_a_scope_of_a_token_that_means_nothing_here_is_shown_with_its_service():
    error = refused(head(target="/image/v2/images", token=sealed("cloud-1", "image:cloud-9")))
    assert error.message.splitlines()[:3] == [
        "line 1, column 7: no cloud is called 'cloud-9'",
        "  image:cloud-9",
        "        ^",
    ]


@pytest.mark.parametrize(
    ("scope", "column", "suggestion"),
    [
        ("glanse:cloud-1", 1, ["did you mean: glance"]),
        ("compute:cloud-1;glanse:cloud-1", 17, ["did you mean: glance"]),
        ("imagee:cloud-1", 1, ["did you mean: image"]),
        ("barbicam:cloud-1", 1, ["did you mean: barbican"]),
        ("foo:cloud-1", 1, []),
        ('compute:cloud-1;"f o":cloud-1', 17, []),
    ],
)
def test_a_service_that_nobody_has_is_shown_with_the_nearest_name(scope, column, suggestion):
    lines = refused(head(target="/image/v2", scope=scope)).message.splitlines()
    assert lines[0].startswith(f"line 1, column {column}: no cloud has a service '")
    assert lines[1:] == [f"  {scope}", " " * (column + 1) + "^", *suggestion]


def test_a_service_of_this_registry_alone_is_suggested_too():
    known = snapshot(replace(registry(), service_types=registry().service_types | {"weather"}))
    error = refused(head(target="/image/v2", scope="wether:cloud-1"), known=known)
    assert error.message.endswith("did you mean: weather")


def test_a_scope_is_checked_whole_not_only_for_the_service_that_is_called():
    assert refused(head(target="/image/v2", scope="image:cloud-1;compute:nowhere")).status == 400


def test_a_service_that_openstack_knows_may_be_bound_where_no_cloud_has_it():
    assert isinstance(ask(head(target="/image/v2", scope="image:cloud-2;dns:cloud-1")), Forward)


def test_a_service_absent_in_the_chosen_cloud_is_a_501_that_names_both():
    error = refused(head(target="/volumev3/v3", scope="cinder:cloud-3", token=sealed()))
    assert (error.status, error.message) == (501, "cloud-3 has no block-storage.")


def test_a_region_without_the_service_is_a_501_that_names_it():
    known = snapshot(registry(cloud("cloud-1", 0), cloud("cloud-2", 1, regions=("RegionOne", "RegionTwo"))))
    made = {key: value[:1] if key[1] == "image" else value for key, value in known.registry.index.items()}
    known = replace(known, registry=replace(known.registry, index=made))
    error = refused(head(target="/image/v2", scope="image:cloud-2/RegionTwo"), known=known)
    assert (error.status, error.message) == (501, "cloud-2 has no image in region RegionTwo.")


def test_a_named_region_gets_its_own_endpoint():
    found = ask(head(target="/image/v2", scope="image:cloud-2/RegionTwo"))
    assert (found.route.endpoint.region, found.route.endpoint.origin.port) == ("RegionTwo", 9392)
    assert ask(head(target="/image/v2", scope="image:cloud-2")).route.endpoint.region == "RegionOne"


def test_a_cloud_has_one_keystone_for_all_its_regions():
    found = ask(head(target="/identity/v3", scope="*:cloud-2/RegionTwo", token=sealed("cloud-2")))
    assert (found.route.service_type, found.route.endpoint.region) == ("identity", "RegionOne")


def open_to_cloud_1():
    """The same clouds; all admit users of cloud-1."""
    closed = registry()
    admits = {"cloud-1": Admission()}
    clouds = {name: replace(each, admits=admits) for name, each in closed.clouds.items()}
    return replace(closed, clouds=clouds)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("image:cloud-1&cloud-2", ["image", "cloud-1&cloud-2", "2 clouds", "(cloud-1, cloud-2)"]),
        ("image:cloud-2|cloud-3", ["cloud-2|cloud-3"]),
        ("image:@far", ["@far", "(cloud-2, cloud-3)"]),
        ("image:*", ["3 clouds"]),
        ("image:any(1,cloud-1&cloud-2)", ["any(1,cloud-1&cloud-2)"]),
        ("image:cloud-1%cloud-2", ["one resource across clouds", "cloud-1%cloud-2"]),
        ("image:cloud-2&cloud-2/RegionTwo", ["2 clouds"]),
    ],
)
def test_what_several_clouds_cannot_be_asked_is_a_501_that_says_so(scope, words):
    known = snapshot(open_to_cloud_1())
    error = refused(head("PUT", "/image/v2/images", scope=scope, token=sealed()), known=known)
    assert (error.status, error.code) == (501, "not-supported")
    for word in words:
        assert word in error.message


@pytest.mark.parametrize(
    "scope", ["image:cloud-2&cloud-2", "image:cloud-2|cloud-2", "image:@far&not(cloud-3)", "image:(cloud-2)"]
)
def test_a_plan_of_one_cloud_is_served_however_it_was_written(scope):
    assert ask(head(target="/image/v2/images", scope=scope, token=sealed())).route.cloud == "cloud-2"


@pytest.mark.parametrize("token", [None, sealed()])
@pytest.mark.parametrize(
    ("scope", "names"),
    [("image:*", "(cloud-1, …)"), ("image:@far", "(…)"), ("image:*%cloud-1", "(cloud-1, …)")],
)
def test_a_set_does_not_name_clouds_that_do_not_admit_the_asker(token, scope, names):
    error = refused(head("PUT", "/image/v2/images", scope=scope, token=token))
    assert names in error.message
    assert "cloud-2" not in error.message
    assert "cloud-3" not in error.message


def test_many_clouds_are_counted_and_not_all_named():
    admits = {"cloud-1": Admission()}
    many = [cloud(f"cloud-{number}", number, admits=admits) for number in range(1, 30)]
    error = refused(head("PUT", "/image/v2/images", scope="image:*"), known=snapshot(registry(*many)))
    assert "29 clouds (cloud-1, cloud-2, " in error.message
    assert "cloud-9" not in error.message


# The token's home and the scope's identity.


@pytest.mark.parametrize(
    ("scope", "home", "status"),
    [
        ("identity:cloud-2", "cloud-1", 401),
        ("*:cloud-2", "cloud-1", 401),
        ("identity:@far", "cloud-1", 401),
        ("identity:cloud-2|cloud-3", "cloud-1", 401),
        ("identity:cloud-1", "cloud-1", None),
        ("identity:@far", "cloud-3", None),
        ("identity:*", "cloud-2", None),
        ("identity:cloud-2|cloud-1", "cloud-1", None),
        ("*:cloud-2;identity:cloud-1", "cloud-1", None),
        ("image:cloud-2", "cloud-1", None),
    ],
)
@pytest.mark.parametrize("path", ["/identity/v3/projects", "/compute/v2.1/servers"])
@pytest.mark.parametrize("carrier", ["header", "url"])
def test_a_home_outside_the_scopes_identity_is_a_401(carrier, path, scope, home, status):
    if carrier == "header":
        found = ask(head(target=path, scope=scope, token=sealed(home)))
    else:
        found = ask(head(target=f"/s/{scope}{path}", token=sealed(home)))
    assert (found.error.status if isinstance(found, Refuse) else None) == status


def test_the_401_says_why_and_challenges():
    error = refused(head(target="/compute/v2.1", scope="identity:cloud-2", token=sealed()))
    assert "cloud-2" in error.message
    assert "cloud-1" in error.message
    assert error.fields == {"WWW-Authenticate": 'Keystone uri="http://proxy:8888/identity"'}


def test_defaults_of_the_operator_bind_no_token_to_another_keystone():
    known = snapshot(replace(registry(), scope=parse("identity:cloud-2")))
    found = ask(head(target="/identity/v3/projects", token=sealed("cloud-1")), known=known)
    assert found.route.cloud == "cloud-1"
    assert ask(head(target="/identity/v3"), known=known).route.cloud == "cloud-2"


# require_scope.

REQUIRES = snapshot(replace(registry(), require_scope=True))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head(target="/image/v2/images", token=sealed()), 400),
        (head(target="/identity/v3/projects", token=sealed()), 400),
        (head(target="/image/v2/images", token=sealed(), scope="compute:cloud-1"), None),
        (head(target="/s/compute:cloud-1/image/v2/images", token=sealed()), None),
        (head(target="/image/v2/images", token=sealed("cloud-1", "compute:cloud-1")), None),
        (head(target="/image/"), None),
        (head(target="/identity/v3"), None),
        (head(target="/identity/v3/auth/tokens", token=sealed(), subject=sealed()), None),
        (head("DELETE", "/identity/v3/auth/tokens", token=sealed(), subject=sealed()), None),
        (head(target="/healthcheck"), None),
        (head(target="/.well-known/oidproxy/clouds", token=sealed()), None),
    ],
)
def test_where_a_scope_is_required_users_calls_need_one(request_, status):
    found = ask(request_, known=REQUIRES)
    assert (found.error.status if isinstance(found, Refuse) else None) == status


def test_the_400_says_how_to_give_a_scope():
    message = refused(head(target="/image/v2/images", token=sealed()), known=REQUIRES).message
    for way in ("--scope", "X-Scope", "/s/<scope>/identity/v3"):
        assert way in message


@pytest.mark.parametrize(
    ("scope", "body", "status"),
    [
        (None, b"{}", 400),
        ("image:cloud-2", b"{}", None),
        (
            None,
            b'{"auth": {"identity": {"token": {"id": "%b"}}}}' % sealed("cloud-1", "image:cloud-2").encode(),
            None,
        ),
        (None, b'{"auth": {"identity": {"token": {"id": "%b"}}}}' % sealed("cloud-1").encode(), 400),
    ],
)
def test_a_login_needs_a_scope_too(scope, body, status):
    found = ask(head("POST", "/identity/v3/auth/tokens", scope=scope), known=REQUIRES, body=body)
    assert (found.error.status if isinstance(found, Refuse) else None) == status


def test_the_operators_default_scope_is_no_scope_of_the_user():
    arrival = at_gateway(replace(GATEWAY, scope=parse("image:cloud-2")))
    assert refused(head(target="/image/v2", token=sealed()), arrival, REQUIRES).status == 400


def test_beside_a_cloud_it_is_said_but_not_refused_since_services_call_there():
    found = ask(head(target="/v2", token=sealed("cloud-2")), at("cloud-2", "image"), REQUIRES)
    assert found.scoped is False
    scoped = ask(
        head(target="/v2", token=sealed("cloud-2", "image:cloud-2")), at("cloud-2", "image"), REQUIRES
    )
    assert scoped.scoped is True
    login = ask(head("POST", "/v3/auth/tokens"), at("cloud-2", "identity"), REQUIRES, b"{}")
    assert login.scoped is False
    assert beside("cloud-2").cloud == "cloud-2"

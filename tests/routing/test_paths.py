"""What a path stands for at a gateway and beside a cloud, and what of it goes upstream."""

from __future__ import annotations

import pytest

from oidproxy.http.head import NoBody
from oidproxy.routing.decision import Answer, Forward, Page, Refuse
from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from tests.routing.world import GATEWAY, ask, at, at_gateway, cloud, head, registry, sealed, snapshot

TAG = tag(parse("image:cloud-2"))


def sent(target, arrival=None):
    found = ask(head(target=target), arrival)
    assert isinstance(found, Forward), found
    return found.route.service_type, found.route.cloud, found.route.rest, found.route.target


@pytest.mark.parametrize("name", ["image", "glance", "IMAGE", "Glance"])
def test_a_service_is_named_by_type_project_or_alias_in_any_case(name):
    assert sent(f"/{name}/v2/images")[:2] == ("image", "cloud-1")


@pytest.mark.parametrize(
    "name", ["volumev3", "volume", "cinder", "block-storage", "block_storage", "volumev2"]
)
def test_aliases_of_block_storage_are_block_storage(name):
    assert sent(f"/{name}/v3")[0] == "block-storage"


@pytest.mark.parametrize(
    ("target", "rest", "upstream"),
    [
        ("/image", b"/", b"/"),
        ("/image/", b"/", b"/"),
        ("/image?limit=1", b"/", b"/?limit=1"),
        ("/image/v2", b"/v2", b"/v2"),
        ("/image/v2/", b"/v2/", b"/v2/"),
        ("/image//v2//images", b"//v2//images", b"//v2//images"),
        ("/image/v2/a%2Fb%20c?x=%2f&&y=?&", b"/v2/a%2Fb%20c", b"/v2/a%2Fb%20c?x=%2f&&y=?&"),
        ("/image/v2/images?", b"/v2/images", b"/v2/images?"),
        ("/image/v2/;p=1", b"/v2/;p=1", b"/v2/;p=1"),
    ],
)
def test_the_rest_goes_upstream_byte_for_byte(target, rest, upstream):
    assert sent(target) == ("image", "cloud-1", rest, upstream)


@pytest.mark.parametrize(
    ("target", "upstream"),
    [
        ("/compute", b"/compute/"),
        ("/compute/v2.1/servers?a=b", b"/compute/v2.1/servers?a=b"),
        ("/s/compute:cloud-3/nova/", b"/compute/"),
    ],
)
def test_the_endpoints_root_stands_before_the_rest(target, upstream):
    found = ask(head(target=target, scope="compute:cloud-3"))
    assert found.route.target == upstream


@pytest.mark.parametrize(
    "prefix", ["/s/image:cloud-2", f"/s/{TAG}", "/s/{glance:cloud-2}", "/s/image%3Acloud-2"]
)
def test_a_scope_may_stand_before_the_service(prefix):
    assert sent(f"{prefix}/image/v2/images?x") == ("image", "cloud-2", b"/v2/images", b"/v2/images?x")


@pytest.mark.parametrize("prefix", ["", "/s/image:cloud-2"])
@pytest.mark.parametrize("path", ["/identity", "/identity/", "/identity/v3", "/identity/v3/", "/keystone/v3"])
def test_identity_answers_with_and_without_slash_and_version(prefix, path):
    assert sent(prefix + path)[:2] == ("identity", "cloud-1")


@pytest.mark.parametrize(
    ("path", "upstream"),
    [("/identity", b"/"), ("/identity/", b"/"), ("/identity/v3", b"/v3"), ("/identity/v3/", b"/v3/")],
)
def test_an_identity_url_goes_to_keystones_root_or_version(path, upstream):
    assert sent(f"/s/image:cloud-2{path}")[3] == upstream


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v2/images", ("image", "cloud-2", b"/v2/images", b"/v2/images")),
        ("/", ("image", "cloud-2", b"/", b"/")),
        ("/image/v2", ("image", "cloud-2", b"/image/v2", b"/image/v2")),
        ("/compute/v2.1", ("image", "cloud-2", b"/compute/v2.1", b"/compute/v2.1")),
        ("/s/image:cloud-3", ("image", "cloud-3", b"/", b"/")),
        ("/s/image:cloud-3/", ("image", "cloud-3", b"/", b"/")),
        ("/s/image:cloud-3/v2/images", ("image", "cloud-3", b"/v2/images", b"/v2/images")),
        ("/s/image:cloud-3/glance/v2/images", ("image", "cloud-3", b"/v2/images", b"/v2/images")),
        ("/s/image:cloud-3/compute/v2.1", ("compute", "cloud-2", b"/v2.1", b"/v2.1")),
    ],
)
def test_beside_a_cloud_the_port_says_which_service(target, expected):
    assert sent(target, at("cloud-2", "image")) == expected


@pytest.mark.parametrize(
    "target", ["/", "/v3", "/nothing/v2", "/dns/v2", "/s/image:cloud-2", "/s/image:cloud-2/", "//image/v2"]
)
def test_an_unknown_path_is_a_404_that_lists_what_is_served(target):
    found = ask(head(target=target))
    assert isinstance(found, Refuse)
    assert (found.error.status, found.error.code) == (404, "no-such-path")
    assert "/compute, /identity, /image" in found.error.message


def test_the_404_does_not_echo_the_path_but_helps():
    assert "Did you mean /image?" in ask(head(target="/imag/v2")).error.message
    assert "/identity/v3" in ask(head(target="/v3/auth/tokens")).error.message
    assert "hunter2" not in ask(head(target="/hunter2/v3")).error.message


def test_what_an_unlearned_cloud_has_is_not_a_404_but_unknown():
    known = snapshot(
        registry(cloud("cloud-1", 0), cloud("cloud-2", 1, without=("image",), unlearned="timed out"))
    )
    found = ask(head(target="/image/v2", scope="image:cloud-2"), known=known)
    assert (found.error.status, found.error.code) == (503, "endpoints-unknown")
    assert "timed out" not in found.error.message
    assert ask(head(target="/dns/v2", scope="dns:cloud-2"), known=known).error.status == 503
    assert ask(head(target="/dns/v2"), known=known).error.status == 501
    assert ask(head(target="/quux/v2"), known=known).error.status == 404


PAGES = {
    "/healthcheck": Page.HEALTHCHECK,
    "/.well-known/openstack/api": Page.PROFILE,
    "/.well-known/oidproxy/clouds": Page.CLOUDS,
    "/.well-known/oidproxy/explain": Page.EXPLAIN,
}


@pytest.mark.parametrize("arrival", [at_gateway(), at("cloud-2", "image")], ids=["gateway", "beside"])
@pytest.mark.parametrize("prefix", ["", "/s/image:cloud-2"])
@pytest.mark.parametrize(("path", "page"), PAGES.items())
def test_our_own_pages_are_answered_here(arrival, prefix, path, page):
    found = ask(head(target=f"{prefix}{path}?scope=image%3Acloud-2&x=%C3%A9"), arrival)
    assert isinstance(found, Answer)
    assert found.page is page
    assert found.query == {"scope": "image:cloud-2", "x": "é"}
    assert found.facade.tag == (TAG if prefix else "")


def test_our_own_pages_are_only_read():
    found = ask(head("POST", "/healthcheck"))
    assert found.error.status == 405
    assert found.error.fields == {"Allow": "GET, HEAD"}


def test_only_pages_that_show_clouds_look_at_the_token():
    assert ask(head(target="/healthcheck", token="junk~junk")).token is None
    assert ask(head(target="/.well-known/oidproxy/clouds", token="junk~junk")).error.status == 401
    assert ask(head(target="/.well-known/oidproxy/clouds", token=sealed("cloud-2"))).token.home == "cloud-2"
    assert ask(head(target="/.well-known/oidproxy/clouds")).token is None


@pytest.mark.parametrize(
    ("method", "target", "max_forwards", "page"),
    [
        ("OPTIONS", "*", None, Page.OPTIONS),
        ("OPTIONS", "/image/v2", "0", Page.OPTIONS),
        ("OPTIONS", "/image/v2", "00", Page.OPTIONS),
        ("OPTIONS", "/nothing", "0", Page.OPTIONS),
        ("OPTIONS", "/image/v2", "1", None),
        ("OPTIONS", "/image/v2", "junk", None),
        ("OPTIONS", "/image/v2", None, None),
        ("GET", "/image/v2", "0", None),
    ],
)
def test_options_that_go_no_further_are_answered_here(method, target, max_forwards, page):
    more = {} if max_forwards is None else {"max_forwards": max_forwards}
    found = ask(head(method, target, framing=NoBody(), **more))
    assert (found.page if isinstance(found, Answer) else None) is page


def test_a_star_goes_with_options_only():
    assert ask(head("GET", "*")).error.status == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8888", None),
        ("127.0.2.2:9292", None),
        ("localhost:8888", None),
        ("127.0.0.1", 400),
        ("127.0.0.1:80", 400),
        ("elsewhere.example:8888", 400),
        ("127.0.1.1:9292", 400),
    ],
)
def test_b3_an_absolute_url_has_to_be_one_of_ours(host, status):
    found = ask(head(target="/image/v2", host=host, absolute=True))
    assert (found.error.status if isinstance(found, Refuse) else None) == status


def test_b3_an_authority_other_than_host_is_an_absolute_url():
    request = head(target="/image/v2", host="proxy:8888")
    index = {**request.index, b"host": b"127.0.0.1:8888"}
    other = type(request)(
        request.method,
        request.target,
        b"elsewhere:8888",
        1,
        tuple(index.items()),
        NoBody(),
        True,
        False,
        index,
    )
    assert ask(other).error.status == 400


def test_b3_behind_a_wildcard_any_name_with_our_port_is_ours():
    listener = type(GATEWAY)("0.0.0.0", 8888)
    known = snapshot(registry(cloud("cloud-1", 0), listeners=(listener,)))
    for host, refused in (("proxy.example:8888", False), ("[::1]:8888", False), ("proxy.example", True)):
        found = ask(head(target="/image/v2", host=host, absolute=True), at_gateway(listener), known)
        assert isinstance(found, Refuse) is refused


def test_a_plain_path_may_come_under_any_name():
    assert isinstance(ask(head(target="/image/v2", host="anything.example")), Forward)

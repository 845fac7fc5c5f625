"""The line that says why: X-Scope-Why."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from oidproxy.routing.why import why
from tests.routing.world import IMAGE, ask, at, closed, cloud, head, registry, sealed, snapshot


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            head(target="/image/v2", scope="image:cloud-2", token=sealed()),
            "service=image; cloud=cloud-2; region=RegionOne; by=header; scope=cloud-2; token=closed",
        ),
        (
            head(target="/compute/v2.1", token=sealed()),
            "service=compute; cloud=cloud-1; region=RegionOne; by=home; token=sealed",
        ),
        (head(target="/image/v2"), "service=image; cloud=cloud-1; region=RegionOne; by=local; token=none"),
        (
            head(target="/identity/v3/auth/tokens", token=sealed(), subject=sealed()),
            "service=identity; cloud=cloud-1; region=RegionOne; by=token; token=bare",
        ),
        (
            head(target="/image/v2/images", scope="image:@far&cloud-1", token=sealed()),
            "service=image; by=header; scope=@far&cloud-1; kind=collection; clouds=1; token=each",
        ),
        (head("PUT", "/image/v2/images", scope="image:@far"), "refused=not-supported"),
        (head(target="/healthcheck"), "page=healthcheck"),
        (head("POST", "/identity/v3/auth/tokens"), "needs=body"),
    ],
)
def test_it_names_service_cloud_carrier_and_token(request_, expected):
    assert why(ask(request_)) == expected


def test_a_box_that_goes_home_goes_sealed():
    found = ask(head(target=f"/v2/images/{IMAGE}", token=closed()), at("cloud-2", "image"))
    assert why(found).endswith("token=sealed")


def test_names_of_any_kind_make_an_ascii_line():
    known = snapshot(registry(cloud("cloud-1", 0), cloud('Z\u00fcrich; "x"=%', 1)))
    line = why(ask(head(target="/image/v2", scope='image:"Z\u00fcrich; \\"x\\"=%"'), known=known))
    assert line.isascii()
    assert line.count("; ") == 5
    assert 'cloud=Z\u00fcrich; "x"=%' in unquote(line)


def test_it_stays_below_a_kibibyte():
    names = [f"cloud-{number:08}" for number in range(48)]
    known = snapshot(registry(*(cloud(name, number) for number, name in enumerate(names))))
    others = "&".join(f"not({name})" for name in names[1:])
    found = ask(head(target="/image/v2", scope=f"image:*&{others}"), known=known)
    assert found.route.cloud == names[0]
    assert len(why(found)) <= 1024
    assert "..." in why(found)

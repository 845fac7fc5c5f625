"""Which service a URL is one of."""

from __future__ import annotations

import pytest

from oidproxy.trace.importing.services import place_of

CASES = [
    ("/image/v2/images", 8888, ("image", "/v2/images", False)),
    ("/glance/v2/images", 80, ("image", "/v2/images", False)),
    ("/s/x6162/compute/v2.1/servers", 8888, ("compute", "/v2.1/servers", False)),
    ("/networking/v2.0/networks", 80, ("network", "/v2.0/networks", False)),
    ("/volume/v3/abc/volumes", 80, ("block-storage", "/v3/abc/volumes", False)),
    ("/identity/v3/auth/tokens", 80, ("identity", "/v3/auth/tokens", False)),
    ("/placement/resource_providers", 80, ("placement", "/resource_providers", False)),
    ("/placement", 80, ("placement", "/", False)),
    ("/v2.1/servers", 8774, ("compute", "/v2.1/servers", False)),
    ("/v3/auth/tokens", 5000, ("identity", "/v3/auth/tokens", False)),
    ("/some/prefix/v2/images", 9292, ("image", "/v2/images", False)),
    ("/v2.1/servers/detail", None, ("compute", "/v2.1/servers/detail", True)),
    ("/v2/images", None, ("image", "/v2/images", True)),
    ("/v2.1/images", None, ("compute", "/v2.1/images", True)),
    ("/v2.0/ports", None, ("network", "/v2.0/ports", True)),
    ("/v3/p/volumes/detail", None, ("block-storage", "/v3/p/volumes/detail", True)),
    ("/v3/auth/tokens", None, ("identity", "/v3/auth/tokens", True)),
    ("/v1/p/stacks", None, ("orchestration", "/v1/p/stacks", True)),
    ("/static/app.js", 443, ("", "/static/app.js", False)),
    ("/", None, ("", "/", False)),
]


@pytest.mark.parametrize(("path", "port", "expected"), CASES, ids=[f"{case[0]}:{case[1]}" for case in CASES])
def test_services_are_known_by_name_port_or_collection(path, port, expected):
    assert place_of(path, port) == expected

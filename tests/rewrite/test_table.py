"""Documents as OpenStack's services write them: each link of theirs is found, nothing of a user's touched."""

from __future__ import annotations

import json

import pytest

from oidproxy.rewrite.links import Links
from oidproxy.rewrite.scanner import Scanner
from oidproxy.rewrite.table import TABLE, VERSION_DOCUMENT, keys_for, may_rewrite
from tests.rewrite.world import cloud, endpoint, gateway, registry

SERVICES = [
    *(
        "identity",
        "compute",
        "network",
        "image",
        "block-storage",
        "placement",
        "object-store",
        "orchestration",
    ),
    *(
        "load-balancer",
        "shared-file-system",
        "key-manager",
        "dns",
        "baremetal",
        "container-infrastructure-management",
    ),
    *("workflow", "database"),
]
HERE = [endpoint("cloud-1", service, "c1", root=f"/{service}") for service in SERVICES]
LINKS = Links.of(registry(cloud(1, services=(), more=tuple(HERE))), "cloud-1", gateway("x41"))
BASES = {one.service_type: one.base for one in HERE}


def theirs(service: str, rest: str = "/v1/x") -> str:
    """A link of this cloud's."""
    return BASES[service] + rest


def ours(service: str, rest: str = "/v1/x") -> str:
    return gateway("x41").base(service) + rest


def passed(service: str, rest: bytes, document: object) -> object:
    rules = keys_for(service, rest)
    if rules is None:
        return document
    scanner = Scanner(LINKS, rules)
    return json.loads(scanner.feed(json.dumps(document).encode()) + scanner.finish())


def both(service: str, make) -> tuple[object, object]:
    """A document as the cloud writes it and as the client has to see it."""
    return make(theirs(service)), make(ours(service))


def self_and_bookmark(link):
    return [{"rel": "self", "href": link}, {"rel": "bookmark", "href": link}]


def next_page(link):
    return [{"rel": "next", "href": link}]


DATA = {
    service: {"href": theirs(service), "links": [{"href": theirs(service)}], "next": theirs(service)}
    for service in SERVICES
}
"""What a user might have stored: links to the cloud, in the very shapes of its own."""

REWRITTEN = [
    (
        "identity",
        b"/v3/projects",
        lambda link: {
            "projects": [
                {"id": "1", "description": DATA["identity"], "links": {"self": link}, "options": {}}
            ],
            "links": {"next": None, "self": link, "previous": link},
        },
    ),
    (
        "identity",
        b"/v3/role_assignments",
        lambda link: {
            "role_assignments": [
                {
                    "role": {"id": "1"},
                    "links": {"assignment": link, "membership": link},
                    "scope": {"project": {"id": "1"}},
                }
            ],
            "links": {"self": link},
        },
    ),
    (
        "identity",
        b"/v3/auth/projects",
        lambda link: {"links": {"self": link}, "projects": [{"links": {"self": link}}]},
    ),
    (
        "identity",
        b"/v3/OS-FEDERATION/identity_providers/x",
        lambda link: {
            "identity_provider": {
                "links": {"self": link, "protocols": link},
                "remote_ids": [DATA["identity"]],
            }
        },
    ),
    (
        "identity",
        b"/v3/OS-TRUST/trusts/x",
        lambda link: {
            "trust": {
                "links": {"self": link},
                "roles_links": {"next": None, "self": link},
                "roles": [{"links": {"self": link}}],
            }
        },
    ),
    (
        "compute",
        b"/v2.1/servers/detail",
        lambda link: {
            "servers": [
                {
                    "id": "1",
                    "metadata": DATA["compute"],
                    "OS-EXT-SRV-ATTR:user_data": theirs("compute"),
                    "description": theirs("compute"),
                    "tags": [theirs("compute")],
                    "links": self_and_bookmark(link),
                    "image": {"id": "1", "links": next_page(link)},
                    "flavor": {"id": "1", "links": next_page(link), "extra_specs": DATA["compute"]},
                }
            ],
            "servers_links": next_page(link),
        },
    ),
    (
        "compute",
        b"/v2.1/servers",
        lambda link: {
            "server": {"id": "1", "links": self_and_bookmark(link), "adminPass": theirs("compute")}
        },
    ),
    (
        "compute",
        b"/v2.1/servers/1/os-instance-actions",
        lambda link: {"instanceActions": [{}], "links": next_page(link)},
    ),
    (
        "compute",
        b"/v2.1/images/1",
        lambda link: {
            "image": {
                "links": [*self_and_bookmark(link), {"rel": "alternate", "href": link}],
                "server": {"id": "1", "links": self_and_bookmark(link)},
                "metadata": DATA["compute"],
            }
        },
    ),
    (
        "network",
        b"/v2.0/ports",
        lambda link: {
            "ports": [DATA["network"], {"links": [DATA["network"]]}],
            "ports_links": next_page(link),
        },
    ),
    (
        "network",
        b"/v2.0/",
        lambda link: {"resources": [{"links": [{"href": link, "rel": "self"}], "name": "subnet"}]},
    ),
    (
        "block-storage",
        b"/v3/1/volumes/detail",
        lambda link: {
            "volumes": [
                {
                    "metadata": DATA["block-storage"],
                    "volume_image_metadata": DATA["block-storage"],
                    "links": self_and_bookmark(link),
                }
            ],
            "volumes_links": next_page(link),
        },
    ),
    (
        "block-storage",
        b"/v3/1/attachments/1",
        lambda link: {"attachment": {"connection_info": DATA["block-storage"]}},
    ),
    (
        "shared-file-system",
        b"/v2/shares",
        lambda link: {"shares": [{"links": self_and_bookmark(link)}], "shares_links": next_page(link)},
    ),
    (
        "orchestration",
        b"/v1/1/stacks",
        lambda link: {
            "stacks": [{"links": [{"href": link}], "parameters": DATA["orchestration"]}],
            "links": next_page(link),
        },
    ),
    (
        "orchestration",
        b"/v1/1/stacks/a/1",
        lambda link: {
            "stack": {
                "links": [{"href": link}],
                "outputs": [{"output_value": DATA["orchestration"]}],
                "parameters": DATA["orchestration"],
                "template_description": theirs("orchestration"),
            }
        },
    ),
    (
        "orchestration",
        b"/v1/1/stacks/a/1/resources/b",
        lambda link: {"resource": {"links": [{"href": link}], "attributes": DATA["orchestration"]}},
    ),
    (
        "load-balancer",
        b"/v2/lbaas/pools",
        lambda link: {"pools": [DATA["load-balancer"]], "pools_links": next_page(link)},
    ),
    (
        "key-manager",
        b"/v1/secrets",
        lambda link: {
            "secrets": [{"secret_ref": theirs("key-manager")}],
            "next": link,
            "previous": link,
            "total": 9,
        },
    ),
    (
        "key-manager",
        b"/v1/containers/1/consumers",
        lambda link: {"consumers": [{"URL": theirs("key-manager")}], "next": link},
    ),
    (
        "dns",
        b"/v2/zones",
        lambda link: {
            "zones": [{"links": {"self": link}, "attributes": DATA["dns"]}],
            "links": {"self": link, "next": link},
            "metadata": {"total_count": 1},
        },
    ),
    (
        "dns",
        b"/v2/zones/1",
        lambda link: {
            "id": "1",
            "links": {"self": link},
            "description": theirs("dns"),
            "attributes": DATA["dns"],
        },
    ),
    (
        "baremetal",
        b"/v1/nodes",
        lambda link: {
            "nodes": [
                {
                    "links": [{"href": link}],
                    "properties": DATA["baremetal"],
                    "extra": DATA["baremetal"],
                    "ports": [{"href": link}],
                    "driver_info": DATA["baremetal"],
                }
            ],
            "next": link,
        },
    ),
    (
        "container-infrastructure-management",
        b"/v1/clusters",
        lambda link: {"clusters": [{"links": [{"href": link}]}], "next": link},
    ),
    (
        "workflow",
        b"/v2/workflows",
        lambda link: {
            "workflows": [{"input": theirs("workflow"), "definition": theirs("workflow")}],
            "next": link,
        },
    ),
    (
        "database",
        b"/v1.0/1/instances",
        lambda link: {
            "instances": [{"links": [{"href": link}], "flavor": {"links": [{"href": link}]}}],
            "links": next_page(link),
        },
    ),
]


@pytest.mark.parametrize(
    ("service", "rest", "make"), REWRITTEN, ids=lambda value: value if isinstance(value, str) else None
)
def test_every_link_of_the_services_own_is_rewritten_and_nothing_else(service, rest, make):
    before, after = both(service, make)
    assert passed(service, rest, before) == after


@pytest.mark.parametrize("service", [one for one in SERVICES if one not in {"object-store", "placement"}])
@pytest.mark.parametrize("rest", [b"", b"/", b"/v3", b"/v2.1/", b"/v2.0", b"/v1.0/"])
def test_version_documents_of_every_service_are_rewritten(service, rest):
    before, after = both(
        service,
        lambda link: {
            "versions": [{"links": [{"rel": "self", "href": link}]}],
            "version": {"values": [{"links": [{"href": link}]}]},
        },
    )
    assert passed(service, rest, before) == after
    assert keys_for(service, rest) is VERSION_DOCUMENT


def test_also_those_of_services_that_the_table_does_not_know():
    assert keys_for("acme", b"/v1") is VERSION_DOCUMENT
    assert keys_for("acme", b"/v1/things") is None


@pytest.mark.parametrize(
    ("service", "rest"),
    [
        ("object-store", b"/"),
        ("object-store", b"/v1"),
        ("object-store", b"/v1/AUTH_1/container"),
        ("object-store", b"/v1/AUTH_1/container/links.json"),
        ("placement", b"/"),
        ("placement", b"/resource_providers"),
        ("image", b"/v2/images"),
        ("image", b"/v2/images/1"),
        ("image", b"/v2/images/1/file"),
        ("image", b"/v2/schemas/image"),
        ("key-manager", b"/v1/secrets/1"),
        ("key-manager", b"/v1/secrets/1/payload"),
        ("key-manager", b"/v1/secrets/1/%70ayload"),
        ("key-manager", b"/v1/secrets/1/metadata"),
        ("identity", b"/v3/endpoints"),
        ("identity", b"/v3/endpoints/1"),
        ("identity", b"/v3/services"),
        ("identity", b"/v3/services/1"),
        ("identity", b"/v3/%73ervices/1"),
        ("identity", b"/v3/auth/tokens"),
        ("orchestration", b"/v1/1/stacks/a/1/template"),
        ("orchestration", b"/v1/1/stacks/a/1/environment"),
        ("orchestration", b"/v1/1/stacks/a/1/files"),
        ("orchestration", b"/v1/1/stacks/a/1/outputs/x"),
        ("orchestration", b"/v1/1/stacks/a/1/resources/x/metadata"),
    ],
)
def test_what_is_never_touched(service, rest):
    assert keys_for(service, rest) is None


def test_a_catalog_that_streams_leads_to_the_proxy():
    before, after = both(
        "compute",
        lambda link: {"catalog": [{"type": "compute", "endpoints": [{"url": link, "interface": "public"}]}]},
    )
    assert passed("identity", b"/v3/auth/catalog", before) == after


def test_a_consoles_url_passes():
    console = {
        "remote_console": {"type": "novnc", "url": theirs("compute")},
        "console": {"url": theirs("compute")},
    }
    assert passed("compute", b"/v2.1/servers/1/remote-consoles", console) == console


def test_barbicans_refs_pass_as_the_ids_that_they_are():
    """They come back in request bodies, where Barbican compares them with its own URL."""
    created = {"secret_ref": theirs("key-manager")}
    assert passed("key-manager", b"/v1/secrets", created) == created


def test_what_may_be_rewritten_must_not_be_encoded():
    assert may_rewrite("compute", b"/v2.1/servers")
    assert not may_rewrite("image", b"/v2/images/1/file")
    assert not may_rewrite("object-store", b"/v1/AUTH_1/c/o")


def test_keystones_token_answers_are_read_so_they_must_not_be_encoded_either():
    assert may_rewrite("identity", b"/v3/auth/tokens")
    assert may_rewrite("identity", b"/v3/OS-FEDERATION/identity_providers/x/protocols/y/auth")


def test_the_table_names_official_types():
    from oidproxy.scope.services import known, official

    assert all(official(name) == name and known(name) for name in TABLE)

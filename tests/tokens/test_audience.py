"""What a service may do at another cloud with a user's box: method and path, and nothing else."""

import pytest

from oidproxy.clouds.admissions import FOREIGN_CALLS
from oidproxy.tokens.audience import OPTIONS, may_call

ID = "7a1c4b1e-3a55-4d0c-9f5e-0b6a4c1d2e3f"
TWO = "0b6a4c1d-9f5e-4d0c-3a55-7a1c4b1e2e3f"
PID = "9b1c7a1c4b1e3a554d0c9f5e0b6a4c1d"

ALLOWED = f"""
compute image GET /
compute image GET /v2/schemas/image
compute image GET /v2/images
compute image GET /v2/images/{ID}
compute image GET /v2/images/{ID}/file
compute image POST /v2/images
compute image PATCH /v2/images/{ID}
compute image PUT /v2/images/{ID}/file
compute image DELETE /v2/images/{ID}
compute block-storage GET /
compute block-storage GET /v3/
compute block-storage GET /v3/{PID}/volumes/{ID}
compute block-storage GET /v3/volumes/{ID}
compute block-storage POST /v3/{PID}/volumes
compute block-storage POST /v3/{PID}/volumes/{ID}/action
compute block-storage POST /v3/{PID}/attachments
compute block-storage POST /v3/{PID}/attachments/{ID}/action
compute block-storage PUT /v3/{PID}/attachments/{ID}
compute block-storage DELETE /v3/{PID}/attachments/{ID}
compute block-storage DELETE /v3/{PID}/volumes/{ID}
compute block-storage POST /v3/{PID}/snapshots
compute block-storage DELETE /v3/{PID}/snapshots/{ID}
compute network GET /v2.0/networks
compute network GET /v2.0/networks/{ID}
compute network GET /v2.0/quotas/{PID}
compute network GET /v2.0/ports
compute network GET /v2.0/security-groups
compute network GET /v2.0/extensions
compute network POST /v2.0/ports
compute network PUT /v2.0/ports/{ID}
compute network DELETE /v2.0/ports/{ID}
compute key-manager GET /v1/secrets/{ID}
compute key-manager GET /v1/secrets/{ID}/payload
block-storage image GET /v2/images/{ID}
block-storage image GET /v2/schemas/image
block-storage image GET /v2/images/{ID}/file
block-storage image POST /v2/images
block-storage image PATCH /v2/images/{ID}
block-storage image PUT /v2/images/{ID}/file
block-storage compute GET /v2.1/servers/{ID}
block-storage compute GET /v2.1/{PID}/servers/{ID}
block-storage compute GET /v2.1/servers/{ID}/os-volume_attachments/{TWO}
block-storage key-manager POST /v1/orders
block-storage key-manager GET /v1/orders/{ID}
block-storage key-manager GET /v1/secrets/{ID}/payload
block-storage object-store PUT /v1/AUTH_{PID}/volumebackups
block-storage object-store PUT /v1/AUTH_{PID}/volumebackups/volume_{ID}/00001
block-storage object-store GET /v1/AUTH_{PID}/volumebackups/volume_{ID}/00001
block-storage object-store DELETE /v1/AUTH_{PID}/volumebackups/volume_{ID}/00001
block-storage object-store PUT /v1/AUTH_{PID}/volume%20backups/volume_{ID}%2F00001
"""

REFUSED = f"""
block-storage compute POST /v2.1/servers
block-storage compute DELETE /v2.1/servers/{ID}
block-storage compute GET /v2.1/servers
block-storage compute GET /v2.1/servers/detail
block-storage compute POST /v2.1/servers/{ID}/action
block-storage compute DELETE /v2.1/servers/{ID}/os-volume_attachments/{TWO}
block-storage compute GET /v2.1/servers/{ID}/os-volume_attachments
block-storage compute HEAD /v2.1/servers/{ID}
block-storage block-storage GET /v3/{PID}/volumes/{ID}
block-storage image DELETE /v2/images/{ID}
block-storage image GET /v2/images
block-storage network GET /v2.0/networks
block-storage identity GET /v3/users
block-storage object-store GET /v1/AUTH_{PID}
block-storage object-store DELETE /v1/AUTH_{PID}/volumebackups
block-storage object-store POST /v1/AUTH_{PID}
block-storage object-store GET /v1/AUTH_{PID}/%2F
block-storage object-store GET /v1/AUTH_{PID}/%2f%2F
block-storage object-store PUT /v1/AUTH_{PID}/c%2Fo
block-storage object-store DELETE /v1/AUTH_{PID}%2Fc/%2F/o
block-storage object-store GET /v1/%2FAUTH_{PID}/c/o
compute compute GET /v2.1/servers/{ID}
compute compute POST /v2.1/servers
compute placement GET /allocation_candidates
compute placement GET /
compute image GET /v2/images/{ID}/members
compute image POST /v2/images/{ID}/members
compute image DELETE /v2/images/{ID}/members/{PID}
compute image PUT /v2/images/{ID}
compute image DELETE /v2/images/{ID}/file
compute image GET /v2/images/detail
compute image GET /v2/images/../images
compute image GET /v2/images/{ID}/
compute image GET /v2//images
compute image GET /v1/images/{ID}
compute image GET /v2/tasks
compute image POST /
compute block-storage GET /v3/{PID}/volumes
compute block-storage GET /v3/{PID}/volumes/detail
compute block-storage GET /v3/{PID}/snapshots/detail
compute block-storage GET /v3/{PID}/attachments
compute block-storage GET /v3/{PID}/{PID}/volumes/{ID}
compute block-storage PUT /v3/{PID}/volumes/{ID}
compute block-storage POST /v3/{PID}/backups
compute block-storage POST /v3/{PID}/volume-transfers
compute network POST /v2.0/networks
compute network DELETE /v2.0/networks/{ID}
compute network POST /v2.0/security-groups
compute network PUT /v2.0/quotas/{PID}
compute network GET /v2.0/routers
compute network POST /v2.0/floatingips
compute network PUT /v2.0/ports/{ID}/add_allowed_address_pairs
compute key-manager GET /v1/secrets
compute key-manager POST /v1/secrets
compute key-manager DELETE /v1/secrets/{ID}
compute object-store GET /v1/AUTH_{PID}/c/o
compute orchestration GET /
compute accelerator GET /v2/device_profiles
compute shared-file-system GET /v2/shares/{ID}
image image GET /v2/images/{ID}
image image GET /v2/images/{ID}/file
image image GET /
image object-store GET /v1/AUTH_{PID}/c/o
network dns GET /v2/zones
network network GET /v2.0/ports
network compute POST /v2.1/os-server-external-events
identity identity GET /v3
placement compute GET /v2.1/servers/{ID}
dns network GET /v2.0/ports
"""

OPTIONAL = f"""
glance-download image image GET /v2/images/{ID}
glance-download image image GET /v2/images/{ID}/file
dns network dns GET /v2/zones
dns network dns POST /v2/zones/{ID}/recordsets
dns network dns DELETE /v2/zones/{ID}/recordsets/{TWO}
accelerator compute accelerator GET /v2/device_profiles/afpga
accelerator compute accelerator POST /v2/accelerator_requests
accelerator compute accelerator PATCH /v2/accelerator_requests
shared-file-system compute shared-file-system GET /v2/shares/{ID}
shared-file-system compute shared-file-system POST /v2/shares/{ID}/action
"""


def lines(text):
    return [tuple(line.split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("audience", "service", "method", "path"), lines(ALLOWED))
def test_the_tables_calls_are_allowed(audience, service, method, path):
    assert may_call(audience, service, method, path.encode())


@pytest.mark.parametrize(("audience", "service", "method", "path"), lines(REFUSED))
def test_every_other_call_is_not(audience, service, method, path):
    assert not may_call(audience, service, method, path.encode())


@pytest.mark.parametrize(("option", "audience", "service", "method", "path"), lines(OPTIONAL))
def test_optional_rows_are_off_until_they_are_named(option, audience, service, method, path):
    assert not may_call(audience, service, method, path.encode())
    assert not may_call(audience, service, method, path.encode(), OPTIONS - {option})
    assert may_call(audience, service, method, path.encode(), frozenset({option}))


def test_an_operator_can_name_every_option_and_no_other():
    assert set(FOREIGN_CALLS) == OPTIONS == {option for option, *_ in lines(OPTIONAL)}


def test_an_option_opens_its_own_row_only():
    assert not may_call("image", "image", "DELETE", f"/v2/images/{ID}".encode(), OPTIONS)
    assert not may_call("network", "dns", "DELETE", f"/v2/zones/{ID}".encode(), OPTIONS)


@pytest.mark.parametrize(
    "path", [f"/v2/images/{ID}%2Ffile", f"/v2/images/{ID}%00", f"/v2/images/{ID}\n", f"/v2/images/{ID};x"]
)
def test_encoded_and_odd_paths_match_nothing(path):
    assert not may_call("compute", "image", "GET", path.encode())


@pytest.mark.parametrize(
    ("service", "method", "path", "query"),
    [
        ("object-store", "DELETE", f"/v1/AUTH_{PID}/c/o", "bulk-delete"),
        ("object-store", "DELETE", f"/v1/AUTH_{PID}/c/o", "x=y;bulk-delete=1"),
        ("object-store", "PUT", f"/v1/AUTH_{PID}/c/o", "extract-archive=tar"),
        ("object-store", "PUT", f"/v1/AUTH_{PID}/c/o", "Extract%2DArchive=tar.gz"),
        ("image", "GET", f"/v2/images/{ID}", "_method=patch"),
        ("image", "GET", f"/v2/images/{ID}", "a&%5fmethod=POST"),
    ],
)
def test_a_query_that_makes_another_call_of_it_is_refused(service, method, path, query):
    assert may_call("block-storage", service, method, path.encode())
    assert may_call("block-storage", service, method, path.encode(), query=b"format=json&x=_method")
    assert not may_call("block-storage", service, method, path.encode(), query=query.encode())

"""openstacksdk through the proxy: paging, links, credentials, and operations that span two clouds."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from oidproxy.cli.demonstration.downloads import downloads
from oidproxy.scope.parse import parse
from oidproxy.scope.url import auth_url

pytestmark = [pytest.mark.filterwarnings("ignore:::openstack")]

SCOPE = "identity:cloud-1;image:cloud-999"
WAIT = {"interval": 0.1, "wait": 20}


@pytest.fixture
def url(lab):
    return auth_url(parse(SCOPE), lab.places.gateway_url)


def boot(cloud, image, name="host", **more):
    """A server from this image, ACTIVE."""
    server = cloud.compute.create_server(
        name=name,
        image_id=image.id,
        flavor_id=cloud.compute.find_flavor("m1.small").id,
        networks=[{"uuid": cloud.network.find_network("private").id}],
        **more,
    )
    return cloud.compute.wait_for_server(server, **WAIT)


def gone(cloud, server):
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, **WAIT)


def available(cloud, volume, status="available"):
    return cloud.block_storage.wait_for_status(volume, status=status, **WAIT)


# Paging and links


@pytest.fixture
def three(sdk, url):
    """Three of everything that has pages; a connection bound to a scope by its auth URL."""
    cloud = sdk(auth_url=url)
    names = [f"page-{number}" for number in range(3)]
    made = {
        "images": [
            cloud.image.create_image(name, data=b"x", disk_format="raw", container_format="bare")
            for name in names
        ],
        "networks": [cloud.network.create_network(name=name) for name in names],
        "volumes": [available(cloud, cloud.block_storage.create_volume(name=name, size=1)) for name in names],
        "keypairs": [cloud.compute.create_keypair(name=name) for name in names],
    }
    yield cloud, names
    for one in made["images"]:
        cloud.image.delete_image(one)
    for one in made["networks"]:
        cloud.network.delete_network(one)
    for one in made["volumes"]:
        cloud.block_storage.delete_volume(one)
        cloud.block_storage.wait_for_delete(one, **WAIT)
    for one in made["keypairs"]:
        cloud.compute.delete_keypair(one)


def test_pages_are_followed_inside_the_proxy_and_the_scope(three, recordings):
    cloud, names = three
    lists = {
        "glance": lambda: cloud.image.images(limit=1, sort="name:asc"),
        "neutron": lambda: cloud.network.networks(limit=1),
        "cinder": lambda: cloud.block_storage.volumes(limit=1, details=False),
        "nova": lambda: cloud.compute.keypairs(limit=1, paginated=True),
    }
    for service, listed in lists.items():
        mark = recordings.mark()
        assert {one.name for one in listed()} >= set(names), service
        seen = [one for one in recordings.since(mark) if one.received and one.service == service]
        assert sum("marker=" in one.call for one in seen) >= 2, f"{service} showed no pages"
        assert {one.cloud for one in seen} == {"cloud-999" if service == "glance" else "cloud-1"}
        assert all("via" in one.headers for one in recordings.since(mark) if one.received)


def test_links_lead_to_the_proxy_and_user_data_stays(sdk, url, lab):
    cloud = sdk(auth_url=url)
    own = {place.name: f"http://{place.address}" for place in lab.places.clouds}
    theirs = {"seen-at": f"{own['cloud-1']}:8774/v2.1/servers", "next": own["cloud-999"]}
    image = cloud.image.find_image("cirros", ignore_missing=False)
    server = boot(cloud, image, metadata=theirs)
    shown = cloud.compute.get(f"/servers/{server.id}").json()["server"]
    assert shown["metadata"] == theirs
    prefix = cloud.endpoint_for("compute")
    assert shown["links"][0]["href"] == f"{prefix}/servers/{server.id}"
    pages = [
        cloud.compute.get("/servers?limit=1"),
        cloud.compute.get("/flavors/detail?limit=1"),
        cloud.network.get("/networks?limit=1"),
        *(cloud.session.get(f"{lab.places.gateway_url}/{name}/", raise_exc=False) for name in SERVICES),
    ]
    for page in pages:
        assert page.status_code in (200, 300), page.text
        assert not [address for address in own.values() if address in page.text], page.request.url
    gone(cloud, server)


SERVICES = ("identity", "image", "compute", "network", "placement", "block-storage")


def test_the_proxy_says_why_when_it_is_asked(sdk):
    found = sdk(scope=SCOPE).image.get("/images", headers={"X-Scope-Explain": "1"})
    assert "cloud=cloud-999" in found.headers["X-Scope-Why"]
    assert "token=closed" in found.headers["X-Scope-Why"]
    assert "X-Scope-Why" not in sdk(scope=SCOPE).image.get("/images").headers


# Operations that span two clouds


def test_a_snapshot_goes_to_the_cloud_of_the_images(sdk, lab):
    cloud, home = sdk(scope=SCOPE), sdk()
    server = boot(cloud, cloud.image.find_image("cirros", ignore_missing=False))
    snapshot = cloud.compute.create_server_image(server, "snap", wait=True, timeout=20)
    found = cloud.image.get_image(snapshot.id)
    assert (found.status, found.owner) == ("active", cloud.current_project_id)
    assert found.size > 0
    assert home.image.find_image("snap") is None
    gone(cloud, server)
    cloud.image.delete_image(found)


def test_a_volume_of_another_cloud_from_that_clouds_image_is_attached_and_detached(sdk):
    cloud = sdk(scope=f"{SCOPE};volume:cloud-999")
    image = cloud.image.find_image("cirros", ignore_missing=False)
    volume = cloud.block_storage.create_volume(name="far", size=1, image_id=image.id)
    volume = available(cloud, volume)
    assert volume.volume_image_metadata["image_id"] == image.id
    server = boot(cloud, image)
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    attached = available(cloud, volume, "in-use").attachments
    assert [one["server_id"] for one in attached] == [server.id]
    cloud.compute.delete_volume_attachment(server, volume.id)
    available(cloud, volume)
    gone(cloud, server)
    cloud.block_storage.delete_volume(volume)
    assert "far" not in {one.name for one in sdk().block_storage.volumes()}


def test_compute_abroad_fetches_an_image_from_home(sdk, lab):
    """The foreign Nova hands its user's token back, and may read the image with it."""
    content = b"made at home" * 1000
    home = sdk()
    image = home.image.create_image("ours", data=content, disk_format="raw", container_format="bare")
    before = len(downloads(lab.data("cloud-999")))
    cloud = sdk(scope="identity:cloud-1;compute:cloud-999;image:cloud-1;network:cloud-999")
    server = boot(cloud, cloud.image.find_image("ours", ignore_missing=False), "away")
    assert [one.sha256 for one in downloads(lab.data("cloud-999"))[before:]] == [
        hashlib.sha256(content).hexdigest()
    ]
    assert cloud.compute.find_server("away").id == server.id
    assert home.compute.find_server("away") is None
    gone(cloud, server)
    home.image.delete_image(image)


# Who somebody is abroad


def test_an_image_shared_with_a_project_of_another_cloud(sdk):
    owner, cloud = sdk("cloud-999", user="admin"), sdk(scope=SCOPE)
    image = owner.image.create_image(
        "lent", data=b"x", disk_format="raw", container_format="bare", visibility="shared"
    )
    project = cloud.current_project_id
    assert cloud.image.get(f"/images/{image.id}").status_code == 404
    owner.image.add_member(image, member_id=project)
    cloud.image.update_member(project, image.id, status="accepted")
    assert cloud.image.find_image("lent", ignore_missing=False).id == image.id
    owner.image.delete_image(image)


def test_an_administrator_of_one_cloud_is_none_at_another(sdk):
    document = {"name": "loud", "visibility": "public", "disk_format": "raw", "container_format": "bare"}
    admin = sdk(user="admin")
    at_home = admin.image.post("/images", json=document)
    assert at_home.status_code == 201
    admin.image.delete_image(at_home.json()["id"])
    abroad = sdk(user="admin", scope=SCOPE).image.post("/images", json=document)
    assert abroad.status_code == 403


@pytest.mark.parametrize("rules", [None, [{"service": "image", "method": "GET", "path": "/v2/images"}]])
def test_an_application_credential_abroad_keeps_its_access_rules(sdk, lab, rules):
    home = sdk()
    user = home.current_user_id
    made = home.identity.create_application_credential(user, f"app-{uuid.uuid4().hex}", access_rules=rules)
    auth = {
        "auth_url": home.session.auth.auth_url,
        "application_credential_id": made.id,
        "application_credential_secret": made.secret,
    }
    cloud = sdk(scope=SCOPE, auth=auth, auth_type="v3applicationcredential")
    assert "cirros" in {image.name for image in cloud.image.images()}
    document = {"name": "by-app", "disk_format": "raw", "container_format": "bare"}
    answer = cloud.image.post("/images", json=document)
    assert answer.status_code == (401 if rules else 201)
    if not rules:
        cloud.image.delete_image(answer.json()["id"])
    home.identity.delete_application_credential(user, made)


def test_a_revoked_token_is_refused_abroad(sdk):
    cloud = sdk(scope=SCOPE + ";network:cloud-999")
    token = cloud.auth_token
    headers = {"X-Auth-Token": token}
    fixed = {"authenticated": False, "headers": headers, "raise_exc": False}
    images, networks = f"{cloud.endpoint_for('image')}/v2/images", f"{cloud.endpoint_for('network')}/v2.0/"
    assert cloud.session.get(images, **fixed).status_code == 200
    gone = cloud.session.delete(
        f"{cloud.endpoint_for('identity')}/auth/tokens",
        authenticated=False,
        headers={**headers, "X-Subject-Token": token},
    )
    assert gone.status_code == 204
    # Glance has answered this token before and remembers it; Neutron has to ask.
    assert cloud.session.get(f"{networks}networks", **fixed).status_code == 401

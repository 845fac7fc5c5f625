"""Things of every kind in one cloud, for lists: names in all kinds of letters, values that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.many import KEY, RAW, under, until

if TYPE_CHECKING:
    from tests.lab.many import Many, Truth

CLOUDS = ("cloud-1", "cloud-999")
NAMES = {
    # The databases think that `alpha` and `Alpha` are equal, and that `_` comes behind all letters.
    "cloud-1": ("Alpha", "beta", "same", "_under"),
    "cloud-999": ("alpha", "BETA", "same", "zulu"),
}
FLAVORS = "many-"
SIZES = {"cloud-1": 1, "cloud-999": 2}


def build(many: Many, truth: Truth) -> None:
    """Things of every kind in one cloud, named in all kinds of letters; returns when they rest."""
    cloud = truth.place.name
    names, number = NAMES[cloud], CLOUDS.index(cloud)
    for at, name in enumerate(names[:3]):
        flavor = {"name": f"{FLAVORS}{name}", "ram": 64 * (at + 1 + number), "vcpus": 1, "disk": 1}
        truth.call("POST", "compute", "/v2.1/flavors", {"flavor": flavor})
    [image] = many.get("image", f"/v2/images?name=image-of-{cloud}", scope=under(cloud))["images"]
    small = truth.call("GET", "compute", "/v2.1/flavors").json["flavors"]
    flavor = next(one["id"] for one in small if one["name"] == "m1.small")
    for name in names[:2]:
        body = {"name": name, "imageRef": image["id"], "flavorRef": flavor, "networks": "none"}
        many.make("compute", "/v2.1/servers", {"server": body}, cloud)
    for name in names:
        many.make("image", "/v2/images", {"name": name, **RAW}, cloud)
        many.make("compute", "/v2.1/os-keypairs", {"keypair": {"name": name, "public_key": KEY}}, cloud)
    for at, name in enumerate((*names[:2], None)):
        volume = {"size": SIZES[cloud] + at % 2, **({"name": name} if name else {})}
        many.make("block-storage", "/v3/{project}/volumes", {"volume": volume}, cloud)
    for name in names[:3]:
        net = many.make("network", "/v2.0/networks", {"network": {"name": name}}, cloud)[cloud]
        subnet = {"network_id": net, "name": name, "ip_version": 4, "cidr": f"10.{40 + number}.0.0/24"}
        many.make("network", "/v2.0/subnets", {"subnet": subnet}, cloud)
        many.make("network", "/v2.0/ports", {"port": {"network_id": net, "name": name}}, cloud)
    for name in names[:2]:
        many.make("network", "/v2.0/security-groups", {"security_group": {"name": name}}, cloud)
    until(lambda: all(one["status"] == "ACTIVE" for one in truth.held("servers")), "servers")
    until(lambda: all(one["status"] == "available" for one in truth.held("volumes")), "volumes")


def clear(many: Many, truth: Truth) -> None:
    """Leave nothing of them."""
    cloud = truth.place.name
    for what, service, path in (
        ("servers", "compute", "/v2.1/servers"),
        ("images", "image", "/v2/images"),
        ("keypairs", "compute", "/v2.1/os-keypairs"),
        ("ports", "network", "/v2.0/ports"),
        ("networks", "network", "/v2.0/networks"),
        ("security_groups", "network", "/v2.0/security-groups"),
        ("volumes", "block-storage", "/v3/{project}/volumes"),
    ):
        for row in truth.held(what):
            if row["name"] != "default":
                many.call("DELETE", service, f"{path}/{row.get('id', row['name'])}", scope=under(cloud))
    for flavor in truth.call("GET", "compute", "/v2.1/flavors").json["flavors"]:
        if flavor["name"].startswith(FLAVORS):
            truth.call("DELETE", "compute", f"/v2.1/flavors/{flavor['id']}")
    until(lambda: not truth.held("servers") and not truth.held("volumes"), "still being deleted")

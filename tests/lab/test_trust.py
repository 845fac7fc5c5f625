"""Who of cloud-1 may do what at cloud-999, under each policy, against tables written by hand.

An entry is the status of a service's answer, or that the proxy refuses the call and the service does not even
hear of it. Anything that succeeds beyond the table is a failure, and so is whatever of others is shown.
"""

from __future__ import annotations

import uuid

import pytest

from devstack.lab.layout import GATEWAY_PORT
from tests.lab.trust_calls import SYSTEM, Lines, bare
from tests.lab.trust_heard import Heard
from tests.lab.trust_policies import POLICIES, admitting
from tests.lab.trust_things import Things, created
from tests.lab.trust_workload import IMAGE

NOTHING = "00000000-0000-0000-0000-000000000000"
REFUSED = "refused"
SHOWN = "what is others' was shown"
SERVER = {"name": "trust", "imageRef": NOTHING, "flavorRef": NOTHING, "networks": "none"}
SINCE = {"OpenStack-API-Version": "compute 2.37"}
OCTETS = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
FLAVOR = {"name": "trust", "ram": 1, "vcpus": 1, "disk": 1}


def visible(how):
    return [{"op": "replace", "path": "/visibility", "value": how}]


CALLS = {
    # Reading.
    "list images": ("image", "GET", "/v2/images", None),
    "list servers": ("compute", "GET", "/v2.1/servers/detail", None),
    "list volumes": ("block-storage", "GET", "/v3/{project}/volumes/detail", None),
    "list networks": ("network", "GET", "/v2.0/networks", None),
    "show a public image": ("image", "GET", "/v2/images/{public}", None),
    "show an image that is shared with it": ("image", "GET", "/v2/images/{shared}", None),
    "show a private image of others": ("image", "GET", "/v2/images/{private}", None),
    "show a volume of others": ("block-storage", "GET", "/v3/volumes/{volume}", None),
    "show a network of others": ("network", "GET", "/v2.0/networks/{network}", None),
    # Everybody's.
    "list everybody's images": ("image", "GET", "/v2/images?visibility=all", None),
    "list everybody's servers": ("compute", "GET", "/v2.1/servers?all_tenants=1", None),
    # Cinder ignores the question of whoever may not ask it.
    "list everybody's volumes": ("block-storage", "GET", "/v3/volumes/detail?all_tenants=1", None),
    "list everybody's subnets": ("network", "GET", "/v2.0/subnets", None),
    # Making.
    "create an image": ("image", "POST", "/v2/images", {"name": "trust", **IMAGE}),
    "upload its data": ("image", "PUT", "/v2/images/{own}/file", b"data"),
    # With a flavor that there is not: whoever may not create servers is not even told so.
    "create a server": ("compute", "POST", "/v2.1/servers", {"server": SERVER}),
    "create a volume": ("block-storage", "POST", "/v3/volumes", {"volume": {"size": 1}}),
    "create a network": ("network", "POST", "/v2.0/networks", {"network": {"name": "trust"}}),
    # For everybody.
    "create a public image": (
        "image",
        "POST",
        "/v2/images",
        {"name": "trust", **IMAGE, "visibility": "public"},
    ),
    "make its image public": ("image", "PATCH", "/v2/images/{own}", visible("public")),
    "make a public image private": ("image", "PATCH", "/v2/images/{public}", visible("private")),
    "make a shared image public": ("image", "PATCH", "/v2/images/{shared}", visible("public")),
    "create a shared network": ("network", "POST", "/v2.0/networks", {"network": {"shared": True}}),
    # Taking away.
    "overwrite a public image": ("image", "PUT", "/v2/images/{public}/file", b"other data"),
    "overwrite a shared image": ("image", "PUT", "/v2/images/{shared}/file", b"other data"),
    "delete its image": ("image", "DELETE", "/v2/images/{own}", None),
    "delete a public image": ("image", "DELETE", "/v2/images/{public}", None),
    "delete a shared image": ("image", "DELETE", "/v2/images/{shared}", None),
    "delete a private image of others": ("image", "DELETE", "/v2/images/{private}", None),
    "delete a volume of others": ("block-storage", "DELETE", "/v3/volumes/{volume}", None),
    "delete a network of others": ("network", "DELETE", "/v2.0/networks/{network}", None),
    "delete a shared network": ("network", "DELETE", "/v2.0/networks/{shared_network}", None),
    "delete a flavor": ("compute", "DELETE", "/v2.1/flavors/{flavor}", None),
    # Administrators' calls of each service.
    "deactivate a public image": ("image", "POST", "/v2/images/{public}/actions/deactivate", None),
    "create a namespace": ("image", "POST", "/v2/metadefs/namespaces", {"namespace": "trust"}),
    "list image tasks": ("image", "GET", "/v2/tasks", None),
    "list compute services": ("compute", "GET", "/v2.1/os-services", None),
    "list hypervisors": ("compute", "GET", "/v2.1/os-hypervisors", None),
    "create a flavor": ("compute", "POST", "/v2.1/flavors", {"flavor": FLAVOR}),
    "list volume services": ("block-storage", "GET", "/v3/{project}/os-services", None),
    "create a volume type": (
        "block-storage",
        "POST",
        "/v3/{project}/types",
        {"volume_type": {"name": "trust"}},
    ),
    "set quotas of volumes": (
        "block-storage",
        "PUT",
        "/v3/os-quota-sets/{project}",
        {"quota_set": {"volumes": 99}},
    ),
    "set quotas of networks": ("network", "PUT", "/v2.0/quotas/{project}", {"quota": {"network": 99}}),
    "create a network of a kind": (
        "network",
        "POST",
        "/v2.0/networks",
        {"network": {"provider:network_type": "vxlan"}},
    ),
    "list resource providers": ("placement", "GET", "/resource_providers", None),
    "create a resource provider": ("placement", "POST", "/resource_providers", {"name": "trust"}),
}
READS = {call for call, (_, method, _, _) in CALLS.items() if method == "GET"}
MEMBER = {
    "list images": 200,
    "list servers": 200,
    "list volumes": 200,
    "list networks": 200,
    "show a public image": 200,
    "show an image that is shared with it": 200,
    "show a private image of others": 404,
    "show a volume of others": 404,
    "show a network of others": 404,
    "list everybody's images": 200,
    "list everybody's servers": 403,
    "list everybody's volumes": 200,
    "list everybody's subnets": 200,
    "create an image": 201,
    "upload its data": 204,
    "create a server": 400,
    "create a volume": 202,
    "create a network": 201,
    "create a public image": 403,
    "make its image public": 403,
    "make a public image private": 403,
    "make a shared image public": 403,
    "create a shared network": 403,
    "overwrite a public image": 403,
    "overwrite a shared image": 403,
    "delete its image": 204,
    "delete a public image": 403,
    "delete a shared image": 403,
    "delete a private image of others": 404,
    "delete a volume of others": 404,
    "delete a network of others": 404,
    "delete a shared network": 403,
    "delete a flavor": 403,
    "deactivate a public image": 403,
    "create a namespace": 403,
    "list image tasks": 403,
    "list compute services": 403,
    "list hypervisors": 403,
    "create a flavor": 403,
    "list volume services": 403,
    "create a volume type": 403,
    "set quotas of volumes": 403,
    "set quotas of networks": 403,
    "create a network of a kind": 403,
    "list resource providers": 403,
    "create a resource provider": 403,
}
READER = {
    **MEMBER,
    "create an image": 403,
    "upload its data": 403,
    "create a server": 403,
    # As at home: Cinder enforces its new defaults only if it is told to (`[oslo_policy]`).
    "create a volume": 202,
    "create a network": 403,
    "delete its image": 403,
}
NOBODY = dict.fromkeys(CALLS, REFUSED)


def only_reading(table):
    return {call: outcome if call in READS else REFUSED for call, outcome in table.items()}


USERS = {
    "admin": ("admin", None),
    "member": ("demo", None),
    "reader": ("viewer", None),
    "system admin": ("admin", SYSTEM),
}
ORACLE = {
    "the lab's": {"admin": MEMBER, "member": MEMBER, "reader": READER},
    # Keystone says of a member that it is a reader, too, and of an admin that it is both.
    "readers alone": {"admin": READER, "member": READER, "reader": READER},
    "members as readers": {"admin": READER, "member": READER},
    "for reading only": {
        "admin": only_reading(MEMBER),
        "member": only_reading(MEMBER),
        "reader": only_reading(READER),
    },
    "another project": {},
    "services alone": {},
    "nobody": {},
}
"""Policy -> user -> what that user may; who is not named is nobody there."""

EVERYTHING = "{keystone:cloud-1;nova+glance+cinder+neutron:cloud-999}"


@pytest.fixture(scope="module")
def lines():
    with Lines() as opened:
        yield opened


@pytest.fixture(scope="module")
def things(lines, abroad):
    with Things(lines, abroad) as made:
        yield made


@pytest.fixture(scope="module", params=list(POLICIES))
def policy(request, lab, home, abroad):
    with admitting(lab, abroad, home, POLICIES[request.param]):
        yield request.param


class Tries:
    """A user at home, who calls a cloud through the proxy beside home."""

    def __init__(self, lines, things, signed_in, scope, host):
        self._lines, self._things, self._host = lines, things, host
        project = signed_in.json["token"].get("project", {}).get("id", NOTHING.replace("-", ""))
        things.share(project)
        own = things.image(owner=project)
        self._names = {**things.names, "project": project, "own": own}
        self._fields = {"X-Auth-Token": signed_in.token, "X-Scope": scope}

    def outcomes(self, calls=CALLS):
        return {call: self._outcome(*CALLS[call]) for call in calls}

    def targets(self, calls):
        return {(method, self._path(path)) for _, method, path, _ in (CALLS[call] for call in calls)}

    def _path(self, path):
        return path.format(**self._names)

    def _outcome(self, service, method, path, body):
        path = self._path(path)
        kind = {"PUT": OCTETS if isinstance(body, bytes) else {}, "PATCH": PATCH}.get(method, {})
        fields = {**self._fields, **kind, **(SINCE if service == "compute" and method == "POST" else {})}
        answer = self._lines.send(self._host, service, method, path, fields, body)
        if answer.refused:
            assert answer.status == 403, answer
            return REFUSED
        if method == "POST" and answer.status < 300:
            self._things.delete(service, f"{path}/{created(answer)}")
        shown = any(one.encode() in answer.body for one in self._things.hidden)
        return SHOWN if shown and answer.status < 300 else answer.status


SERVICES = sorted({service for service, *_ in CALLS.values()})


@pytest.mark.parametrize(("user", "table"), [("demo", MEMBER), ("viewer", READER)])
def test_the_tables_are_what_the_services_themselves_grant_at_home(lines, home, user, table):
    with Things(lines, home) as things:
        tries = Tries(lines, things, lines.sign_in(home, user), "identity:cloud-1", home.beside)
        assert tries.outcomes() == table


def test_an_administrator_at_home_is_one_there(lines, home):
    """The control of all that is denied to it elsewhere."""
    with Things(lines, home) as things:
        tries = Tries(lines, things, lines.sign_in(home, "admin"), "identity:cloud-1", home.beside)
        got = tries.outcomes(sorted(READS))
    # An administrator sees what is hidden, which is shown by the lists that are called everybody's, too.
    assert set(got.values()) == {200, SHOWN}
    assert got["list everybody's volumes"] == got["show a private image of others"] == SHOWN


@pytest.mark.parametrize("door", ["gateway", "beside the other cloud"])
def test_without_a_policy_no_address_leads_there(lab, lines, home, abroad, door):
    host = abroad.beside if door != "gateway" else f"{lab.gateway}:{GATEWAY_PORT}"
    with admitting(lab, abroad, home, None):
        heard = Heard(lines, abroad)
        for user in ("admin", "demo", "viewer", "nova"):
            fields = {"X-Auth-Token": lines.token(home, user), "X-Scope": EVERYTHING}
            for service, method, path, body in CALLS.values():
                if "{" not in path:
                    answer = lines.send(host, service, method, path, fields, body)
                    assert (answer.status, answer.refused) == (403, "not-admitted")
        got = {one.target for service in SERVICES for one in heard.requests(service)}
        assert not got & {path for _, _, path, _ in CALLS.values()}


def test_a_token_that_was_changed_is_nobodys(lines, home):
    token = lines.token(home, "demo")
    _, mark, envelope = token.partition("~")
    changed = f"{bare(token)[:-8]}{uuid.uuid4().hex[:8]}{mark}{envelope}"
    for service, method, path, body in CALLS.values():
        if "{" not in path:
            fields = {"X-Auth-Token": changed, "X-Scope": EVERYTHING}
            assert lines.send(home.beside, service, method, path, fields, body).status == 401


# Last: the policy stays until the module ends.


@pytest.mark.parametrize("user", list(USERS))
def test_nobody_may_more_than_the_policy_says(lines, home, abroad, things, policy, user):
    name, scope = USERS[user]
    tries = Tries(lines, things, lines.sign_in(home, name, scope=scope), EVERYTHING, home.beside)
    heard = Heard(lines, abroad)
    expected = ORACLE[policy].get(user, NOBODY)
    assert tries.outcomes() == expected
    refused = tries.targets(call for call in CALLS if expected[call] == REFUSED)
    allowed = tries.targets(call for call in CALLS if expected[call] != REFUSED)
    got = {(one.method, one.target) for service in SERVICES for one in heard.requests(service)}
    # Cinder shows itself as deleted by things; of what was refused no service knows.
    assert not got & (refused - allowed)
    assert got >= {call for call in allowed if call[0] == "GET"}

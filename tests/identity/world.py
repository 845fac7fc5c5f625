"""Three clouds whose Keystones keep Keystone's rules, as far as tokens go; every request to them is recorded.

cloud-2 admits members of cloud-1 and its nova; cloud-3 admits members of cloud-1 for reading, no services.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import parse_qs

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Admission, Cloud, Endpoint, Listener, Origin, Registry, ServiceAccount
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.errors import BadAnswer
from oidproxy.http.head import Length, NoBody
from oidproxy.http.parse import request_head as parse_request
from oidproxy.http.parse import response_head
from oidproxy.identity.service import Identity
from oidproxy.rewrite.request import request_head
from oidproxy.routing.decision import Carrier, Facade, Forward, Issue, Revoke, Route, Snapshot, Validate
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.opening import present
from oidproxy.upstream.call import Whole
from tests.tokens.bodies import DEFAULT

NOW = 1_750_000_000.0
HOUR = 3600
KEYRING = Keyring((bytes(range(64)),))
PORTS = MappingProxyType(
    {"identity": 5000, "image": 9292, "compute": 8774, "network": 9696, "block-storage": 8776}
)
SUFFIXES = {"identity": "/v3", "compute": "/v2.1", "block-storage": "/v3/%(project_id)s"}
GATEWAY = Listener("127.0.0.1", 8888)
SCOPE = parse("identity:cloud-1;image:cloud-2")
NOVA = ServiceAccount("nova", "service")
ADMITS = {
    "cloud-1": {"cloud-2": Admission(services=(NOVA,))},
    "cloud-2": {"cloud-1": Admission(roles=frozenset({"member", "reader"}), services=(NOVA,))},
    "cloud-3": {"cloud-1": Admission(roles=frozenset({"member"}), read_only=True)},
}


def beside(number):
    return Listener(f"127.0.2.{number}", None, PORTS, f"cloud-{number}")


def cloud(number, admits):
    name = f"cloud-{number}"
    endpoints = tuple(
        Endpoint(name, service, Origin("http", f"127.0.1.{number}", port), suffix=SUFFIXES.get(service, ""))
        for service, port in PORTS.items()
    )
    return Cloud(name, f"http://127.0.1.{number}:5000/v3", number, endpoints, admits=MappingProxyType(admits))


def registry(admits=ADMITS, **more):
    clouds = [cloud(number, admits.get(f"cloud-{number}", {})) for number in (1, 2, 3)]
    index = {
        (each.name, endpoint.service_type): (endpoint,) for each in clouds for endpoint in each.endpoints
    }
    made = Registry(
        clouds=MappingProxyType({each.name: each for each in clouds}),
        groups=MappingProxyType({}),
        local="cloud-1",
        listeners=(GATEWAY, beside(1), beside(2), beside(3)),
        rtt=RoundTrips(),
        service_types=frozenset(PORTS),
        index=MappingProxyType(index),
    )
    return replace(made, **more)


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Issued:
    """A token as its Keystone knows it."""

    body: dict
    expires: float
    revoked: bool = False


@dataclass
class Asked:
    """One request that a Keystone got."""

    cloud: str
    method: str
    target: str
    fields: dict
    body: bytes
    raw: bytes
    from_service: bool


class Keystones:
    """`fetch`, with a Keystone behind every cloud's identity endpoint."""

    def __init__(self):
        self.now = NOW
        self.asked: list[Asked] = []
        self.tokens: dict[str, dict[str, Issued]] = {"cloud-1": {}, "cloud-2": {}, "cloud-3": {}}
        self.accounts: dict[tuple[str, str], dict] = {}
        """(Cloud, user name) -> how `issue` makes the tokens of a password login; others get demo's."""
        self.instead: list = []
        """Answers, or errors, to give in the place of a Keystone's own."""
        self.gate: asyncio.Event | None = None

    def clock(self):
        return self.now

    def issue(self, home, user="demo", named="demo", roles=("member",), *, lives=HOUR, chain=None, **changes):
        """A new token of this home. A change to None leaves a key of its body out."""
        serial = sum(len(known) for known in self.tokens.values())
        token = f"gAAAAAB{serial:04}{home.replace('-', '')}{user}_" + "xYz0-" * 40
        token = token[:200]
        body = {
            "methods": ["password"],
            "user": {"id": f"u-{home}-{user}", "name": user, "domain": DEFAULT},
            "project": {"id": f"p-{home}-{named}", "name": named, "domain": DEFAULT},
            "is_domain": False,
            "roles": [{"id": f"r-{name}", "name": name} for name in roles],
            "audit_ids": [f"a{serial}", chain] if chain else [f"a{serial}"],
            "issued_at": moment(self.now),
            "expires_at": moment(self.now + lives),
            **changes,
        }
        body = {key: value for key, value in body.items() if value is not None}
        self.tokens[home][token] = Issued(body, self.now + lives)
        return token

    def service(self, home, user="nova", **more):
        """A token of a service account."""
        return self.issue(home, user, "service", ("admin", "service"), **more)

    # fetch

    async def __call__(self, request, body=b"", *, limit):
        """As `Upstreams.fetch`."""
        instead = self.instead.pop(0) if self.instead else None
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        head = parse_request(request.head, Limits())
        name = request.endpoint.cloud
        assert head.get(b"host") == request.endpoint.origin.authority.encode()
        assert request.endpoint.service_type == "identity"
        fields = {key.decode(): value.decode("latin-1") for key, value in head.index.items()}
        self.asked.append(
            Asked(
                name,
                head.method,
                head.target.decode(),
                fields,
                body,
                request.head + body,
                request.from_service,
            )
        )
        assert isinstance(request.framing, Length if body else NoBody)
        if isinstance(instead, Exception):
            raise instead
        answer = instead or self.answer(name, head, fields, body)
        status, sent, answered = answer
        data = b"" if head.method == "HEAD" else answered
        if len(data) > limit:
            raise BadAnswer("too large")
        lines = [f"HTTP/1.1 {status} X", *(f"{key}: {value}" for key, value in sent.items())]
        lines += [f"Content-Length: {len(answered)}", "", ""]
        return Whole(response_head("\r\n".join(lines).encode(), method=head.method, limits=Limits()), data)

    # Keystone

    def answer(self, home, head, fields, body):
        path, _, query = head.target.decode().partition("?")
        assert path == "/v3/auth/tokens"
        if head.method == "POST":
            return self.authenticate(home, json.loads(body))
        asker, subject = fields.get("x-auth-token"), fields.get("x-subject-token")
        known = self.tokens[home].get(asker)
        if known is None or known.revoked or known.expires <= self.now:
            return error(401)
        roles = {role["name"] for role in known.body.get("roles", ())}
        if asker != subject and not roles & {"admin", "service"}:
            return error(403)
        options = parse_qs(query, keep_blank_values=True)
        found = self.tokens[home].get(subject)
        late = options.get("allow_expired") == ["1"]
        if found is None or found.revoked or (found.expires <= self.now and not late):
            return error(404)
        rules = found.body.get("application_credential", {}).get("access_rules")
        if rules is not None and "openstack-identity-access-rules" not in fields:
            return error(404)
        if head.method == "DELETE":
            self.revoke(home, found)
            return 204, {}, b""
        return told(200, found.body, subject, home, catalog="nocatalog" not in options)

    def revoke(self, home, found):
        chain = found.body["audit_ids"][-1]
        for token in self.tokens[home].values():
            if token.body["audit_ids"][-1] == chain:
                token.revoked = True

    def authenticate(self, home, asked):
        auth = asked["auth"]
        if auth["identity"]["methods"] == ["password"]:
            name = auth["identity"].get("password", {"user": {}})["user"].get("name", "")
            token = self.issue(home, **self.accounts.get((home, name), {}))
            return told(201, self.tokens[home][token].body, token, home)
        old = self.tokens[home].get(auth["identity"]["token"]["id"])
        if old is None or old.revoked or old.expires <= self.now:
            return error(401)
        body = old.body
        project = auth["scope"]["project"].get("id", body["project"]["id"])
        token = self.issue(
            home,
            body["user"]["name"],
            roles=[role["name"] for role in body["roles"]],
            lives=old.expires - self.now,
            methods=["token", "password"],
            chain=body["audit_ids"][-1],
            project={**body["project"], "id": project},
        )
        return told(201, self.tokens[home][token].body, token, home)


def error(status):
    body = json.dumps({"error": {"code": status, "title": "x", "message": "y"}}).encode()
    return status, {"Content-Type": "application/json", "X-Openstack-Request-Id": "req-keystone"}, body


def told(status, body, token, home, *, catalog=True):
    shown = {**body, **({"catalog": own_catalog(home)} if catalog and "project" in body else {})}
    fields = {"Content-Type": "application/json", "X-Subject-Token": token, "Vary": "X-Auth-Token"}
    return status, {**fields, "X-Scope-Forged": "1", "Keep-Alive": "5"}, json.dumps({"token": shown}).encode()


def own_catalog(home):
    host = f"127.0.1.{home[-1]}"
    return [
        {
            "id": f"s-{service}",
            "type": service,
            "name": service,
            "endpoints": [
                {
                    "id": f"e-{service}",
                    "interface": "public",
                    "region": "RegionOne",
                    "region_id": "RegionOne",
                    "url": f"http://{host}:{port}{SUFFIXES.get(service, '')}",
                }
            ],
        }
        for service, port in PORTS.items()
        if service != "block-storage"
    ]


class Kept:
    """As much of a store as identity uses; what is in it is shared by all worlds that have it."""

    def __init__(self):
        self.entries = {}

    def peek(self, key):
        return self.entries.get(key)

    async def put(self, key, value, *, until):
        self.entries[key] = value


@dataclass
class World:
    """The clouds, and one proxy's identity in front of them."""

    keystones: Keystones = field(default_factory=Keystones)
    registry: Registry = field(default_factory=registry)
    keyring: Keyring = KEYRING
    store: Kept = field(default_factory=Kept)

    def __post_init__(self):
        self.identity = Identity(
            fetch=self.keystones,
            clock=self.keystones.clock,
            snapshot=self.snapshot(),
            store=self.store,
            pseudonym="oidproxy-test",
        )

    def snapshot(self):
        return Snapshot(self.registry, self.keyring)

    def present(self, text, at=None):
        return present(text, self.keyring, default_home=at or "cloud-1")

    # Decisions

    def route(
        self, service, to, *, home="cloud-1", effective=NO_SCOPE, at=None, rest=b"/", explicit=NO_SCOPE
    ):
        listener = beside(int(at[-1])) if at else GATEWAY
        port = PORTS[service] if at else 8888
        facade = Facade("http", listener.host, port, listener)
        endpoint = self.registry.index[to, service][0]
        path = rest.partition(b"?")[0]
        return Route(service, endpoint, rest, path, home, Carrier.TOKEN, effective, explicit, facade)

    def forward(self, service, to, token=None, service_token=None, *, effective=SCOPE, at=None, carried=None):
        user = self.present(token, at) if token else None
        nova = self.present(service_token, at) if service_token else None
        home = user.home if user else "cloud-1"
        route = self.route(service, to, home=home, effective=effective, at=at)
        direct = self.registry.clouds[to].direct
        return Forward(
            route, user, nova, direct=direct, carried=self.present(carried, to) if carried else None
        )

    def now(self, *args, method="GET", **more):
        return self.identity.outgoing_now(self.forward(*args, **more), method)

    async def later(self, *args, method="GET", **more):
        return await self.identity.outgoing(self.forward(*args, **more), method)

    async def closed(self, token, to="cloud-2", service="image", **more):
        """This token of cloud-1 as it goes to a service of another cloud."""
        return (await self.later(service, to, token, **more)).token

    # Keystone's calls

    async def validate(self, asker, subject, *, at, method="GET", query="", **fields):
        """A service beside a cloud asks who a token is; `at` None: at the gateway."""
        asking, about = self.present(asker, at), self.present(subject, at)
        rest = f"/v3/auth/tokens{query}".encode()
        route = self.route("identity", about.home, home=about.home, effective=about.scope, at=at, rest=rest)
        head = request(method, rest.decode(), x_auth_token=asker, x_subject_token=subject, **fields)
        decided = Validate(route, asking, about, at or asking.home)
        return await self.identity.validate(decided, head, writer(head, route))

    async def issue(self, body, *, to="cloud-1", bound=NO_SCOPE, at=None, query="", header=None, **more):
        rest = f"/v3/auth/tokens{query}".encode()
        route = self.route("identity", to, at=at, rest=rest, home=to)
        raw = json.dumps(body).encode()
        fields = {"x_auth_token": header} if header else {}
        head = request("POST", rest.decode(), framing=Length(len(raw)), **fields)
        token = self.present(header, at) if header else None
        decided = Issue(route, token, bound, raw, **more)
        return await self.identity.issue(decided, head, writer(head, route))

    async def renew(self, box, *, project="p-cloud-1-demo", at="cloud-2", query=""):
        """As cinder does before it calls Nova."""
        shown = self.present(box, at)
        scope = {"project": {"id": project}}
        body = {"auth": {"identity": {"methods": ["token"], "token": {"id": shown.token}}, "scope": scope}}
        return await self.issue(
            body, at=at, header=box, to=shown.home, query=query, reauthenticates=shown, project_id=project
        )

    async def revoke(self, asker, subject, *, at="cloud-1"):
        asking, about = self.present(asker, at), self.present(subject, at)
        rest = b"/v3/auth/tokens"
        route = self.route("identity", about.home, home=about.home, at=at, rest=rest)
        head = request("DELETE", rest.decode(), x_auth_token=asker, x_subject_token=subject)
        return await self.identity.revoke(Revoke(route, asking, about), head, writer(head, route))


def request(method, target, *, framing=None, **fields):
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.2.2:5000", "User-Agent: python-keystoneclient"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {framing.size}"] if framing else []
    return parse_request("\r\n".join([*lines, "", ""]).encode(), Limits())


def writer(head, route):
    """What the proxy passes as `write_head`."""

    def write(framing, *, token, subject=None):
        return request_head(
            head,
            route,
            framing,
            token=token,
            service_token=None,
            peer="127.0.1.2",
            peer_trusted=False,
            pseudonym="oidproxy-test",
            request_id="req-00000000-0000-4000-8000-000000000000",
            identity_encoding=True,
            subject=subject,
        )

    return write


def body_of(reply):
    return json.loads(reply.body)["token"]


def field_of(reply, name):
    found = [value.decode() for key, value in reply.fields if key.lower() == name.lower().encode()]
    assert len(found) <= 1, name
    return found[0] if found else None

"""The simulated auth_token filter makes the calls that the real keystonemiddleware makes, and gives its
statuses."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from oidproxy.sim.account import Account, Credentials
from oidproxy.sim.blobs import Blobs
from oidproxy.sim.caller import Caller
from oidproxy.sim.connections import Connections
from oidproxy.sim.driver import Driver
from oidproxy.sim.faults import ApiError
from oidproxy.sim.hosting import Application, listen
from oidproxy.sim.keystone import app as keystone_app
from oidproxy.sim.keystone.model import Keystone
from oidproxy.sim.keystone.tokens import Scope, Tokens
from oidproxy.sim.messages import Request, Response
from oidproxy.sim.middleware import AuthToken, AuthTokenOptions
from oidproxy.sim.recording import Recorder
from oidproxy.sim.running import sources_of
from oidproxy.sim.seeds import fill_keystone
from oidproxy.sim.settings import CloudSettings
from oidproxy.sim.sources import Sources
from oidproxy.sim.token_cache import TokenCache
from tests.sim.rig import PASSWORD, random_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

# WebOb, which keystonemiddleware is built on, imports the cgi module.
pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")


@dataclass
class Exchange:
    """One request to a filter: its tokens and what is asked for."""

    user: str | None = None
    service: str | None = None
    method: str = "GET"
    path: str = "/v2.1/servers"


@dataclass
class Outcome:
    """What a filter did about a request."""

    status: int
    identity: str
    """`Confirmed` or `Invalid`, as the service behind the filter sees it; empty where it was not reached."""
    challenge: str
    calls: list[tuple[Any, ...]]


class KeystoneRig:
    """A simulated Keystone on a socket, whose clock, revocations and health a test controls."""

    def __init__(self, directory: Path, settings: CloudSettings) -> None:
        self.settings = settings
        self.offset = 0.0
        self.failing: int | None = None
        self._record = directory / "keystone.jsonl"
        plain = sources_of(settings)
        sources = Sources(lambda: time.time() + self.offset, plain.random)
        self.keystone = Keystone(sources)
        fill_keystone(self.keystone, settings)
        self.tokens = Tokens(self.keystone, 3600.0)
        self.recorder = Recorder(self._record, "cloud-t")
        self.service = keystone_app.build(self.keystone, self.tokens, settings.auth_url)
        self._read = 0

    def issue(self, user: str = "demo", project: str = "demo", age: float = 0.0, **given: Any) -> str:
        self.offset = -age
        scope = Scope(project_id=self.keystone.projects.find(name=project)["id"])
        identity = self.keystone.users.find(name=user)["id"]
        token = self.tokens.issue(identity, ("password",), given.pop("scope", scope), **given)
        self.offset = 0.0
        return token.id

    def credential(self, rules: list[dict[str, str]] | None) -> str:
        """A token of an application credential with these access rules."""
        user, project = self.keystone.users.find(name="demo"), self.keystone.projects.find(name="demo")
        row = {
            "id": self.keystone.sources.hex(), "name": "ac", "description": None, "user_id": user["id"],
            "project_id": project["id"], "unrestricted": False, "expires_at": None, "secret": "s",
            "roles": self.keystone.roles_on(user["id"], "project", project["id"]), "access_rules": rules,
        }  # fmt: skip
        self.keystone.credentials.add(row)
        return self.issue(credential_id=row["id"])

    def calls(self) -> list[tuple[Any, ...]]:
        """What Keystone was asked since the last look: method, target, which fields, status."""
        lines = self._record.read_bytes().splitlines()
        fresh, self._read = lines[self._read :], len(lines)
        return [_shape(msgspec.json.decode(line)) for line in fresh]


def _shape(entry: dict[str, Any]) -> tuple[Any, ...]:
    fields = {name.lower(): value for name, value in entry["headers"]}
    shown = {
        "x-auth-token": bool(fields.get("x-auth-token")),
        "x-subject-token": fields.get("x-subject-token", "")[-8:],
        "rules": fields.get("openstack-identity-access-rules"),
        "agent": fields.get("user-agent", "").split("/")[0],
    }
    return entry["method"], entry["target"], entry["status"], tuple(shown.items())


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[KeystoneRig]:
    settings = CloudSettings("cloud-t", random_address(), tmp_path, PASSWORD)
    found = KeystoneRig(tmp_path, settings)
    blobs = Blobs(tmp_path / "blobs")
    connections = Connections(blobs, None)
    application = Application(found.service, Driver(connections, blobs, tmp_path), blobs, found.recorder)

    async def handle(request: Any) -> Any:
        if found.failing and request.method == "GET" and "auth/tokens" in request.path_qs:
            return aiohttp.web.Response(status=found.failing)
        return await application.handle(request)

    runner = await listen(handle, settings.address, settings.ports["identity"])
    yield found
    await runner.cleanup()
    await connections.close()
    found.recorder.close()


@dataclass
class Options:
    """How both filters are configured."""

    password: str = PASSWORD
    service_type: str = "compute"
    delay: bool = False
    roles_required: bool = True
    cache_seconds: int = 300
    auth_url: str = ""


class Real:
    """keystonemiddleware from PyPI, as a WSGI application called in a thread."""

    def __init__(self, rig: KeystoneRig, options: Options) -> None:
        self._rig = rig
        self._options = options
        self._app: Any = None

    async def send(self, exchange: Exchange) -> Outcome:
        status, identity, challenge = await asyncio.to_thread(self._send, exchange)
        return Outcome(status, identity, challenge, self._rig.calls())

    def _build(self) -> Any:
        from keystonemiddleware import auth_token

        options, settings = self._options, self._rig.settings
        conf = {
            "auth_type": "password",
            "auth_url": options.auth_url or settings.auth_url,
            "www_authenticate_uri": settings.auth_url,
            "username": "nova",
            "password": options.password,
            "user_domain_id": "default",
            "project_name": "service",
            "project_domain_id": "default",
            "service_token_roles": "service",
            "service_token_roles_required": str(options.roles_required),
            "service_type": options.service_type,
            "delay_auth_decision": str(options.delay),
            "token_cache_time": str(options.cache_seconds),
            "http_request_max_retries": "0",
            "log_name": "test",
        }
        return auth_token.AuthProtocol(self._behind, conf)

    @staticmethod
    def _behind(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """The service behind the filter: says what it is told of the identity."""
        start_response("200 OK", [("X-Seen-Status", environ.get("HTTP_X_IDENTITY_STATUS", ""))])
        return [b""]

    def _send(self, exchange: Exchange) -> tuple[int, str, str]:
        import webob

        self._app = self._app or self._build()
        request = webob.Request.blank(exchange.path, method=exchange.method, headers=_headers(exchange))
        response = request.get_response(self._app)
        return (
            response.status_int,
            response.headers.get("X-Seen-Status", ""),
            response.headers.get("WWW-Authenticate", ""),
        )


class Simulated:
    """Ours."""

    def __init__(self, rig: KeystoneRig, options: Options, driver: Driver) -> None:
        settings = rig.settings
        sources = sources_of(settings)
        credentials = Credentials(options.auth_url or settings.auth_url, "nova", options.password)
        account = Account(credentials, "nova-auth", "keystonemiddleware.auth_token/13", sources)
        chosen = AuthTokenOptions(
            settings.auth_url,
            "nova-auth",
            options.service_type,
            delay_auth_decision=options.delay,
            service_token_roles_required=options.roles_required,
            retry_delays=(),
        )
        self._filter = AuthToken(chosen, account, TokenCache(options.cache_seconds), sources)
        self._rig = rig
        self._driver = driver

    async def send(self, exchange: Exchange) -> Outcome:
        fields = {name.lower(): value for name, value in _headers(exchange).items()}
        challenge = identity = ""
        try:
            verdict = await self._driver.run(
                self._filter.process(Request(exchange.method, exchange.path, (), fields))
            )
        except ApiError as error:
            status = error.status
        else:
            if isinstance(verdict, Response):
                status = verdict.status
                challenge = dict(verdict.fields).get("WWW-Authenticate", "")
            else:
                assert isinstance(verdict, Caller)
                status, identity = 200, "Confirmed" if verdict.user_id else "Invalid"
        return Outcome(status, identity, challenge, self._rig.calls())


def _headers(exchange: Exchange) -> dict[str, str]:
    headers = {}
    if exchange.user is not None:
        headers["X-Auth-Token"] = exchange.user
    if exchange.service is not None:
        headers["X-Service-Token"] = exchange.service
    return headers


@dataclass
class Scenario:
    """Requests made one after the other to both filters, each starting cold."""

    name: str
    exchanges: Callable[[KeystoneRig], list[Exchange]]
    statuses: list[int]
    """What the real filter gives: written down so that both being wrong together is seen too."""
    options: Options = field(default_factory=Options)
    between: Callable[[KeystoneRig], None] | None = None
    """What happens after the first request."""


RULE = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}
OTHER = {"service": "compute", "method": "POST", "path": "/v2.1/servers"}
WILD = {"service": "compute", "method": "GET", "path": "/v2.1/servers/{id}/**"}


def _revoke_own_tokens(rig: KeystoneRig) -> None:
    rig.tokens.revoke_user(rig.keystone.users.find(name="nova")["id"])


def _fail(status: int) -> Callable[[KeystoneRig], list[Exchange]]:
    def exchanges(rig: KeystoneRig) -> list[Exchange]:
        rig.failing = status
        return [Exchange(rig.issue())]

    return exchanges


def _one(**tokens: Callable[[KeystoneRig], str]) -> Callable[[KeystoneRig], list[Exchange]]:
    return lambda rig: [Exchange(**{name: make(rig) for name, make in tokens.items()})]


def _twice(**tokens: Callable[[KeystoneRig], str]) -> Callable[[KeystoneRig], list[Exchange]]:
    def exchanges(rig: KeystoneRig) -> list[Exchange]:
        made = {name: make(rig) for name, make in tokens.items()}
        return [Exchange(**made), Exchange(**made)]

    return exchanges


def _user(rig: KeystoneRig) -> str:
    return rig.issue()


def _expired(rig: KeystoneRig) -> str:
    return rig.issue(age=7200.0)


def _service(rig: KeystoneRig) -> str:
    return rig.issue("nova", "service")


def _junk(_rig: KeystoneRig) -> str:
    return "gAAAAAjunk"


def _scoped(**scope: Any) -> Callable[[KeystoneRig], list[Exchange]]:
    return lambda rig: [Exchange(rig.issue("admin", "admin", scope=Scope(**scope)))]


def _expired_then_alone(rig: KeystoneRig) -> list[Exchange]:
    expired = _expired(rig)
    return [Exchange(expired, _service(rig)), Exchange(expired)]


SCENARIOS = [
    Scenario("a valid token", _one(user=_user), [200]),
    Scenario("no token", lambda _rig: [Exchange()], [401]),
    Scenario("an unknown token", _one(user=_junk), [401]),
    Scenario("an unknown token is asked about again", _twice(user=_junk), [401, 401]),
    Scenario("an expired token", _one(user=_expired), [401]),
    Scenario("surrounding spaces", lambda rig: [Exchange(f" {_user(rig)} ")], [200]),
    Scenario("a valid token is remembered", _twice(user=_user), [200, 200]),
    Scenario("nothing is remembered", _twice(user=_user), [200, 200], Options(cache_seconds=-1)),
    Scenario("a user's and a service's token", _twice(user=_user, service=_service), [200, 200]),
    Scenario("an expired token with a service's", _one(user=_expired, service=_service), [200]),
    Scenario("an expired token, remembered, alone", _expired_then_alone, [200, 401]),
    Scenario("an expired token with a plain user's", _one(user=_expired, service=_user), [401]),
    Scenario("a plain user's token as service token", _one(user=_user, service=_user), [401]),
    Scenario(
        "a plain user's token as service token, tolerated",
        _one(user=_user, service=_user), [200], Options(roles_required=False),
    ),
    Scenario("an unknown service token", _one(user=_user, service=_junk), [401]),
    Scenario("an expired service token", _one(user=_user, service=_expired), [401]),
    Scenario("a service token alone", _one(service=_service), [401]),
    Scenario("an unscoped token", lambda rig: [Exchange(rig.issue(scope=Scope()))], [200]),
    Scenario("a system token", _scoped(system=True), [200]),
    Scenario("a domain token", _scoped(domain_id="default"), [200]),
    Scenario("our own tokens were revoked", _twice(user=_user), [200, 200],
             Options(cache_seconds=-1), between=_revoke_own_tokens),
    Scenario("our password is wrong", _one(user=_user), [503], Options(password="wrong")),
    Scenario("Keystone refuses us always", _fail(401), [503]),
    Scenario("Keystone forbids us to ask", _fail(403), [503]),
    Scenario("Keystone fails", _fail(500), [503]),
    Scenario("Keystone is down", _one(user=_user), [503], Options(auth_url="http://127.0.0.1:1/v3")),
    Scenario("delayed: a valid token", _one(user=_user), [200], Options(delay=True)),
    Scenario("delayed: an unknown token", _one(user=_junk), [200], Options(delay=True)),
    Scenario("delayed: no token", lambda _rig: [Exchange()], [200], Options(delay=True)),
    Scenario("delayed: Keystone is down", _one(user=_user), [200],
             Options(delay=True, auth_url="http://127.0.0.1:1/v3")),
    Scenario("delayed: Keystone fails", _fail(500), [200], Options(delay=True)),
    Scenario("access rules allow it", lambda rig: [Exchange(rig.credential([RULE]))], [200]),
    Scenario("access rules do not allow it", lambda rig: [Exchange(rig.credential([OTHER]))], [401]),
    Scenario("no access rules", lambda rig: [Exchange(rig.credential(None))], [200]),
    Scenario(
        "access rules with patterns",
        lambda rig: [
            Exchange(token := rig.credential([WILD]), path="/v2.1/servers/1/os-interface/2"),
            Exchange(token, path="/v2.1/servers/1"),
        ],
        [200, 401],
    ),
    Scenario(
        "access rules with a service token",
        lambda rig: [Exchange(rig.credential([OTHER]), _service(rig))], [200],
    ),
    Scenario(
        "access rules at a service of another type",
        lambda rig: [Exchange(rig.credential([RULE]))], [401], Options(service_type="network"),
    ),
    Scenario(
        "access rules at a service that is not in the catalog",
        lambda rig: [Exchange(rig.credential([RULE]))], [401], Options(service_type="dns"),
    ),
    Scenario(
        "access rules at a service that does not know its type",
        lambda rig: [Exchange(rig.credential([RULE]))], [401], Options(service_type=""),
    ),
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_the_same_calls_and_statuses_as_the_real_filter(
    scenario: Scenario, rig: KeystoneRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    exchanges = scenario.exchanges(rig)
    real = await _play(Real(rig, scenario.options), scenario, exchanges, rig)
    blobs = Blobs(tmp_path / "other")
    connections = Connections(blobs, None)
    ours = await _play(
        Simulated(rig, scenario.options, Driver(connections, blobs, tmp_path)), scenario, exchanges, rig
    )
    await connections.close()
    assert [outcome.status for outcome in real] == scenario.statuses
    for theirs, mine in zip(real, ours, strict=True):
        assert "\n".join(map(str, mine.calls)) == "\n".join(map(str, theirs.calls))
        assert mine == theirs


async def _play(
    player: Real | Simulated, scenario: Scenario, exchanges: list[Exchange], rig: KeystoneRig
) -> list[Outcome]:
    outcomes = []
    for place, exchange in enumerate(exchanges):
        if place == 1 and scenario.between:
            scenario.between(rig)
        outcomes.append(await player.send(exchange))
    return outcomes

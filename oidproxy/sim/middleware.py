"""keystonemiddleware's auth_token filter, simulated: which calls it makes to Keystone and what it lets
through.

`tests/sim/test_middleware_parity.py` runs the real one beside it and compares both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.sim import access_rules
from oidproxy.sim.account import ACCEPT, Account, AuthenticationError
from oidproxy.sim.caller import ANONYMOUS, Caller, from_token
from oidproxy.sim.catalog import find
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Answer, Document, Request, Response, json_response
from oidproxy.sim.steps import Call, CallFailedError, Pause, Procedure, call
from oidproxy.sim.timestamps import seconds

if TYPE_CHECKING:
    from oidproxy.sim.sources import Sources
    from oidproxy.sim.token_cache import TokenCache

IDENTITY = frozenset({"identity"})
RETRY_DELAYS = (0.5, 1.0, 2.0)
"""`http_request_max_retries = 3`, with keystoneauth's exponential delay between connection attempts."""


class InvalidTokenError(Exception):
    """The token is refused."""


class KeystoneUnavailableError(Exception):
    """Keystone could not be asked, or gave no usable answer."""


@dataclass(frozen=True, slots=True)
class AuthTokenOptions:
    """The options of `[keystone_authtoken]` that change what the filter does."""

    www_authenticate_uri: str
    process: str
    service_type: str = ""
    """Without it a token that has access rules is refused."""
    delay_auth_decision: bool = False
    """Pass refused requests on without a user, so that the service answers them itself (Glance)."""
    service_token_roles: frozenset[str] = frozenset({"service"})
    service_token_roles_required: bool = True
    retry_delays: tuple[float, ...] = RETRY_DELAYS
    """Seconds before each further attempt when Keystone cannot be connected to."""


class AuthToken:
    """The filter in front of one service."""

    def __init__(
        self, options: AuthTokenOptions, account: Account, cache: TokenCache, sources: Sources
    ) -> None:
        self._options = options
        self._account = account
        self._cache = cache
        self._sources = sources

    def process(self, request: Request) -> Procedure[Caller | Response]:
        """Who makes this request; or the answer that refuses it."""
        try:
            caller = yield from self._authenticate(request)
        except KeystoneUnavailableError:
            raise ApiError(503, "The Keystone service is temporarily unavailable.") from None
        if caller is None:
            return ANONYMOUS if self._options.delay_auth_decision else self._rejection()
        return caller

    @property
    def challenge(self) -> tuple[str, str]:
        """The field that every 401 of this service has."""
        return "WWW-Authenticate", f'Keystone uri="{self._options.www_authenticate_uri}"'

    def _rejection(self) -> Response:
        message = "The request you have made requires authentication."
        error = {"code": 401, "title": "Unauthorized", "message": message}
        return json_response(401, {"error": error}, self.challenge)

    def _authenticate(self, request: Request) -> Procedure[Caller | None]:
        """The caller; None when either token is refused or there is no user's."""
        service_token = request.field("x-service-token")
        user_token = request.field("x-auth-token") or request.field("x-storage-token")
        service: Document | None = None
        service_valid, allow_expired = True, False
        if service_token:
            service = yield from self._accepted(service_token, request, allow_expired=False, is_service=True)
            has_role = service is not None and self._has_service_role(service)
            allow_expired = has_role
            service_valid = has_role or (
                service is not None and not self._options.service_token_roles_required
            )
        if not user_token:
            return None
        user = yield from self._accepted(user_token, request, allow_expired=allow_expired)
        if user is None or not service_valid:
            return None
        return from_token(user, user_token.strip(), service)

    def _has_service_role(self, service: Document) -> bool:
        return any(role["name"] in self._options.service_token_roles for role in service.get("roles", ()))

    def _accepted(
        self, token: str, request: Request, *, allow_expired: bool, is_service: bool = False
    ) -> Procedure[Document | None]:
        """What Keystone says of a token, None when that is not enough."""
        try:
            document = yield from self._fetch(token.strip(), allow_expired=allow_expired)
        except InvalidTokenError:
            return None
        if not allow_expired and seconds(document["expires_at"]) <= self._sources.now():
            return None
        if not is_service and not self._allowed(document, request):
            return None
        return document

    def _allowed(self, document: Document, request: Request) -> bool:
        has_service_token = bool(request.field("x-service-token"))
        service_type = self._options.service_type
        return access_rules.allows(
            document, service_type, request.method, request.path, has_service_token=has_service_token
        )

    def _fetch(self, token: str, *, allow_expired: bool) -> Procedure[Document]:
        cached = self._cache.get(token, self._sources.now())
        if cached is not None:
            return cached
        try:
            document = yield from self._verify(token, allow_expired=allow_expired, retry=True)
        except KeystoneUnavailableError as error:
            if self._options.delay_auth_decision:
                raise InvalidTokenError from error
            raise
        self._cache.put(token, document, self._sources.now())
        return document

    def _verify(self, token: str, *, allow_expired: bool, retry: bool) -> Procedure[Document]:
        """Ask Keystone. A 401 means that it refused *us*; the second attempt drops allow_expired, as the
        real one does."""
        try:
            answer = yield from self._ask(token, allow_expired=allow_expired)
        except CallFailedError as error:
            raise KeystoneUnavailableError from error
        except AuthenticationError as error:
            answer = Answer(error.status, {}, b"")
        if answer.status == 401 and retry:
            document = yield from self._verify(token, allow_expired=False, retry=False)
            return document
        if answer.status == 404:
            raise InvalidTokenError
        if not answer.ok:
            raise KeystoneUnavailableError
        token_document: Document = answer.json()["token"]
        return token_document

    def _ask(self, token: str, *, allow_expired: bool) -> Procedure[Answer]:
        """One validation; keystoneauth's session gets a new token of our own once when ours is refused."""
        answer = yield from self._send(token, allow_expired=allow_expired)
        if answer.status == 401:
            self._account.invalidate()
            answer = yield from self._send(token, allow_expired=allow_expired)
        return answer

    def _send(self, token: str, *, allow_expired: bool) -> Procedure[Answer]:
        own = yield from self._account.token()
        url = f"{find(own.catalog, IDENTITY, '')}/auth/tokens"
        fields = (
            ("User-Agent", "python-keystoneclient"), *ACCEPT,
            ("X-Auth-Token", own.token),
            ("X-Subject-Token", token),
            # Without it Keystone hides tokens that have access rules (keystone.common.authorization).
            ("OpenStack-Identity-Access-Rules", "1"),
        )  # fmt: skip
        step = Call(self._options.process, "GET", f"{url}?allow_expired=1" if allow_expired else url, fields)
        for delay in self._options.retry_delays:
            try:
                return (yield from call(step))
            except CallFailedError as error:
                if error.connected:
                    raise
            yield Pause(delay)
        return (yield from call(step))

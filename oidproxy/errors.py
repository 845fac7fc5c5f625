"""The one error tree: every refusal of our own, with its HTTP status and a message that is safe to show.

A message never holds a token, a password, a header value or a parser's text about either. `code` goes out in
`X-Oidproxy-Error`, so that a proxy's error can be told from a cloud's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Ambiguous",
    "AnswerTimedOut",
    "BadAnswer",
    "BadRequest",
    "BodyTooLarge",
    "ConfigError",
    "ConnectRefused",
    "ConnectTimedOut",
    "ConnectionBroken",
    "Draining",
    "Ejected",
    "EndpointsUnknown",
    "ExpectationFailed",
    "FieldsTooLarge",
    "IdentityUnavailable",
    "ImageCorrupted",
    "ImageUnusable",
    "InternalError",
    "LoopDetected",
    "MethodNotAllowed",
    "NoSuchPath",
    "NotAdmitted",
    "NotFound",
    "NotSupported",
    "OidproxyError",
    "Overloaded",
    "RequestTimedOut",
    "ScopeError",
    "StagingForbidden",
    "StagingOverQuota",
    "StagingTooSlow",
    "StagingUnderWay",
    "StoreUnavailable",
    "TargetTooLong",
    "TlsFailed",
    "TokenNotFound",
    "TokenRefused",
    "TooManyClouds",
    "TooManyUnfinished",
    "TraceInvalid",
    "Undecided",
    "UpstreamError",
    "VersionNotSupported",
]


class OidproxyError(Exception):
    """Anything that the proxy itself refuses or fails at."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal Server Error"
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields: Mapping[str, str] = fields or {}
        """Further fields of the answer, as `Retry-After` or `Allow`."""


class ScopeError(OidproxyError):
    """A scope that cannot be read, or that means nothing here. Positions count characters from 1."""

    status = 400
    title = "Bad Request"
    code = "scope"

    def __init__(
        self,
        message: str,
        *,
        text: str = "",
        line: int = 1,
        column: int = 1,
        expected: tuple[str, ...] = (),
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.text = text
        self.line = line
        self.column = column
        self.expected = expected
        self.suggestion = suggestion


class ConfigError(OidproxyError):
    """A configuration that cannot be used; `str()` begins with file:line:column where they are known.

    `also` holds what else is wrong with the same configuration; `str()` gives each its own line.
    """

    code = "config"

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, column: int = 0, suggestion: str | None = None
    ) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.column = column
        self.suggestion = suggestion
        self.also: tuple[ConfigError, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.line_of_text(), *map(str, self.also)])

    def line_of_text(self) -> str:
        """This error alone, without `also`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        hint = f" (did you mean {self.suggestion}?)" if self.suggestion else ""
        return f"{place}: {self.message}{hint}" if place else f"{self.message}{hint}"


class TraceInvalid(OidproxyError):
    """A trace, or a file to make one from, that cannot be used; `message` begins with file:line."""

    status = 400
    title = "Bad Request"
    code = "trace"

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        place = ":".join(str(part) for part in (file, line) if part)
        super().__init__(f"{place}: {message}" if place else message)
        self.file = file
        self.line = line


class BadRequest(OidproxyError):
    """The request breaks a rule of HTTP or of this proxy."""

    status = 400
    title = "Bad Request"
    code = "bad-request"


class TokenRefused(OidproxyError):
    """The token is no good here; the client should authenticate again."""

    status = 401
    title = "Unauthorized"
    code = "token"


class NotAdmitted(OidproxyError):
    """The token is good, but what it asks for is not granted to it."""

    status = 403
    title = "Forbidden"
    code = "not-admitted"


class NoSuchPath(OidproxyError):
    """No service answers under this path."""

    status = 404
    title = "Not Found"
    code = "no-such-path"


class TokenNotFound(OidproxyError):
    """Validation: the subject is unknown, expired, revoked, or not admitted; which one, our log says."""

    status = 404
    title = "Not Found"
    code = "token-not-found"


class NotFound(OidproxyError):
    """Find: none of the clouds of the scope has it, or shows it to this user."""

    status = 404
    title = "Not Found"
    code = "not-found"


class Ambiguous(OidproxyError):
    """Find: several clouds of the scope have something else under this id."""

    status = 300
    title = "Multiple Choices"
    code = "ambiguous"


class Undecided(OidproxyError):
    """Find: those that answered do not have it, and some did not answer."""

    status = 504
    title = "Gateway Timeout"
    code = "undecided"


class MethodNotAllowed(OidproxyError):
    """TRACE and CONNECT, and whatever a path of our own does not answer."""

    status = 405
    title = "Method Not Allowed"
    code = "method"


class RequestTimedOut(OidproxyError):
    """The client was too slow with its head or body."""

    status = 408
    title = "Request Timeout"
    code = "request-timeout"


class BodyTooLarge(OidproxyError):
    """A body that had to be read whole is too large."""

    status = 413
    title = "Content Too Large"
    code = "body-too-large"


class TargetTooLong(OidproxyError):
    """The request target is too long."""

    status = 414
    title = "URI Too Long"
    code = "target-too-long"


class ExpectationFailed(OidproxyError):
    """An Expect other than 100-continue."""

    status = 417
    title = "Expectation Failed"
    code = "expectation"


class FieldsTooLarge(OidproxyError):
    """Too many header fields, or too large ones."""

    status = 431
    title = "Request Header Fields Too Large"
    code = "fields-too-large"


class TooManyClouds(OidproxyError):
    """A request, or all those of one token, would go to more clouds at one time than they may."""

    status = 429
    title = "Too Many Requests"
    code = "too-many-clouds"


class TooManyUnfinished(OidproxyError):
    """Too many requests of one user to several clouds are not over."""

    status = 429
    title = "Too Many Requests"
    code = "too-many-unfinished"


class InternalError(OidproxyError):
    """A bug of ours."""


class NotSupported(OidproxyError):
    """Nothing here can do this: an unknown method or coding, a service absent in a cloud, a plan of many."""

    status = 501
    title = "Not Implemented"
    code = "not-supported"


class VersionNotSupported(OidproxyError):
    """An HTTP version other than 1.0 and 1.1."""

    status = 505
    title = "HTTP Version Not Supported"
    code = "version"


class LoopDetected(OidproxyError):
    """The request has been here before, or passed too many proxies."""

    status = 508
    title = "Loop Detected"
    code = "loop"


class UpstreamError(OidproxyError):
    """A call to a cloud that failed. `sent` tells whether any byte of the request was handed over."""

    status = 502
    title = "Bad Gateway"
    code = "upstream"

    def __init__(
        self, message: str, *, cloud: str = "", sent: bool = False, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, fields=fields)
        self.cloud = cloud
        self.sent = sent


class ConnectRefused(UpstreamError):
    """No connection: refused, unreachable, unknown host."""

    code = "connect-refused"


class ConnectTimedOut(UpstreamError):
    """No connection, or no TLS session, in time."""

    status = 504
    title = "Gateway Timeout"
    code = "connect-timeout"


class TlsFailed(UpstreamError):
    """The cloud's certificate or TLS session was not acceptable."""

    code = "tls"


class ConnectionBroken(UpstreamError):
    """The connection broke before a complete answer."""

    code = "connection-broken"


class BadAnswer(UpstreamError):
    """The cloud's answer breaks HTTP, or is larger than what may be held."""

    code = "bad-answer"


class AnswerTimedOut(UpstreamError):
    """The cloud did not answer, or stopped answering, in time."""

    status = 504
    title = "Gateway Timeout"
    code = "answer-timeout"


class Overloaded(UpstreamError):
    """No connection to this cloud's service became free in time, or too many wait."""

    status = 503
    title = "Service Unavailable"
    code = "overloaded"


class Ejected(UpstreamError):
    """This endpoint failed too often in a row and is left alone for a while."""

    status = 503
    title = "Service Unavailable"
    code = "ejected"


class IdentityUnavailable(UpstreamError):
    """A Keystone cannot say who a token is just now; that must not read as "this token is no good"."""

    status = 503
    title = "Service Unavailable"
    code = "identity-unavailable"


class EndpointsUnknown(UpstreamError):
    """This cloud did not say which services it has; a reload asks it again."""

    status = 503
    title = "Service Unavailable"
    code = "endpoints-unknown"


class Draining(OidproxyError):
    """This proxy is about to stop."""

    status = 503
    title = "Service Unavailable"
    code = "draining"


class StoreUnavailable(OidproxyError):
    """The proxy's own state cannot be read or written just now."""

    status = 503
    title = "Service Unavailable"
    code = "store"


class ImageUnusable(OidproxyError):
    """Staging: the image that the request names cannot be brought to the cloud that needs it, and why."""

    status = 400
    title = "Bad Request"
    code = "image"


class StagingForbidden(OidproxyError):
    """Staging: the cloud that needs the image does not let this user make one there."""

    status = 403
    title = "Forbidden"
    code = "staging-forbidden"


class StagingOverQuota(OidproxyError):
    """Staging: the image is more than the user may store in the cloud that needs it."""

    status = 413
    title = "Content Too Large"
    code = "staging-quota"


class ImageCorrupted(UpstreamError):
    """Staging: what the cloud stored is not what was sent to it."""

    code = "image-hash"


class StagingTooSlow(UpstreamError):
    """Staging: the data of the image come too slowly to be waited for."""

    status = 504
    title = "Gateway Timeout"
    code = "staging-slow"


class StagingUnderWay(OidproxyError):
    """Staging: the image is still on its way; the same request succeeds once it has come."""

    status = 503
    title = "Service Unavailable"
    code = "staging"

"""What the commands ask of the proxy, over the client's own authenticated session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from osc_lib.exceptions import CommandError

from oidproxy.osc import address

WELL_KNOWN = "/.well-known/oidproxy"
NO_FIELDS: Mapping[str, str] = MappingProxyType({})
EVERYWHERE: Mapping[str, str] = MappingProxyType({"X-Scope": "*"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """The proxy's answer to `explain`."""

    services: list[Mapping[str, Any]]
    """A row per service: service, carrier, plan, clouds, token, error; a later proxy may say more."""
    decision: str | None
    """What would be done with the one request in question."""
    status: int | None = None
    """With a refusal of that request: its HTTP status. Proxies of before say neither this nor why."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list of several clouds."""

    rows: list[Mapping[str, Any]]
    """Each with its `cloud`, and the `resource` as that cloud has it."""
    failed: Mapping[str, str]
    """Cloud -> why it has given nothing, or not all."""
    skipped: Mapping[str, str]
    """Cloud -> why it was not asked."""
    marker: str
    """Where the next page begins; empty after the last."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where something is."""

    rows: list[Mapping[str, Any]]
    """Each with cloud, service, collection, name and status."""
    asked: int
    """How many clouds were asked."""
    failed: Mapping[str, str]
    """Cloud -> why it is not known whether it has it."""


class Proxy:
    """The proxy behind an auth URL. Every question raises CommandError where it is not answered."""

    def __init__(self, session: Any, auth_url: str) -> None:
        self.root = address.root(auth_url)
        self._session = session

    def clouds(self) -> list[Mapping[str, Any]]:
        """The clouds that admit this token: name, regions, groups, services, home."""
        return self._rows(self._answer("clouds", {}), "clouds")

    def explain(self, scope: str | None, method: str = "", path: str = "") -> Explanation:
        """What the proxy would do: under this scope (canonical text), or under the one in force.

        For every service; or, with a path, for that request.
        """
        question = {"scope": scope, "method": method, "path": path}
        answer = self._answer("explain", {key: value for key, value in question.items() if value})
        request = answer.get("request")
        told = request if isinstance(request, Mapping) else {}
        return Explanation(
            self._rows(answer, "services"), told.get("decision"), told.get("status"), told.get("error")
        )

    def resources(
        self, service: str, collection: str, query: Sequence[tuple[str, str]], on_missing: str | None = None
    ) -> Listing:
        """A page of a service's collection in all clouds of the scope in force; `query` is as its API has
        it."""
        question = {"resource": f"{service}/{collection}", "query": urlencode(query)}
        fields = {"X-Scope-On-Missing": on_missing} if on_missing else {}
        answer = self._answer("resources", {key: value for key, value in question.items() if value}, fields)
        failed, skipped = (answer.get(key) for key in ("failed", "skipped"))
        if not isinstance(failed, Mapping) or not isinstance(skipped, Mapping):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return Listing(self._rows(answer, "resources"), failed, skipped, str(answer.get("marker") or ""))

    def locate(self, item: str, collection: str = "", *, everywhere: bool = False) -> Location:
        """Which of all clouds have this id. Those that were seen to have it are asked first, and only they
        if they have it, unless `everywhere`."""
        question = {"id": item, "resource": collection, "all": "1" if everywhere else ""}
        # The scope in force says where commands go; this one looks everywhere.
        answer = self._answer("locate", {key: value for key, value in question.items() if value}, EVERYWHERE)
        failed = answer.get("failed")
        if not isinstance(failed, Mapping):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return Location(self._rows(answer, "found"), int(answer.get("asked") or 0), failed)

    def _rows(self, answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        rows = answer.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return rows

    def _answer(
        self, page: str, question: Mapping[str, str], fields: Mapping[str, str] = NO_FIELDS
    ) -> Mapping[str, Any]:
        answer = self._ask(page, question, fields)
        if not isinstance(answer, Mapping):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return answer

    def _ask(self, page: str, question: Mapping[str, str], fields: Mapping[str, str]) -> Any:
        # Redirects are not followed: the token is for the configured address only.
        response = self._session.get(
            f"{self.root}{WELL_KNOWN}/{page}",
            params=question,
            headers={"Accept": "application/json", **fields},
            redirect=False,
            raise_exc=False,
        )
        if response.status_code != 200:
            raise self._refused(response)
        try:
            return response.json()
        except ValueError:
            raise self._not_a_proxy(f"{WELL_KNOWN} answered no JSON") from None

    def _refused(self, response: Any) -> CommandError:
        status = response.status_code
        if "X-Oidproxy-Error" not in response.headers:
            return self._not_a_proxy(f"HTTP {status}")
        return CommandError(f"the proxy at {self.root} refused (HTTP {status}): {_message(response)}")

    def _not_a_proxy(self, sign: str) -> CommandError:
        return CommandError(f"no oidproxy answers at {self.root} ({sign}); is the auth URL that of a proxy?")


def _message(response: Any) -> str:
    """The message of an error in OpenStack's shape."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"

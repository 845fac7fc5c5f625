"""What the commands ask of the proxy, over the client's own authenticated session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osc_lib.exceptions import CommandError

from oidproxy.osc import address

WELL_KNOWN = "/.well-known/oidproxy"


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

    def _rows(self, answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        rows = answer.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return rows

    def _answer(self, page: str, question: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._ask(page, question)
        if not isinstance(answer, Mapping):
            raise self._not_a_proxy(f"{WELL_KNOWN} answered something else")
        return answer

    def _ask(self, page: str, question: Mapping[str, str]) -> Any:
        # Redirects are not followed: the token is for the configured address only.
        response = self._session.get(
            f"{self.root}{WELL_KNOWN}/{page}",
            params=question,
            headers={"Accept": "application/json"},
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

"""Users of a cloud who are there for one test: made, changed and deleted at its Keystone, past the proxy."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devstack.lab.layout import CloudPlace
    from tests.lab.trust_calls import Answer, Lines


class Guests:
    """Asks as the cloud's administrator."""

    def __init__(self, lines: Lines, place: CloudPlace) -> None:
        self._lines = lines
        self._place = place
        self._token = lines.token(place, "admin", direct=True)
        self._project = self._ask("GET", "/v3/projects?name=demo").json["projects"][0]["id"]
        self._roles = {role["name"]: role["id"] for role in self._ask("GET", "/v3/roles").json["roles"]}

    def make(self, *roles: str) -> Guest:
        """A user with these roles in the project demo."""
        name = password = uuid.uuid4().hex
        body = {"user": {"name": name, "password": password, "domain_id": "default"}}
        guest = Guest(self, self._ask("POST", "/v3/users", body).json["user"]["id"], name)
        for role in roles:
            self._ask("PUT", self._grant(guest.id, role))
        return guest

    def sign_in(self, name: str, scope: Any = None) -> str:
        """A sealed token, of the project demo unless `scope` says otherwise."""
        return self._lines.token(self._place, name, password=name, scope=scope)

    def give_domain(self, user: str, role: str) -> None:
        self._ask("PUT", f"/v3/domains/default/users/{user}/roles/{self._roles[role]}")

    def disable(self, user: str) -> None:
        self._ask("PATCH", f"/v3/users/{user}", {"user": {"enabled": False}})

    def take_away(self, user: str, role: str) -> None:
        self._ask("DELETE", self._grant(user, role))

    def delete(self, user: str) -> None:
        self._ask("DELETE", f"/v3/users/{user}")

    def _grant(self, user: str, role: str) -> str:
        return f"/v3/projects/{self._project}/users/{user}/roles/{self._roles[role]}"

    def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        fields = {"X-Auth-Token": self._token}
        answer = self._lines.send(self._place.address, "identity", method, path, fields, body)
        assert answer.status < 300, answer
        return answer


class Guest:
    """One of them, whose password is the name."""

    def __init__(self, guests: Guests, user: str, name: str) -> None:
        self._guests = guests
        self.id = user
        self._name = name

    def token(self, scope: Any = None) -> str:
        return self._guests.sign_in(self._name, scope)

    def get_domain(self, role: str) -> None:
        """From now on this role in all of the domain Default."""
        self._guests.give_domain(self.id, role)

    def disable(self) -> None:
        self._guests.disable(self.id)

    def lose(self, role: str) -> None:
        self._guests.take_away(self.id, role)

    def delete(self) -> None:
        self._guests.delete(self.id)

"""What an example of OpenStackoid is here: a command, its scope, what was promised, and what happens."""

from __future__ import annotations

import json
import shlex
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Api
from devstack.lab.passwords import Secrets, write_private
from tests.lab.users import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from devstack.lab.layout import CloudPlace

NAME = "openstackoid"
HEADS = ("#", "From", "Command", "Scope", "Promised", "Here")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the page; its test runs this very command under this very scope."""

    source: str
    command: str
    """Of the openstack client, unless it begins with `curl`; `{image}` and the like are filled in."""
    promised: str
    here: str
    scope: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    """A part of the text with which it is refused."""

    @property
    def scoped(self) -> tuple[str, ...]:
        """The option as OpenStackoid's users write it."""
        return ("--os-scope", json.dumps(self.scope)) if self.scope else ()

    def words(self, **names: str) -> tuple[str, ...]:
        """The whole command line."""
        return (*shlex.split(self.command.format(**names)), *self.scoped)

    def row(self, number: int) -> str:
        """Its row of the page."""
        scope = f"`{json.dumps(self.scope)}`" if self.scope else "none"
        here = f"{self.here}: “{self.refusal}”" if self.refusal else self.here
        cells = (str(number), self.source, f"`{self.command}`", scope, self.promised, here)
        return f"| {' | '.join(cells)} |"


class Examples:
    """All of them, in the order of their tests."""

    def __init__(self) -> None:
        self._all: list[Example] = []

    def of(
        self, source: str, command: str, scope: Mapping[str, str] | None = None, **told: str
    ) -> Callable[[Any], Any]:
        """The test below is of this example."""
        one = Example(source=source, command=command, scope=scope or {}, **told)

        def decorated(test: Any) -> Any:
            test.example = one
            self._all.append(one)
            return test

        return decorated

    def table(self) -> str:
        """The page's table, in Markdown."""
        rows = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
        return "\n".join([*rows, *(one.row(number) for number, one in enumerate(self._all, 1))])


class Person(User):
    """A user with clouds.yaml of their own."""

    def __init__(self, file: Path, entry: str) -> None:
        self._file = file
        self._entry = entry


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Who has the same name, password and project name in both clouds, and the role admin in both."""

    one: Person
    two: Person
    password: str = field(repr=False)


@contextmanager
def everywhere(one: CloudPlace, two: CloudPlace, folder: Path) -> Iterator[Everywhere]:
    """OpenStackoid's only user, for a while."""
    password = uuid.uuid4().hex
    file = folder / "clouds.yaml"
    entries = {place.name: _entry(place, password) for place in (one, two)}
    write_private(file, json.dumps({"clouds": entries}))
    with _account(one, password), _account(two, password):
        yield Everywhere(Person(file, one.name), Person(file, two.name), password)


@contextmanager
def _account(place: CloudPlace, password: str) -> Iterator[None]:
    v3 = f"{place.beside_url('identity')}/v3"
    root = Api(v3, Account("admin", "admin", Secrets(place.folder).get("admin")))
    project = root.call("POST", f"{v3}/projects", {"project": {"name": NAME}}).json["project"]["id"]
    user = root.call("POST", f"{v3}/users", {"user": {"name": NAME, "password": password}}).json["user"]["id"]
    (role,) = root.call("GET", f"{v3}/roles?name=admin").json["roles"]
    root.call("PUT", f"{v3}/projects/{project}/users/{user}/roles/{role['id']}")
    try:
        yield
    finally:
        root.call("DELETE", f"{v3}/users/{user}")
        root.call("DELETE", f"{v3}/projects/{project}")


def _entry(place: CloudPlace, password: str) -> Mapping[str, Any]:
    auth = {"auth_url": f"{place.beside_url('identity')}/v3", "username": NAME, "password": password}
    names = {"project_name": NAME, "user_domain_name": "Default", "project_domain_name": "Default"}
    return {"auth": {**auth, **names}, "region_name": place.region, "identity_api_version": "3"}

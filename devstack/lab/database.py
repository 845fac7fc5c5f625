"""The lab's database server: one MariaDB, with databases and an account of its own for each cloud."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from devstack.lab.addresses import require_free
from devstack.lab.failure import LabError, tail
from devstack.lab.processes import Background, run

if TYPE_CHECKING:
    from pathlib import Path

    from devstack.lab.layout import CloudPlace, Lab

PORT = 3306
SOCKET = "db.sock"
"""Below the data folder, and named without it: a socket's path may have 107 bytes (unix(7))."""

SETTINGS = (
    "--no-defaults",
    "--user=root",
    "--skip-name-resolve",
    "--max-connections=4000",
    # A lab that loses its last second when the machine stops is set up again.
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
)


class Database:
    """The server."""

    def __init__(self, lab: Lab) -> None:
        self._host = lab.infrastructure
        self._folder = lab.shared / "database"
        self._log = lab.shared / "database-commands.log"
        self.process = Background("database", lab.shared)

    def start(self) -> None:
        """Start it, and wait until it answers. Raises LabError."""
        if self.process.pid is None:
            self._require_place()
            self._make()
        self.process.start(
            [
                "/usr/sbin/mariadbd",
                *SETTINGS,
                f"--datadir={self._folder}",
                f"--socket={SOCKET}",
                f"--bind-address={self._host}",
                f"--port={PORT}",
            ],
            _environment(),
        )
        self._wait()

    def url(self, cloud: CloudPlace, database: str, password: str) -> str:
        """SQLAlchemy's address of one of a cloud's databases."""
        account = f"{_account(cloud)}:{password}@{self._host}:{PORT}"
        return f"mysql+pymysql://{account}/{cloud.database(database)}?charset=utf8mb4"

    def grant(self, cloud: CloudPlace, password: str) -> None:
        """Make a cloud's account and databases, if they are not there."""
        account = f"'{_account(cloud)}'@'%'"
        lines = [f"CREATE USER IF NOT EXISTS {account}; ALTER USER {account} IDENTIFIED BY '{password}';"]
        for name in map(cloud.database, cloud.databases):
            lines.append(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3;")
            lines.append(f"GRANT ALL PRIVILEGES ON {name}.* TO {account};")
        self.execute("\n".join(lines))

    def execute(self, statements: str) -> None:
        """Run statements as the server's administrator. Raises LabError."""
        script = self._log.with_name("statements.sql")
        script.touch(mode=0o600)
        script.write_text(statements)
        try:
            run(self._client(), self._log, _environment(), stdin=script, cwd=self._folder)
        finally:
            script.unlink()

    def dump(self, cloud: CloudPlace, database: str, file: Path) -> None:
        """Write one of a cloud's databases to a file. Raises LabError."""
        command = ["mariadb-dump", "--no-defaults", f"--socket={SOCKET}", "--skip-comments"]
        part = file.with_name(f".{file.name}.part")
        run(
            [*command, cloud.database(database)],
            self._log,
            _environment(),
            stdout=part,
            cwd=self._folder,
        )
        part.replace(file)

    def load(self, cloud: CloudPlace, database: str, file: Path) -> None:
        """Fill one of a cloud's databases from a file. Raises LabError."""
        command = [*self._client(), cloud.database(database)]
        run(command, self._log, _environment(), stdin=file, cwd=self._folder)

    def _client(self) -> list[str]:
        return ["mariadb", "--no-defaults", f"--socket={SOCKET}"]

    def _require_place(self) -> None:
        require_free([(self._host, PORT)])

    def _make(self) -> None:
        if self._folder.exists():
            return
        new = self._folder.with_name("database.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        command = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={new}"]
        run([*command, "--skip-test-db"], self._log, _environment())
        new.rename(self._folder)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self.process.check()
            with suppress(LabError):
                self.execute("SELECT 1;")
                return
            time.sleep(0.2)
        raise LabError(f"the database server does not answer:\n{tail(self.process.log)}")


def _account(cloud: CloudPlace) -> str:
    return f"c{cloud.number}"


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": os.devnull}

"""The state file before it is used: its mode, its version, and files that are something else."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing

import pytest

from oidproxy.errors import ConfigError
from oidproxy.store.preparing import prepare, private
from oidproxy.store.schema import APPLICATION, MIGRATIONS, VERSION


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def test_the_file_is_its_owners_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        prepare(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO entry VALUES ('a', 'b', 1)")
            connection.commit()
            assert {mode(one) for one in path.parent.iterdir()} == {0o600}
            assert len(list(path.parent.iterdir())) > 1, "SQLite's own files are there"
    finally:
        os.umask(before)


def test_a_file_that_others_could_read_is_closed_to_them(path):
    path.touch(mode=0o644)
    prepare(path)
    assert mode(path) == 0o600


def test_preparing_again_changes_nothing(path):
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO entry VALUES ('a', 'b', 1)")
        connection.commit()
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM entry").fetchall() == [("a", "b", 1.0)]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_of_the_first_version_keeps_what_is_in_it(path):
    with closing(sqlite3.connect(path)) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO entry VALUES ('a', 'b', 1)")
        connection.commit()
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM entry").fetchall() == [("a", "b", 1.0)]
        assert connection.execute("SELECT * FROM place").fetchall() == []
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_newer_file_is_refused_and_left_as_it_is(path):
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(
        ConfigError, match=f"newer oidproxy .*version {VERSION + 1}, .*knows {VERSION}"
    ) as caught:
        prepare(path)
    assert str(caught.value).startswith(f"{path}: store: ")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("users: {demo: secret}\n" * 100)
    with pytest.raises(ConfigError, match="file is not a database"):
        prepare(path)
    assert path.read_text().startswith("users:")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE other (a)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"]
)
def test_somebody_elses_database_is_refused(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with pytest.raises(ConfigError, match="not one of oidproxy's"):
        prepare(path)


def test_a_place_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        prepare(tmp_path / "missing" / "state.db")


def test_what_is_no_file_is_refused(tmp_path):
    folder = tmp_path / "state.db"
    folder.mkdir()
    with pytest.raises(ConfigError):
        prepare(folder)
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigError):
        prepare(link)
    assert not (tmp_path / "elsewhere.db").exists()


def test_the_private_file_ends_with_its_user():
    with private() as path:
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert not path.parent.exists()


# The private one.


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


CRASHING = """
import os, sys
from pathlib import Path
from oidproxy.store.preparing import private
with private(Path(sys.argv[1]) if sys.argv[1] else None) as path:
    import sqlite3
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO entry VALUES ('noted', 'x', 9e9)")
    connection.close()
    os.kill(os.getpid(), 9)
"""


def killed(place, configuration):
    """A process with a private file of this configuration was killed."""
    words = [sys.executable, "-c", CRASHING, str(configuration or "")]
    done = subprocess.run(words, env={**os.environ, "TMPDIR": str(place)}, check=False)
    assert done.returncode == -9
    assert [*place.iterdir()] != []


def keys(path):
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM entry")]


def test_what_a_killed_process_noted_is_found_by_the_next_of_its_configuration(place, tmp_path):
    killed(place, tmp_path / "one.yaml")
    with private(tmp_path / "other.yaml") as path:
        assert keys(path) == []
    with private(tmp_path / "one.yaml") as path:
        assert keys(path) == ["noted"]
    assert [*place.iterdir()] == []


def test_what_nobody_comes_back_for_is_deleted(place):
    killed(place, None)
    with private() as path:
        assert [*place.iterdir()] == [path.parent]


def test_what_nobody_came_back_for_in_a_month_is_deleted(place, tmp_path):
    killed(place, tmp_path / "one.yaml")
    [left] = place.iterdir()
    with private():
        assert left.exists()
    os.utime(left, (1, 1))
    with private():
        assert not left.exists()


def test_two_at_one_time_have_a_file_each(place, tmp_path):
    with private(tmp_path / "one.yaml") as first, private(tmp_path / "one.yaml") as second:
        assert first.parent != second.parent
        with private() as third:
            assert {first.parent, second.parent, third.parent} == {*place.iterdir()}
        assert first.exists()
    assert [*place.iterdir()] == []


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_may_have_made_is_not_used(place, tmp_path, mode):
    with private(tmp_path / "one.yaml") as path:
        name = path.parent
    name.mkdir()
    name.chmod(mode)
    with private(tmp_path / "one.yaml") as path:
        assert path.parent != name
    assert [*name.iterdir()] == []


def test_a_link_in_its_place_is_not_followed(place, tmp_path):
    with private(tmp_path / "one.yaml") as path:
        name = path.parent
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    name.symlink_to(elsewhere)
    with private(tmp_path / "one.yaml") as path:
        assert path.parent != name
    assert [*elsewhere.iterdir()] == []


def test_one_that_cannot_be_used_any_more_is_begun_anew(place, tmp_path):
    killed(place, tmp_path / "one.yaml")
    [left] = place.iterdir()
    (left / "state.db").write_bytes(b"no database" * 100)
    with private(tmp_path / "one.yaml") as path:
        assert keys(path) == []

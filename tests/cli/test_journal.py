"""`oidproxy journal`, as far as it needs no cloud."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from oidproxy.cli.main import main
from oidproxy.manyclouds.replicating import journal
from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Owner, Verb
from oidproxy.manyclouds.replicating.keeping import Journal
from oidproxy.store.preparing import prepare
from oidproxy.store.sqlite import SqliteStore

ENDPOINTS = {"compute": "http://127.0.0.1:9/v2.1", "identity": "http://127.0.0.1:9/v3"}


@pytest.fixture
def config(tmp_path):
    state = tmp_path / "state.db"
    prepare(state)
    text = {
        "listeners": [{"bind": "127.0.0.1:8888"}],
        "local": "a",
        "store": f"sqlite:///{state}",
        "clouds": {
            name: {"auth_url": "http://127.0.0.1:9/v3", "endpoints": ENDPOINTS, "exchange": []}
            for name in ("a", "b")
        },
    }
    path = tmp_path / "oidproxy.yaml"
    path.write_text(json.dumps(text))
    return path


def kept(config, *intents):
    async def keep():
        store = SqliteStore(config.parent / "state.db", clock=time.time)
        for one in intents:
            await Journal(store, time.time).write(one)
        await store.close()

    asyncio.run(keep())


def intent(*attempts, marked=True):
    owner = Owner("a", "p", "u")
    return Intent(
        "i", Verb.CREATE, owner, "compute", "servers", "/v2.1/servers", 0.0, attempts, 2, marked=marked
    )


def test_nothing_is_left(config, capsys):
    assert main(["journal", "list", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "nothing is left to be done\n"


def test_each_cloud_has_a_line_with_what_it_waits_for(config, capsys):
    begun = journal.begin(intent(Attempt("a", None, 0, entry="b-for-demo"), Attempt("b", None, 1)))
    kept(config, journal.unknown(begun, "b", "it was slow"))
    assert main(["journal", "list", "--config", str(config)]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split("  ")[0] == "i"
    assert "1970-01-01T00:00:00Z" in first
    assert "the proxy itself (account b-for-demo)" in first
    assert "a call of user u, project p of a; or journal retry" in second
    assert second.endswith("it was slow")


def test_what_bears_no_mark_waits_for_somebody(config, capsys):
    kept(config, journal.begin(intent(Attempt("a", None, 0), Attempt("gone", None, 1), marked=False)))
    main(["journal", "list", "--config", str(config)])
    out = capsys.readouterr().out
    assert out.count("somebody to look: it bears no mark") == 2
    assert "gone (not in the configuration)" in out


def test_programs_get_the_same(config, capsys):
    kept(config, journal.begin(intent(Attempt("a", None, 0), Attempt("b", None, 1))))
    main(["journal", "list", "--config", str(config), "--json"])
    [told] = json.loads(capsys.readouterr().out)
    assert told["owner"] == {"home": "a", "project": "p", "user": "u"}
    assert [(one["cloud"], one["state"]) for one in told["clouds"]] == [
        ("a", "uncertain"),
        ("b", "uncertain"),
    ]


def test_without_a_store_there_is_no_journal_to_look_at(config, capsys):
    text = json.loads(config.read_text())
    del text["store"]
    config.write_text(json.dumps(text))
    assert main(["journal", "list", "--config", str(config)]) == 2
    assert "names no store" in capsys.readouterr().err


@pytest.mark.parametrize("pair", ["a", "a=", "z=x"])
def test_an_account_for_nothing_is_refused(config, capsys, pair):
    assert main(["journal", "retry", "--config", str(config), "--as", pair]) == 2
    assert "expected CLOUD=ENTRY" in capsys.readouterr().err


def test_without_clouds_yaml_the_operator_is_asked_for_it(config, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    assert main(["journal", "retry", "--config", str(config)]) == 2
    assert "--clouds-yaml" in capsys.readouterr().err

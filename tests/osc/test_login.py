"""Signing in with an entry of clouds.yaml: when a token is fetched, and what an error may say."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions as keystone
from openstack.exceptions import ConfigException

from oidproxy.osc.carry import Carried
from oidproxy.osc.carrying import Tokens
from oidproxy.osc.login import Login


class Session:
    """What the SDK makes of an entry: keystoneauth itself keeps the token while it is alive."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def get_token(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def signed_in(monkeypatch, session) -> list[str]:
    """Let every entry give this session; the list tells how often one was made."""
    made: list[str] = []

    def found(self):
        made.append(self._entry)
        time.sleep(0.02)
        return session

    monkeypatch.setattr(Login, "_found", found)
    return made


def test_one_session_for_all_requests_and_a_new_token_when_the_old_one_ends(monkeypatch):
    made = signed_in(monkeypatch, Session("first", "second"))
    login = Login("edge-2", None)
    assert [login.token(), login.token()] == ["first", "second"]
    assert made == ["edge-2"]


def test_threads_share_one_login(monkeypatch):
    made = signed_in(monkeypatch, Session("t"))
    login, start = Login("edge-2", None), threading.Barrier(6)

    def ask(_):
        start.wait()
        return login.token()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == ["t"] * 6
    assert made == ["edge-2"]


def test_the_header_names_clouds_and_not_entries(monkeypatch):
    signed_in(monkeypatch, Session("t"))
    tokens = Tokens([Carried("edge-2", "mine"), Carried("東京", "other"), Carried('a"b', "c")], None)
    wire = tokens.header_value().encode("latin-1").decode()
    assert wire == r'edge-2=t, "東京"=t, "a\"b"=t'


@pytest.mark.parametrize("token", [None, "", "a b", "a,b=c", "a\r\nX-Evil: 1", "a;b", '"a"', "é", b"t"])
def test_what_is_no_token_is_not_sent(monkeypatch, token):
    signed_in(monkeypatch, Session(token))
    with pytest.raises(ConfigException, match="gives no token") as refused:
        Login("edge-2", None).token()
    assert "Evil" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (keystone.Unauthorized("secret"), "its Keystone answers HTTP 401;"),
        (keystone.BadRequest("'secret' is not of type 'string'"), "its Keystone answers HTTP 400;"),
        (keystone.ConnectFailure("Unable to establish connection to http://k"), "connection to http://k;"),
        (ConfigException("Problem with auth parameters"), "Problem with auth parameters;"),
        (ValueError("secret"), "ValueError;"),
    ],
)
def test_a_failure_says_what_may_be_said(monkeypatch, error, shown):
    signed_in(monkeypatch, Session(error))
    with pytest.raises(ConfigException) as refused:
        Login("edge-2", None).token()
    assert shown in str(refused.value)
    assert "`openstack --os-cloud edge-2 token issue` has to work" in str(refused.value)
    assert "secret" not in str(refused.value)
    # A traceback shows a cause; none is left to show.
    assert refused.value.__suppress_context__


def test_after_a_failure_the_next_request_may_succeed(monkeypatch):
    signed_in(monkeypatch, Session(keystone.ConnectFailure("down"), "t"))
    login = Login("edge-2", None)
    with pytest.raises(ConfigException):
        login.token()
    assert login.token() == "t"


def beside(tmp_path, **others) -> SimpleNamespace:
    """The configuration of the command's own cloud."""
    known = {"_config_files": [str(tmp_path / "clouds.yaml")], "_secure_files": [], "_vendor_files": []}
    return SimpleNamespace(**{**known, "_pw_callback": None, **others})


def test_without_any_clouds_yaml(tmp_path):
    with pytest.raises(ConfigException, match=r"no clouds\.yaml was found"):
        Login("defaults", beside(tmp_path)).token()


def test_a_broken_file_is_not_quoted(tmp_path):
    (tmp_path / "clouds.yaml").write_text("clouds: {edge-2: {auth: {password: 'secret\n")
    with pytest.raises(ConfigException, match="edge-2") as refused:
        Login("edge-2", beside(tmp_path)).token()
    assert "secret" not in str(refused.value)


def test_a_question_says_which_entry_it_is_for(tmp_path):
    (tmp_path / "clouds.yaml").write_text(
        "clouds: {edge-2: {auth: {auth_url: 'http://127.0.0.1:1/v3', username: bob}, auth_type: v3password}}"
    )
    asked: list[str] = []

    def ask(prompt):
        asked.append(prompt)
        return "secret"

    with pytest.raises(ConfigException) as refused:
        Login("edge-2", beside(tmp_path, _pw_callback=ask)).token()
    assert asked == ["edge-2: Password: "]
    assert "secret" not in str(refused.value)

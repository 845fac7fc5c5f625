"""Replaying against a cloud of its own: ids, order, accounts, scopes, what cannot be sent, and stopping."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web

from oidproxy.errors import ConfigError
from oidproxy.trace.replaying import resuming
from oidproxy.trace.replaying.settings import Login, Logins
from oidproxy.trace.results.folder import Results
from oidproxy.trace.results.table import STOPPED
from oidproxy.trace.whatif.scopes import scope_map
from tests.trace.lines import MILLISECOND, line, numbered, uuid
from tests.trace.replaying.cloud import FakeCloud
from tests.trace.replaying.rig import part, replay
from tests.trace.results.outcomes import manifest


@pytest.fixture
async def cloud():
    async with FakeCloud().running() as running:
        yield running


def boot(number=1, **more):
    body = {"server": {"name": f"s{number}"}}
    return line("POST", "/v2.1/servers", status=202, made=[uuid(number)], request_body=body, **more)


def show(number=1, method="GET", status=200, **more):
    path, template = f"/v2.1/servers/{uuid(number)}", "/v2.1/servers/{server_id}"
    return line(method, path, status=status, used=[uuid(number)], template=template, **more)


async def test_ids_are_those_of_the_answers_and_statuses_the_recorded_ones(cloud):
    lines = numbered([boot(1), boot(2), show(1), show(2), show(1, "DELETE", 204), show(1, status=404)])
    outcomes, _ = await replay(cloud, lines)
    assert (
        [one.status for one in outcomes]
        == [one.recorded_status for one in outcomes]
        == [202, 202, 200, 200, 204, 404]
    )
    assert not any(one.unmatched for one in outcomes)
    new = dict(zip((1, 2), list(map(uuid, (1001, 1002))), strict=True))
    assert f"GET /compute/v2.1/servers/{new[2]}" in cloud.calls
    assert not any(uuid(n) in call for n in (1, 2) for call in cloud.calls)


async def test_a_call_waits_for_the_id_that_it_uses_and_nothing_else_does(cloud):
    cloud.gate.clear()
    lines = numbered([boot(1), show(1), line(), line()])

    def arrived(_request):
        # All that can be sent is there: the create and both lists, in spite of the silence.
        if len(cloud.asked) == 3:
            assert cloud.calls[0].startswith("POST")
            cloud.gate.set()

    cloud.on_request = arrived
    outcomes, _ = await replay(cloud, lines)
    assert [one.status for one in outcomes] == [202, 200, 200, 200]
    assert cloud.calls[3] == f"GET /compute/v2.1/servers/{uuid(1001)}"
    assert outcomes[1].waited_ns > 0
    assert outcomes[1].sent_ns >= outcomes[0].done_ns
    assert outcomes[2].waited_ns == 0


async def test_waiting_for_an_id_is_bounded(cloud):
    cloud.gate.clear()
    task = asyncio.create_task(replay(cloud, numbered([boot(1), show(1)]), patience=0.05))
    while not cloud.asked:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    cloud.gate.set()
    outcomes, _ = await task
    assert "request 0 was not answered in time" in outcomes[1].unmatched


async def test_who_cannot_be_matched_is_counted_and_not_sent(cloud):
    lines = numbered([show(7, "DELETE", 204), line(service="image"), line(service="dns", path="/v2/zones")])
    outcomes, one = await replay(cloud, lines)
    assert "nothing here is known to be its counterpart" in outcomes[0].unmatched
    assert outcomes[1].unmatched == (
        "image: a replay sends to other machines only where that is asked for: --allow-host images.example"
    )
    assert outcomes[2].unmatched == "dns: the catalog here has none"
    assert not any(call.startswith("DELETE") for call in cloud.calls)
    assert one.progress.unmatched == one.progress.done == 3


@pytest.mark.parametrize("path", ["@{0}/v2.1/servers", "@{0}/v3/auth/tokens", ".{0}/v2.1/servers"])
async def test_a_path_that_would_be_another_hosts_is_not_sent(cloud, path):
    """`http://127.0.0.1:9292` and `@elsewhere/…` behind it would lead elsewhere."""
    async with FakeCloud().running() as elsewhere:
        address = elsewhere.url.removeprefix("http://")
        lines = numbered(
            [line("POST", path.format(address), service=service) for service in ("bare", "identity")]
        )
        outcomes, _ = await replay(cloud, lines)
    assert [one.unmatched for one in outcomes] == ["its path does not begin with a slash"] * 2
    assert not elsewhere.asked
    assert not elsewhere.logins


async def test_a_login_follows_no_redirection(cloud, monkeypatch):
    """It would take the password to a host that nobody allowed."""
    async with FakeCloud().running() as elsewhere:

        async def away(self, request):
            if self is elsewhere:
                return await real(self, request)
            raise web.HTTPPermanentRedirect(f"{elsewhere.url}{request.path}")

        real = FakeCloud._login
        monkeypatch.setattr(FakeCloud, "_login", away)
        with pytest.raises(ConfigError, match="answers 308"):
            await replay(cloud, [line()])
    assert not elsewhere.logins


async def test_something_of_before_stands_in_for_what_is_only_read(cloud):
    cloud.servers[uuid(555)] = "ACTIVE"
    otherwise = cloud.answer

    def listing(request):
        if request.path.endswith("/servers"):
            return web.json_response({"servers": [{"id": uuid(555), "name": "x"}]})
        return otherwise(request)

    cloud.answer = listing
    outcomes, _ = await replay(cloud, numbered([show(7)]))
    assert (outcomes[0].status, outcomes[0].made_up) == (200, ("id",))
    assert cloud.calls == ["GET /compute/v2.1/servers", f"GET /compute/v2.1/servers/{uuid(555)}"]


class TestAccounts:
    async def test_each_user_signs_in_once_for_each_scope_and_no_token_of_the_trace_is_sent(self, cloud):
        lines = numbered([line(user="a"), line(user="a"), line(user="b"), line(user="a", scope="compute:x")])
        await replay(cloud, lines)
        assert sorted(scope for scope, _ in cloud.logins) == ["", "", "compute:x"]
        tokens = [one.headers["X-Auth-Token"] for one in cloud.asked]
        assert tokens[0] == tokens[1]
        assert len(set(tokens)) == 3
        assert [one.headers.get("X-Scope") for one in cloud.asked].count("compute:x") == 1

    async def test_users_and_homes_have_accounts_of_their_own(self, cloud):
        logins = Logins(
            Login(f"{cloud.url}/identity/v3", b'{"who": "default"}'),
            {"u2": Login(f"{cloud.url}/identity", b'{"who": "second"}')},
            {"paris": Login(f"{cloud.url}/identity/v3/", b'{"who": "parisian"}')},
        )
        lines = numbered([line(user="u1"), line(user="u2", home="paris"), line(user="u3", home="paris")])
        one = part(cloud, lines)
        one.settings = replace(one.settings, logins=logins)
        start = asyncio.Event()
        await one.run(lambda _: None, start.set, start)
        assert [body["who"] for _, body in cloud.logins] == ["default", "second", "parisian"]

    async def test_recorded_logins_are_sent_with_the_account_and_told_as_made_up(self, cloud):
        login = line("POST", "/v3/auth/tokens", service="identity", user="", status=201)
        outcomes, _ = await replay(cloud, numbered([login]))
        assert (outcomes[0].status, outcomes[0].made_up) == (201, ("token",))
        assert cloud.logins[-1][1] == {"auth": "secret-1"}

    async def test_a_scope_that_refuses_logins_is_still_sent_with_the_requests(self, cloud):
        cloud.refuses_scopes = {"compute:none"}
        outcomes, _ = await replay(cloud, numbered([line(scope="compute:none")]))
        assert outcomes[0].status == 200
        assert cloud.asked[0].headers["X-Scope"] == "compute:none"

    async def test_nobody_being_able_to_sign_in_is_an_error(self, cloud):
        cloud.refuses_scopes = {""}
        with pytest.raises(ConfigError, match=r"nobody could sign in: .* answers 400"):
            await replay(cloud, numbered([line()]))

    async def test_another_machine_is_refused_before_a_password_leaves(self, cloud):
        one = part(cloud, numbered([line()]))
        one.settings = replace(one.settings, logins=Logins(Login("http://cloud.example:5000/v3", b"{}")))
        start = asyncio.Event()
        with pytest.raises(ConfigError, match=r"--allow-host cloud\.example"):
            await one.run(lambda _: None, start.set, start)

    async def test_a_token_that_is_revoked_is_one_that_nobody_else_uses(self, cloud):
        lines = numbered([line("DELETE", "/v3/auth/tokens", service="identity"), line()])
        await replay(cloud, lines)
        revoked = next(one for one in cloud.asked if one.method == "DELETE")
        assert revoked.headers["X-Subject-Token"] != revoked.headers["X-Auth-Token"]
        assert cloud.asked[-1].headers["X-Auth-Token"] == revoked.headers["X-Auth-Token"]


class TestScopes:
    async def test_a_scope_takes_the_place_of_the_recorded_ones_and_the_proxy_says_who_serves(self, cloud):
        lines = numbered([line(scope="compute:cloud-1", cloud="cloud-1", clouds=["cloud-1"])])
        outcomes, _ = await replay(cloud, lines, scope="compute:cloud-9")
        assert cloud.asked[0].headers["X-Scope"] == "compute:cloud-9"
        assert {scope for scope, _ in cloud.logins} == {"compute:cloud-9"}
        assert outcomes[0].cloud == "cloud-9"

    async def test_maps_change_them(self, cloud):
        lines = numbered([line(scope="compute:cloud-1;image:cloud-2")])
        await replay(cloud, lines, maps=(scope_map("image:* -> nearest(@fr)"),))
        assert cloud.asked[0].headers["X-Scope"] == "compute:cloud-1;image:nearest(@fr)"

    async def test_otherwise_clouds_are_those_of_the_trace(self, cloud):
        outcomes, _ = await replay(cloud, numbered([line(cloud="paris", home="rennes", clouds=["paris"])]))
        assert (outcomes[0].cloud, outcomes[0].clouds) == ("paris", ("paris",))
        assert outcomes[0].moved == (("paris", "rennes", outcomes[0].bytes_out),)
        assert "X-Scope-Explain" not in cloud.asked[0].headers


class TestWhatIsSent:
    async def test_bodies_and_microversions(self, cloud):
        change = line("PUT", "/v2.1/os-x", request_body={"a": [1]}, microversion="compute 2.90")
        await replay(cloud, numbered([change]))
        assert cloud.asked[0].headers["OpenStack-API-Version"] == "compute 2.90"
        assert cloud.asked[0].headers["Content-Type"] == "application/json"
        assert json.loads(cloud.bodies[0]) == {"a": [1]}

    async def test_uploads_have_as_many_bytes_and_are_the_same_for_one_seed(self, cloud):
        path = f"/v1/AUTH_{uuid(3).replace('-', '')}/box/thing"
        upload = line("PUT", path, service="object-store", bytes_in=150_000)
        outcomes, _ = await replay(cloud, numbered([upload]))
        await replay(cloud, numbered([upload]))
        assert cloud.calls[0] == "PUT /object/v1/AUTH_project-now/box/thing"
        assert len(cloud.bodies[0]) == outcomes[0].bytes_in == 150_000
        assert cloud.bodies[0] == cloud.bodies[1]
        assert outcomes[0].made_up == ("data",)

    async def test_redirects_are_answers(self, cloud):
        cloud.answer = lambda request: web.Response(status=300, headers={"Location": "/elsewhere"})
        outcomes, _ = await replay(cloud, numbered([line(status=300)]))
        assert outcomes[0].status == 300
        assert len(cloud.asked) == 1

    async def test_no_answer_is_an_outcome_with_a_reason(self, cloud):
        def closed(request):
            request.transport.close()
            return web.Response()

        cloud.answer = closed
        outcomes, _ = await replay(cloud, numbered([boot(1), show(1)]))
        assert (outcomes[0].status, outcomes[0].error) == (0, "disconnected")
        assert "got no answer (disconnected)" in outcomes[1].unmatched

    async def test_a_slow_answer_is_given_up(self, cloud):
        cloud.gate.clear()
        outcomes, _ = await replay(cloud, numbered([line()]), timeout=0.1)
        assert (outcomes[0].status, outcomes[0].error) == (0, "timeout")
        assert outcomes[0].done_ns - outcomes[0].intended_ns >= 100 * MILLISECOND

    async def test_too_few_connections_are_told(self, cloud):
        cloud.gate.clear()
        task = asyncio.create_task(replay(cloud, numbered([line(), line(), line()]), connections=1))
        while not cloud.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        cloud.gate.set()
        _, one = await task
        assert one.saturated == ["2 requests waited for one of 1 connections (--connections)"]


class TestLoops:
    async def test_each_makes_its_own_under_names_of_its_own(self, cloud):
        outcomes, one = await replay(cloud, numbered([boot(1), show(1)]), loops=3, speed=100.0)
        assert [outcome.loop for outcome in outcomes] == [0, 0, 1, 1, 2, 2]
        assert [outcome.status for outcome in outcomes] == [202, 200] * 3
        names = [json.loads(body)["server"]["name"] for body in cloud.bodies.values() if body]
        assert names == ["s1", "s1-1", "s1-2"]
        assert [one.remappings[n].learned[uuid(1)] for n in range(3)] == list(map(uuid, (1001, 1002, 1003)))


class TestStopping:
    async def test_what_was_done_is_kept_and_a_later_run_goes_on_with_its_ids(self, cloud, tmp_path):
        lines = numbered(
            [boot(1), line(), line(at=3_600_000 * MILLISECOND), show(1, at=3_600_001 * MILLISECOND)]
        )
        one = part(cloud, lines)
        results, start = Results(tmp_path, manifest()), asyncio.Event()
        task = asyncio.create_task(one.run(results.add, start.set, start))
        while one.progress.done < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        results.close(pictures=False)
        resuming.write_state(tmp_path, one.remappings)
        assert "token" not in (tmp_path / resuming.STATE).read_text()
        assert (tmp_path / resuming.STATE).stat().st_mode & 0o777 == 0o600

        table, before = resuming.read_outcomes(tmp_path)
        assert [outcome.n for outcome in before] == [0, 1]
        done = resuming.done(table)
        assert done == {0: frozenset({0, 1})}
        asked = len(cloud.asked)
        begins = one.schedule.intended(lines[2].at)
        outcomes, _ = await replay(
            cloud, lines, done=done, learned=resuming.read_state(tmp_path), begins=begins
        )
        assert [(outcome.n, outcome.status) for outcome in outcomes] == [(2, 200), (3, 200)]
        assert outcomes[0].intended_ns == begins
        assert cloud.calls[asked:] == ["GET /compute/v2.1/servers", f"GET /compute/v2.1/servers/{uuid(1001)}"]

    async def test_what_is_under_way_gets_its_time_and_then_counts_as_stopped(self, cloud, monkeypatch):
        from oidproxy.trace.replaying import running

        monkeypatch.setattr(running, "GRACE", 0.05)
        cloud.gate.clear()
        outcomes, start = [], asyncio.Event()
        task = asyncio.create_task(part(cloud, numbered([line()])).run(outcomes.append, start.set, start))
        while not cloud.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [(one.status, one.error) for one in outcomes] == [(0, STOPPED)]

    def test_another_trace_or_other_options_are_not_gone_on_with(self, tmp_path):
        Results(tmp_path, manifest(trace_digest="a", config_digest="b")).close(pictures=False)
        assert resuming.check(tmp_path, manifest(trace_digest="a", config_digest="b"))
        with pytest.raises(ConfigError, match="another trace"):
            resuming.check(tmp_path, manifest(trace_digest="x", config_digest="b"))
        with pytest.raises(ConfigError, match="another options"):
            resuming.check(tmp_path, manifest(trace_digest="a", config_digest="x"))


async def test_a_fault_of_the_sender_ends_the_replay_rather_than_look_like_silence(cloud, monkeypatch):
    from oidproxy.trace.remapping import Remapping

    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Remapping, "answered", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        await replay(cloud, numbered([line(), line()]))

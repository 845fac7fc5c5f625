"""The requests: as many as wanted, as long as real ones, and the same for everybody."""

from __future__ import annotations

import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.http.parse import request_head
from oidproxy.routing.decide import decide
from oidproxy.routing.decision import Arrival, Forward, Snapshot
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.sealed import unseal
from tests.bench import answers, haproxy, nginx, ours
from tests.bench.candidates import ALL, CARRIERS, LEAN, OURS, PROTOTYPE
from tests.bench.layout import CLOUDS, PROXY_HOST, SERVICES, cloud
from tests.bench.traffic import calls, json_scope


@pytest.fixture(scope="module")
def asked():
    return calls(CLOUDS)


def _fields(request):
    lines = request.decode().split("\r\n")[1:-2]
    return dict(line.split(": ", 1) for line in lines)


def test_there_are_a_thousand_tokens_256_scopes_and_ten_thousand_urls(asked):
    assert len({call.token for call in asked}) == 1_000
    assert len({call.scope for call in asked}) == 256
    assert len({call.path for call in asked}) == len(asked) == 10_000


def test_scopes_come_in_both_ways_and_every_cloud_is_asked(asked):
    assert 4_000 < sum(call.in_header for call in asked) < 6_000
    assert {call.cloud for call in asked} == set(range(1, CLOUDS + 1))


def test_requests_are_the_same_in_every_run():
    assert calls(CLOUDS, 50) == calls(CLOUDS, 50)


@pytest.mark.parametrize("candidate", ALL, ids=lambda one: one.name)
def test_requests_have_fifteen_fields(asked, candidate):
    assert {len(_fields(request)) for request in candidate.requests(asked[:40])} == {15}


def test_tokens_have_200_characters_with_the_envelope_that_they_are_issued_with(asked):
    requests = OURS.requests(asked[:40])
    issued = [
        _fields(request)["X-Auth-Token"]
        for call, request in zip(asked, requests, strict=False)
        if call.in_header
    ]
    assert {len(token) for token in issued} == {200}
    assert {unseal(token)[1] for token in issued} == {cloud(1)}


def test_but_for_host_and_token_everybody_is_asked_the_same(asked):
    first, *others = [
        [
            (request.split(b"\r\n")[0], {**_fields(request), "Host": "", "X-Auth-Token": ""})
            for request in candidate.requests(asked[:40])
        ]
        for candidate in ALL
    ]
    assert all(other == first for other in others)


def test_answers_are_of_one_length_with_twenty_fields():
    assert len(answers.FIELDS) + 5 == 20
    assert {len(answers.body(number, service)) for number in (1, 10) for service in SERVICES} == {
        answers.BODY
    }


def test_answers_hold_nothing_that_nginx_would_take_for_a_variable_or_an_end():
    assert not set("$'\\") & set(
        "".join(answers.body(number, service) for number in (1, 10) for service in SERVICES)
    )


# What is measured is what this proxy decides.


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    path = folder / "oidproxy.yaml"
    path.write_text(ours.configuration(folder, OURS.port))
    registry = load(path)
    return Snapshot(registry, Keyring(registry.fleet_keys), 1)


@pytest.mark.parametrize("candidate", [OURS, *CARRIERS], ids=lambda one: one.name)
def test_our_configuration_sends_every_request_to_the_cloud_that_is_meant(asked, snapshot, candidate):
    listener = snapshot.registry.listeners[0]
    arrival = Arrival(listener, OURS.port, "127.0.0.1")
    sample = asked[:300]
    for call, request in zip(sample, candidate.requests(sample), strict=True):
        decision = decide(request_head(request, snapshot.registry.limits), arrival, snapshot, 0.0)
        assert isinstance(decision, Forward)
        assert decision.route.cloud == cloud(call.cloud)
        assert decision.route.service_type == call.service
        assert decision.route.target.decode() == call.path
        assert decision.token.token == call.token


def test_the_large_registry_has_as_many_clouds(tmp_path):
    path = tmp_path / "oidproxy.yaml"
    path.write_text(ours.configuration(tmp_path, 9022, 300))
    registry = load(path)
    assert len(registry.clouds) == 301
    assert len(registry.index) == 300 * (len(SERVICES) + 1) + len(SERVICES) + 1


# The others' configurations know the same clouds.


def test_haproxy_has_a_backend_for_everything_that_its_lua_may_name(tmp_path):
    text = haproxy.configuration(tmp_path, "lean", LEAN.port)
    for number in range(1, CLOUDS + 1):
        for service in SERVICES:
            assert f"backend {cloud(number)}_{service}_public\n" in text


def test_the_local_cloud_stands_in_the_middle_of_luas_list():
    rows = haproxy.services(PROTOTYPE.port).splitlines()
    local = [number for number, row in enumerate(rows) if f"{PROXY_HOST}:{PROTOTYPE.port}/" in row]
    assert len(local) == len(haproxy.INTERFACES) * (len(SERVICES) + 1)
    assert 0.35 < local[0] / len(rows) < local[-1] / len(rows) < 0.65


def test_nginx_maps_every_scope(asked, tmp_path):
    text = nginx.configuration(tmp_path, 9002, name="nginx-map", maps=True)
    assert all(f"'{json_scope(scope)}' " in text for scope in {call.scope for call in asked})

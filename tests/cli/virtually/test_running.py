"""The proxy's own code in virtual time: what a what-if shows is what serving would do."""

from __future__ import annotations

import pytest

from oidproxy.errors import ConfigError
from oidproxy.manyclouds import falling
from tests.trace.virtual.rig import SECOND, line, replayed, written

IMAGE = "0d6a0c3c-9a0e-4a51-9f2e-0b9a3a1d5c11"
NETWORK = "7b1f5a52-3d0e-4b63-8d3c-5a4a8f0f2a10"
RTT = """
default_delay: 20ms
constraints:
  - {src: cloud-1, dst: cloud-3, delay: 5ms, symmetric: true, rate: 100mbit}
"""
SLOW = {"service_time": 0.010}


@pytest.fixture
def rtt(tmp_path):
    path = tmp_path / "rtt.yaml"
    path.write_text(RTT)
    return str(path)


def test_every_request_comes_through_with_its_recorded_status(tmp_path):
    trace = written(
        tmp_path,
        [
            line(0, 0, "/v2/images"),
            line(1, 1, f"/v2/images/{IMAGE}", used=[IMAGE]),
            line(2, 2, "/v2/images/no-such-image", status=404),
            line(3, 3, "/v3/auth/tokens", method="POST", service="identity", status=201, user=""),
            line(4, 4, "/v3/auth/tokens", service="identity"),
            line(5, 5, f"/v2/images/{IMAGE}", method="HEAD"),
            line(6, 6, "/v2.1/servers/detail", service="compute", scope="compute:cloud-2"),
        ],
    )
    found = replayed(trace)
    assert [one.status for one in found] == [one.recorded_status for one in found]
    assert [one.cloud for one in found] == ["cloud-1"] * 6 + ["cloud-2"]
    assert not any(one.error or one.unmatched for one in found)


def test_latency_is_service_time_and_round_trips_and_nothing_else(tmp_path, rtt):
    reads = [line(n, n, "/v2/images", scope="image:cloud-2") for n in range(3)]
    found = replayed(written(tmp_path, reads), rtt=rtt, **SLOW)
    # The first one makes a connection, after the home said whose token it is.
    times = [one.done_ns - one.intended_ns for one in found]
    assert times[1] == times[2] == pytest.approx(0.050 * SECOND, abs=1000)
    assert times[0] == pytest.approx((0.050 + 0.040 + 0.010) * SECOND, rel=0.2)
    assert all(one.moved == (("cloud-2", "cloud-1", one.bytes_out),) for one in found)


def test_a_mapped_scope_goes_where_the_round_trips_say(tmp_path, rtt):
    trace = written(tmp_path, [line(0, 0, "/v2/images", scope="image:cloud-2")])
    assert replayed(trace, rtt=rtt, maps=("image:* -> nearest(cloud-2&cloud-3)",))[0].cloud == "cloud-3"


def test_an_outage_shows_as_errors_and_the_endpoint_is_ejected_and_comes_back(tmp_path):
    reads = [line(n, n, "/v2/images", scope="image:cloud-2") for n in range(60)]
    found = replayed(written(tmp_path, reads), outages=("cloud-2@10s..20s",))
    assert [one.error for one in found[:10]] == [""] * 10
    assert found[10].error == "connect-refused"
    assert found[16].error == "ejected"
    assert found[16].cloud == "cloud-2"
    assert found[59].status == 200


def test_silence_costs_the_time_to_connect(tmp_path):
    trace = written(tmp_path, [line(0, 10, "/v2/images", scope="image:cloud-2"), line(1, 99, "/v2/images")])
    found = replayed(trace, outages=("cloud-2@0s..60s:silent",))
    assert (found[0].status, found[0].error) == (504, "connect-timeout")
    assert found[0].done_ns - found[0].intended_ns >= 5 * SECOND
    assert found[1].status == 200


def fallback(tmp_path):
    trace = written(tmp_path, [line(n, n, "/v2/images", scope="image:cloud-2|cloud-3") for n in range(4)])
    return replayed(trace, outages=("cloud-2@1500ms..1h",))


def test_a_fallback_is_served_by_the_next_cloud(tmp_path):
    found = fallback(tmp_path)
    assert [one.cloud for one in found] == ["cloud-2", "cloud-2", "cloud-3", "cloud-3"]
    assert {one.status for one in found} == {200}


def test_a_bug_planted_in_fallback_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(falling, "_moves_on", lambda kind, last: False)
    found = fallback(tmp_path)
    assert [one.status for one in found] == [200, 200, 502, 502]
    assert found[2].error == "connect-refused"


def test_a_union_asks_all_and_moves_the_bytes_of_all_others(tmp_path):
    names = ["cloud-1", "cloud-2", "cloud-3"]
    lines = [line(n, n, "/v2/images", scope="image:*", asked=names, bytes_out=27_000) for n in range(2)]
    found = replayed(written(tmp_path, lines), outages=("cloud-3@500ms..10s",))
    assert set(found[0].clouds) == {*names}
    assert sorted(source for source, _, _ in found[0].moved) == ["cloud-2", "cloud-3"]
    assert found[0].bytes_out == pytest.approx(27_000, rel=0.1)
    assert set(found[1].clouds) == {"cloud-1", "cloud-2"}
    assert found[1].status == 200


def test_data_takes_the_time_of_all_its_bytes_and_few_of_them_are_sent(tmp_path, rtt):
    big = {"template": "/v2/images/{image_id}/file", "used": [IMAGE], "bytes_out": 300_000_000}
    trace = written(tmp_path, [line(0, 0, f"/v2/images/{IMAGE}/file", scope="image:cloud-3", **big)])
    one = replayed(trace, rtt=rtt, **SLOW)[0]
    assert one.bytes_out == 300_000_000
    assert one.done_ns - one.intended_ns == pytest.approx(24 * SECOND, rel=0.01)
    assert one.moved == (("cloud-3", "cloud-1", 300_000_000),)


def test_an_upload_likewise(tmp_path, rtt):
    put = {"method": "PUT", "status": 204, "bytes_in": 100_000_000, "bytes_out": 0, "used": [IMAGE]}
    trace = written(tmp_path, [line(0, 0, f"/v2/images/{IMAGE}/file", scope="image:cloud-3", **put)])
    one = replayed(trace, rtt=rtt, **SLOW)[0]
    assert one.status == 204
    assert one.done_ns - one.intended_ns == pytest.approx(8 * SECOND, rel=0.02)


def network(n, at, method="GET", status=200, **more):
    path = "/v2.0/networks" if method == "POST" else f"/v2.0/networks/{NETWORK}"
    ids = {"made": [NETWORK]} if method == "POST" else {"used": [NETWORK]}
    return line(n, at, path, method=method, service="network", status=status, **ids, **more)


def test_what_is_made_has_another_id_here_and_is_found_where_it_was_made_alone(tmp_path):
    life = [
        network(0, 0.0, "POST", 201, scope="network:cloud-2"),
        network(1, 0.001, scope="network:cloud-2"),
        network(2, 1, scope="network:cloud-3"),
        network(3, 2, scope="network:*"),
        network(4, 3, "DELETE", 204, scope="network:cloud-2"),
        network(5, 4, "GET", 404, scope="network:cloud-2"),
    ]
    found = replayed(written(tmp_path, life))
    assert [one.status for one in found] == [201, 200, 404, 200, 204, 404]
    # It was to be sent before the answer came that told its id.
    assert found[1].sent_ns >= found[0].done_ns
    assert found[1].waited_ns == found[1].sent_ns - found[1].intended_ns > 0
    assert not any(one.unmatched for one in found)


def test_what_was_not_made_is_not_asked_for(tmp_path):
    life = [network(0, 5, "POST", 201, scope="network:cloud-2"), network(1, 9, scope="network:cloud-2")]
    found = replayed(written(tmp_path, [line(9, 0, "/v2/images"), *life]), outages=("cloud-2@1s..20s",))
    assert found[0].status == 502
    assert "request 0, which makes it, was answered 502" in found[1].unmatched


def test_what_waits_for_what_cannot_be_made_is_not_asked_for_either(tmp_path):
    """A port of a server that was not made, and whoever uses the port."""
    server, port = IMAGE, NETWORK
    makes = {"method": "POST", "service": "compute", "status": 202, "bytes_in": 10}
    trace = written(
        tmp_path,
        [
            line(0, 0, "/v2.1/servers", made=[server], scope="compute:cloud-2", **makes),
            line(1, 5, "/v2.1/os-x", made=[port], used=[server], **makes),
            line(2, 6, f"/v2.1/os-x/{port}", service="compute", used=[port]),
        ],
    )
    found = replayed(trace, outages=("cloud-2@0s..60s",))
    assert [one.n for one in found] == [0, 1, 2]
    assert "request 0, which makes it, was answered 502" in found[1].unmatched
    assert "request 1, which makes it, was answered 0" in found[2].unmatched


def test_what_is_on_two_clouds_is_made_and_deleted_on_both(tmp_path):
    both = "network:cloud-2&cloud-3"
    life = [network(0, 0, "POST", 201, scope=both), network(1, 1, "DELETE", 204, scope=both)]
    found = replayed(written(tmp_path, life))
    assert [(one.status, set(one.clouds)) for one in found] == [
        (201, {"cloud-2", "cloud-3"}),
        (204, {"cloud-2", "cloud-3"}),
    ]


def test_speed_and_loops_change_when_and_not_what(tmp_path):
    trace = written(tmp_path, [network(0, 0, "POST", 201), network(1, 2), line(2, 4, "/v2/images")])
    twice = replayed(trace, speed=2.0, loops=2)
    assert [(one.n, one.loop, one.status) for one in twice] == [
        (0, 0, 201), (1, 0, 200), (2, 0, 200), (0, 1, 201), (1, 1, 200), (2, 1, 200),
    ]  # fmt: skip
    assert twice[2].intended_ns == 2 * SECOND


def test_a_configuration_says_which_clouds_there_are_and_the_gateway_serves_all(tmp_path):
    config = tmp_path / "oidproxy.yaml"
    config.write_text(
        f"local: paris\nfleet_keys: [{'ab' * 64}]\n"
        "clouds:\n"
        "  paris: {upstream: 127.0.1.1, groups: [fr]}\n"
        "  brest: {auth_url: 'https://brest.example:5000/v3', endpoints: {image: 'https://brest.example/image'},"
        " groups: [fr], admits: {paris: {roles: [member]}}}\n"
    )
    trace = written(tmp_path, [line(0, 0, "/v2/images", home="paris", scope="image:@fr", asked=["a", "b"])])
    one = replayed(trace, config=str(config))[0]
    assert (one.status, set(one.clouds)) == (200, {"paris", "brest"})


def test_a_service_that_nobody_serves_is_said_to_be_so(tmp_path):
    trace = written(tmp_path, [line(0, 0, "/v1/things", service="made-up")])
    assert replayed(trace)[0].unmatched == "no proxy here serves made-up to users of cloud-1"


def test_without_any_cloud_there_is_nothing_to_ask(tmp_path):
    trace = written(tmp_path, [line(0, 0, "/v2/images", home="")], clouds=0)
    with pytest.raises(ConfigError, match="no cloud is known"):
        replayed(trace)

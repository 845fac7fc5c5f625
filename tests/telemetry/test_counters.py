"""Counters: what they count, and that they stay small whatever is counted."""

from __future__ import annotations

import pickle

from oidproxy.telemetry.counters import OTHER, WITHIN, Counters, merged


def labels(**more):
    return tuple(sorted(more.items()))


def answered(counters, service="compute", cloud="cloud-1", status=200, seconds=0.02, bytes_in=1, bytes_out=2):
    counters.answered(service, cloud, status, bytes_in=bytes_in, bytes_out=bytes_out, seconds=seconds)


def test_requests_are_counted_by_service_cloud_and_class_of_status():
    counters = Counters()
    for status in (200, 204, 404, 503, 0, 999):
        answered(counters, status=status)
    assert counters.samples()["oidproxy_requests_total"] == {
        labels(cloud="cloud-1", service="compute", status="2xx"): 2,
        labels(cloud="cloud-1", service="compute", status="4xx"): 1,
        labels(cloud="cloud-1", service="compute", status="5xx"): 1,
        labels(cloud="cloud-1", service="compute", status="0xx"): 1,
        labels(cloud="cloud-1", service="compute", status=OTHER): 1,
    }


def test_bytes_and_seconds_are_summed_by_service():
    counters = Counters()
    answered(counters, bytes_in=10, bytes_out=100, seconds=0.5)
    answered(counters, cloud="cloud-2", bytes_in=1, bytes_out=2, seconds=0.25)
    samples = counters.samples()
    assert samples["oidproxy_request_bytes_total"] == {labels(service="compute"): 11}
    assert samples["oidproxy_answer_bytes_total"] == {labels(service="compute"): 102}
    assert samples["oidproxy_request_seconds_total"] == {labels(service="compute"): 0.75}


def test_durations_are_cumulative_as_prometheus_has_them():
    counters = Counters()
    for seconds in (0.001, 0.01, 0.5, 20, 1000):
        answered(counters, seconds=seconds)
    within = counters.samples()["oidproxy_requests_within_total"]
    bounds = [*map(str, WITHIN), "+Inf"]
    assert [within[labels(seconds=bound, service="compute")] for bound in bounds] == [2, 2, 3, 3, 4, 5]


def test_anything_else_has_a_name_and_labels():
    counters = Counters()
    counters.add("oidproxy_errors_total", labels(code="loop"))
    counters.add("oidproxy_errors_total", labels(code="loop"), 2)
    counters.add("oidproxy_reloads_total")
    samples = counters.samples()
    assert samples["oidproxy_errors_total"] == {labels(code="loop"): 3}
    assert samples["oidproxy_reloads_total"] == {(): 1}


def test_a_thousand_label_sets_too_many_are_one():
    counters = Counters(kept=10)
    for number in range(1000):
        answered(counters, service=f"s{number}", cloud=f"cloud-{number}")
        counters.add("oidproxy_errors_total", labels(code=str(number)))
    samples = counters.samples()
    requests = samples["oidproxy_requests_total"]
    assert len(requests) == 11
    assert requests[labels(cloud=OTHER, service=OTHER, status="2xx")] == 990
    assert sum(requests.values()) == 1000
    assert samples["oidproxy_errors_total"][labels(code=OTHER)] == 990
    sums = samples["oidproxy_request_bytes_total"]
    assert len(sums) == 11
    assert sum(sums.values()) == 1000


def test_samples_are_a_copy_that_travels_and_adds_up():
    one, two = Counters(), Counters()
    answered(one)
    answered(two, status=500)
    two.add("oidproxy_reloads_total")
    before = one.samples()
    answered(one)
    assert before["oidproxy_requests_total"][labels(cloud="cloud-1", service="compute", status="2xx")] == 1
    total = merged(pickle.loads(pickle.dumps(part.samples())) for part in (one, two))
    assert sum(total["oidproxy_requests_total"].values()) == 3
    assert total["oidproxy_answer_bytes_total"] == {labels(service="compute"): 6}
    assert total["oidproxy_reloads_total"] == {(): 1}
    assert merged([]) == {}

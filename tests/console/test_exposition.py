"""Counters as Prometheus reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from oidproxy.console.exposition import render

SAMPLES = {
    "oidproxy_requests_total": {
        (("cloud", "cloud-1"), ("status", "2xx")): 7,
        (("cloud", 'New "York"\n\\'), ("status", "5xx")): 1,
    },
    "oidproxy_connections": {(): 3},
}


def samples_of(text: bytes) -> set:
    families = text_string_to_metric_families(text.decode())
    return {
        (family.type, sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
    }


def test_a_total_is_a_counter_and_anything_else_a_gauge():
    text, content_type = render(lambda: SAMPLES, "text/plain")
    assert content_type.startswith("text/plain; version=")
    assert samples_of(text) == {
        ("counter", "oidproxy_requests_total", (("cloud", "cloud-1"), ("status", "2xx")), 7.0),
        ("counter", "oidproxy_requests_total", (("cloud", 'New "York"\n\\'), ("status", "5xx")), 1.0),
        ("gauge", "oidproxy_connections", (), 3.0),
    }


def test_openmetrics_for_those_who_ask():
    text, content_type = render(lambda: SAMPLES, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {sample.name for family in openmetrics(text.decode()) for sample in family.samples}
    assert names == {"oidproxy_requests_total", "oidproxy_connections"}


def test_a_label_that_one_sample_lacks_is_empty():
    text, _ = render(lambda: {"x_total": {(("a", "1"),): 1, (("b", "2"),): 2}}, "")
    assert samples_of(text) == {
        ("counter", "x_total", (("a", "1"), ("b", "")), 1.0),
        ("counter", "x_total", (("a", ""), ("b", "2")), 2.0),
    }


def test_counters_are_read_when_asked_and_only_then():
    read = []

    def counters():
        read.append(1)
        return {"x_total": {(): len(read)}}

    assert not read
    assert samples_of(render(counters, "")[0]) == {("counter", "x_total", (), 1.0)}
    assert samples_of(render(counters, "")[0]) == {("counter", "x_total", (), 2.0)}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=20), st.integers(0, 2**53), max_size=5
    )
)
def test_any_label_value_survives(values):
    samples = {"x_total": {(("cloud", cloud),): count for cloud, count in values.items()}}
    text, _ = render(lambda: samples, "")
    # Prometheus splits its text at line feeds only; the parser at hand splits at every line break of Unicode.
    lines = [line for line in text.decode().split("\n") if line and not line.startswith("#")]
    assert len(lines) == len(values)
    counts = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
    for cloud, count in values.items():
        escaped = cloud.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        assert counts[f'x_total{{cloud="{escaped}"}}'] == float(count)

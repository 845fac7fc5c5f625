"""Pictures of few clouds, of many and of none: axes have names and units, and curves a legend."""

from __future__ import annotations

import pytest

from oidproxy.trace.results.plots.all import PLOTS, draw
from oidproxy.trace.results.plots.drawing import size, style
from oidproxy.trace.results.table import Columns
from tests.trace.results.outcomes import outcomes


def table(clouds):
    columns = Columns()
    columns.extend(outcomes(20 * clouds, clouds) if clouds else [])
    return columns.table()


@pytest.mark.parametrize("clouds", [0, 50])
def test_all_are_drawn_without_a_warning(clouds, tmp_path):
    found = draw(table(clouds), tmp_path)
    assert [path.stem for path in found] == list(PLOTS)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)


@pytest.mark.parametrize("clouds", [3, 50])
@pytest.mark.parametrize("name", PLOTS)
def test_axes_are_named_with_units(name, clouds):
    with style():
        found = PLOTS[name](table(clouds))
    shown = [axes for axes in found.axes if axes.get_visible() and axes.axison]
    labels = [axes.get_xlabel() for axes in shown] + [axes.get_ylabel() for axes in shown]
    expected = {
        "latency": {"latency (ms)", "requests (%)"},
        "timeline": {"requests per second", "latency (ms)"},
        "errors": {"failed of a cloud's requests (%)"},
        "moved": {"to cloud", "from cloud"},
    }[name]
    assert expected <= set(labels)
    if name in {"timeline", "errors"}:
        assert any("since the start (s)" in one for one in labels)
    if name == "moved" and clouds == 50:
        assert any("bytes" in one for one in labels)


@pytest.mark.parametrize("clouds", [3, 50])
def test_clouds_are_in_a_legend(clouds):
    with style():
        found = PLOTS["latency"](table(clouds))
    legends = [*found.legends, *(axes.get_legend() for axes in found.axes if axes.get_legend())]
    texts = [text.get_text() for one in legends for text in one.get_texts()]
    if clouds == 3:
        assert texts == ["cloud-1", "cloud-2", "cloud-3"]
    else:
        assert "all together" in texts
        assert "each of 50 clouds" in texts
        assert sum("(slow)" in one for one in texts) == 6


def test_clouds_of_the_matrix_stand_in_their_order():
    with style():
        found = PLOTS["moved"](table(50))
    names = [text.get_text() for text in found.axes[0].get_yticklabels()]
    assert names == [f"cloud-{n + 1}" for n in range(50)]


def test_sizes_are_written_as_people_do():
    assert [size(one) for one in (0, 999, 1500, 12_345, 4.2e6, 5e15)] == [
        "0 B", "999 B", "1.5 kB", "12 kB", "4.2 MB", "5000 TB",
    ]  # fmt: skip

"""The published form is that of the types."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from oidproxy.trace.importing import mapping
from oidproxy.trace.line import STEPS, Header, Line
from oidproxy.trace.schema import schema
from oidproxy.trace.synthesizing import workload
from oidproxy.trace.synthesizing.operations import OPERATIONS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_published_schema_is_up_to_date():
    # Made by: oidproxy trace validate --schema > docs/trace.schema.json
    assert (DOCS / "trace.schema.json").read_bytes() == schema()


def test_it_knows_every_field_of_a_header_and_of_a_line():
    definitions = json.loads(schema())["$defs"]
    for kind in (Header, Line):
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        assert sorted(definitions[kind.__name__]["properties"]) == sorted(names)
    assert definitions["Line"]["required"] == ["at", "method", "path", "status"]


def test_the_files_that_the_page_shows_are_read(tmp_path):
    mapping_text, workload_text = re.findall(
        r"^```yaml\n(.*?)^```", (DOCS / "traces.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "mapping.yaml").write_text(mapping_text)
    (tmp_path / "workload.yaml").write_text(workload_text)
    assert mapping.read(tmp_path / "mapping.yaml").delimiter == ";"
    assert workload.read(tmp_path / "workload.yaml").users == 50


def test_the_page_tells_of_every_operation_and_column():
    page = (DOCS / "traces.md").read_text()
    assert [name for name in (*OPERATIONS, *mapping.FIELDS) if f"`{name}`" not in page] == []


def test_the_page_tells_of_every_field_and_step():
    page = (DOCS / "traces.md").read_text()
    for kind in (Header, Line):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in page, field.name
    for step in STEPS:
        assert f"`{step}`" in page, step

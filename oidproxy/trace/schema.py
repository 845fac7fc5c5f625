"""The published form as JSON Schema, made of the types that read and write it."""

from __future__ import annotations

import json

import msgspec

from oidproxy.trace.line import SCHEMA_VERSION, Header, Line

TITLE = f"A line of an oidproxy trace, version {SCHEMA_VERSION}"


def schema() -> bytes:
    """JSON Schema 2020-12 for one line of a trace's file: a header or a request."""
    (header, line), definitions = msgspec.json.schema_components(
        [Header, Line], ref_template="#/$defs/{name}"
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "description": "The first line of a file is a header, each other one a request.",
        "anyOf": [header, line],
        "$defs": definitions,
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()

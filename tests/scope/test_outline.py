"""The tree as JSON."""

from __future__ import annotations

import json

from oidproxy.scope.outline import outline
from oidproxy.scope.parse import parse
from tests.scope.corpus import valid


def test_every_kind_of_expression_has_its_outline():
    text = 'nova:a/"b c"|edge-*&*%@fr;glance:around(a/r,10ms)|nearest(a,3)|any(2,a);*:a&not(b)'
    assert outline(parse(text)) == {
        "scope": '*:a&not(b);compute:a/"b c"|edge-*&*%@fr;image:around(a/r,10ms)|nearest(a,3)|any(2,a)',
        "bindings": [
            {"service": "*", "clouds": {"all_of": [{"cloud": "a"}, {"not": {"cloud": "b"}}]}},
            {
                "service": "compute",
                "clouds": {
                    "first_of": [
                        {"cloud": "a", "region": "b c"},
                        {"all_of": [{"glob": "edge-*"}, {"cross": [{"glob": "*"}, {"group": "fr"}]}]},
                    ]
                },
            },
            {
                "service": "image",
                "clouds": {
                    "first_of": [
                        {"around": {"place": "a", "region": "r", "within_us": 10_000}},
                        {"nearest": {"count": 3, "of": {"cloud": "a"}}},
                        {"any": {"count": 2, "of": {"cloud": "a"}}},
                    ]
                },
            },
        ],
    }


def test_scopes_that_differ_have_outlines_that_differ():
    scopes = {parse(entry.canonical) for entry in valid()}
    bindings = {json.dumps(outline(scope)["bindings"]) for scope in scopes}
    assert len(bindings) == len(scopes)

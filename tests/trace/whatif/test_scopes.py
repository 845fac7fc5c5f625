"""Other scopes than the recorded ones."""

from __future__ import annotations

import pytest

from oidproxy.errors import ConfigError, ScopeError
from oidproxy.trace.whatif.scopes import Scopes, scope_map


def mapped(recorded: str, *maps: str, service: str = "image", scope: str | None = None) -> str:
    return Scopes(scope, tuple(map(scope_map, maps))).of(recorded, service)


def test_without_anything_to_change_scopes_stay_as_they_are():
    assert mapped("image:cloud-1") == "image:cloud-1"
    assert mapped("") == ""


def test_a_star_is_any_binding_and_none():
    rule = "image:* -> nearest(@fr)"
    assert mapped("image:cloud-1", rule) == "image:nearest(@fr)"
    assert mapped("", rule) == "image:nearest(@fr)"
    assert mapped("compute:a;image:b&c", rule) == "compute:a;image:nearest(@fr)"
    assert mapped("*:a", rule) == "*:a;image:nearest(@fr)"


def test_a_service_is_bound_in_requests_to_other_services_too_since_the_scope_travels():
    assert mapped("compute:a", "image:* -> b", service="compute") == "compute:a;image:b"


def test_a_cloud_a_glob_and_an_expression_are_replaced_where_they_stand():
    assert mapped("image:a", "image:a -> b|c") == "image:b|c"
    assert mapped("image:d", "image:a -> b") == "image:d"
    assert mapped("image:edge-7", "image:edge-* -> b") == "image:b"
    assert mapped("image:a&b", "image:a&b -> c") == "image:c"
    assert mapped("image:a&b", "image:a -> c") == "image:a&b"


def test_several_services_and_several_maps_go_one_after_the_other():
    assert mapped("", "nova+placement:* -> a") == "compute:a;placement:a"
    assert mapped("image:a", "image:a -> b", "image:b -> c") == "image:c"
    assert mapped("image:a;network:b", "*:* -> c") == "*:c;image:c;network:c"


def test_a_binding_for_every_service_is_what_holds_of_one_that_is_not_named():
    assert mapped("*:a", "image:a -> b") == "*:a;image:b"
    assert mapped("*:d", "image:a -> b") == "*:d"


def test_a_scope_takes_the_place_of_every_recorded_one():
    assert mapped("image:a", scope="*:b|c") == "*:b|c"
    assert mapped("image:a", scope="") == ""
    assert mapped("compute:x", "image:* -> d", scope="compute:a") == "compute:a;image:d"


def test_a_recorded_scope_that_nobody_can_read_is_sent_as_it_was():
    assert mapped("image:&&", "image:* -> b") == "image:&&"


@pytest.mark.parametrize("text", ["image:*", "image -> b", "image:* -> network:b", "image:a;network:b -> c"])
def test_what_is_no_map_is_refused_with_its_form(text):
    with pytest.raises(ConfigError, match=r"->"):
        scope_map(text)


def test_an_expression_that_cannot_be_read_is_a_scope_error():
    with pytest.raises(ScopeError):
        scope_map("image:* -> nearest(")

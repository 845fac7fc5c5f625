"""Who a token is, read from its home's answer."""

import pytest

from oidproxy.identity.subject import subject
from tests.tokens.bodies import FERNET, body, service_body


def test_it_has_the_names_of_keystones_answer():
    who = subject("cloud-1", body(), 5.0)
    assert (who.home, who.user_id, who.user_name, who.project_id) == ("cloud-1", "u-1", "demo", "p-1")
    assert who.roles == {"member", "reader"}
    assert who.expires == 1748775600
    assert who.chain == "q1XrC5n0Rm2vJvJ8N6l3Sg"
    assert not who.serves


def test_a_service_is_what_its_home_calls_one():
    assert subject("cloud-1", service_body(), 5.0).serves


def test_an_unscoped_token_has_no_project_and_no_roles():
    who = subject("cloud-1", body(project=None, roles=None), 5.0)
    assert who.project_id is None
    assert who.roles == frozenset()


def test_an_answer_of_any_shape_can_be_asked():
    who = subject("cloud-1", {"expires_at": "2025-06-01T11:00:00Z", "user": 1, "audit_ids": [1]}, 5.0)
    assert (who.user_id, who.user_name, who.project_id, who.chain) == ("", "", None, None)


def test_an_answer_without_an_end_is_no_subject():
    with pytest.raises(ValueError):
        subject("cloud-1", {}, 5.0)


def test_it_does_not_show_what_it_holds():
    assert FERNET not in repr(subject("cloud-1", body(extra=FERNET), 5.0))

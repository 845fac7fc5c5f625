"""Answers that are kept: for one question of one caller, so many at most, until something changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidproxy.sim.answers import KEPT, Answers, question
from oidproxy.sim.caller import Caller
from oidproxy.sim.messages import Request, Response

CALLER = Caller(token="t", user_id="u", project_id="p", roles=frozenset({"member"}))
FIELDS = {"host": "127.0.1.1:9292", "accept": "application/json", "x-openstack-request-id": "req-1"}
REQUEST = Request("GET", "/v2/images", (("limit", "5"),), FIELDS)


def changed(**fields: str) -> Request:
    return replace(
        REQUEST, fields={**FIELDS, **{name.replace("_", "-"): value for name, value in fields.items()}}
    )


def test_what_does_not_matter_to_an_answer_makes_no_other_question() -> None:
    first = question("glance", REQUEST, CALLER)
    assert first == question("glance", changed(x_openstack_request_id="req-2"), CALLER)
    assert first == question("glance", REQUEST, replace(CALLER, token="another", request_id="req-2"))


@pytest.mark.parametrize(
    ("service", "request_", "caller"),
    [
        ("nova", REQUEST, CALLER),
        ("glance", replace(REQUEST, method="HEAD"), CALLER),
        ("glance", replace(REQUEST, path="/v2/images/"), CALLER),
        ("glance", replace(REQUEST, query=()), CALLER),
        ("glance", changed(host="127.0.2.1:9292"), CALLER),
        ("glance", changed(openstack_api_version="compute 2.96"), CALLER),
        ("glance", REQUEST, replace(CALLER, user_id="v")),
        ("glance", REQUEST, replace(CALLER, project_id="q")),
        ("glance", REQUEST, replace(CALLER, roles=frozenset({"admin"}))),
        ("glance", REQUEST, replace(CALLER, system=True)),
    ],
)
def test_whatever_matters_makes_another_question(service: str, request_: Request, caller: Caller) -> None:
    assert question(service, request_, caller) != question("glance", REQUEST, CALLER)


def test_the_oldest_makes_room_and_nothing_stays_after_a_change() -> None:
    answers, response = Answers(), Response(200)
    for number in range(KEPT + 1):
        answers.keep(number, response)
    assert answers.get(0) is None
    assert answers.get(1) is answers.get(KEPT) is response
    answers.forget()
    assert answers.get(KEPT) is None

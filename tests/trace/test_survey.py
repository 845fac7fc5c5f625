"""What is read of a trace before it is replayed."""

from __future__ import annotations

from oidproxy.trace.kinds import IMAGE, SERVER
from oidproxy.trace.survey import PROXYS_OWN, SERVICES_OWN, replayed, survey
from tests.trace.lines import line, numbered, uuid


def test_what_services_call_among_each_other_is_no_part_of_it():
    lines = numbered(
        [
            line("POST", "/v3/auth/tokens", service="identity", user="", listener="cloud-1"),
            line(caller="nova@cloud-1"),
            line(path="/allocations/x", service="placement"),
            line("POST", "/v2.1/os-server-external-events"),
            line(path="/", service=""),
            line("POST", "/v3/auth/tokens", service="identity", user=""),
            line(),
        ]
    )
    found = survey(lines)
    assert found.left_out == {SERVICES_OWN: 4, PROXYS_OWN: 1}
    assert found.requests == 2
    assert [one.n for one in replayed(lines, {})] == [5, 6]
    assert (found.begins, found.ends) == (lines[5].at, lines[6].at)


def test_who_sends_and_what_was_there_before():
    made = line(
        "POST", "/v2.1/servers", status=202, made=[uuid(1)], request_body={"imageRef": uuid(7)}, home="a"
    )
    lines = numbered(
        [made, line(path=f"/v2.1/servers/{uuid(1)}"), line(path=f"/v2.1/servers/{uuid(2)}", user="u2")]
    )
    found = survey(lines)
    assert found.users == {("u1", ""): "a", ("u2", ""): ""}
    assert found.wanted == {("", IMAGE): "u1", ("", SERVER): "u2"}
    assert not found.inferred


def test_ids_whose_makers_a_log_does_not_tell_are_those_of_the_creates_before_in_order():
    def boot(**more):
        return line("POST", "/v2.1/servers", status=202, made_up=["answer_body"], **more)

    lines = numbered(
        [
            boot(),
            boot(),
            line("DELETE", f"/v2.1/servers/{uuid(5)}", status=204),
            line(path=f"/v2.1/servers/{uuid(6)}"),
            line(path=f"/v2.1/servers/{uuid(7)}"),
        ]
    )
    found = survey(lines)
    assert found.inferred == {0: [uuid(5)], 1: [uuid(6)]}
    told = list(replayed(lines, found.inferred))
    assert told[0].made == [uuid(5)]
    assert "made" in told[0].made_up

"""The state of an endpoint that fails, in time that the test makes."""

from __future__ import annotations

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.upstream.ejection import Ejection
from oidproxy.upstream.retries import RetryBudget


class Endpoint:
    """An ejection with its clock."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.ejection = Ejection(Limits())

    def fail(self, times: int = 1, *, probe: bool = False) -> bool:
        return [self.ejection.failed(self.now, probe=probe) for _ in range(times)][-1]

    def probe(self) -> bool:
        assert self.ejection.wait(self.now) == 0
        return self.ejection.begin(self.now)

    @property
    def wait(self) -> float:
        return self.ejection.wait(self.now)


def test_e3_the_fifth_failure_in_a_row_ejects_for_30_s():
    endpoint = Endpoint()
    assert not endpoint.fail(4)
    assert endpoint.wait == 0
    assert not endpoint.ejection.begin(endpoint.now)
    assert endpoint.fail()
    assert endpoint.wait == 30
    endpoint.now += 29
    assert endpoint.wait == 1


def test_e3_a_success_in_between_starts_the_count_again():
    endpoint = Endpoint()
    endpoint.fail(4)
    endpoint.ejection.succeeded(endpoint.now, probe=False)
    assert endpoint.ejection.untroubled
    assert not endpoint.fail(4)


def test_e3_half_open_takes_one_probe():
    endpoint = Endpoint()
    endpoint.fail(5)
    endpoint.now += 30
    assert endpoint.probe()
    assert endpoint.wait > 0
    endpoint.ejection.succeeded(endpoint.now, probe=True)
    assert endpoint.wait == 0
    assert endpoint.ejection.untroubled
    assert not endpoint.ejection.begin(endpoint.now)


def test_e3_each_failed_probe_ejects_for_longer_up_to_300_s():
    endpoint = Endpoint()
    endpoint.fail(5)
    waits = []
    for _ in range(12):
        waits.append(endpoint.wait)
        endpoint.now += endpoint.wait
        assert endpoint.probe()
        assert endpoint.fail(probe=True)
    assert waits == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_e3_calls_from_before_the_ejection_change_nothing():
    endpoint = Endpoint()
    endpoint.fail(5)
    assert not endpoint.fail(10)
    endpoint.ejection.succeeded(endpoint.now, probe=False)
    assert endpoint.wait == 30


def test_a_probe_that_says_nothing_makes_room_for_the_next():
    endpoint = Endpoint()
    endpoint.fail(5)
    endpoint.now += 30
    assert endpoint.probe()
    endpoint.ejection.withdrawn()
    assert endpoint.probe()


def test_a_probe_that_takes_for_ever_does_not_keep_others_out_for_ever():
    endpoint = Endpoint()
    endpoint.fail(5)
    endpoint.now += 30
    assert endpoint.probe()
    endpoint.now += 30
    assert endpoint.probe()


def test_an_endpoint_that_was_well_for_a_while_is_ejected_for_30_s_again():
    endpoint = Endpoint()
    for _ in range(3):
        endpoint.fail(5)
        endpoint.now += endpoint.wait
        assert endpoint.probe()
        endpoint.ejection.succeeded(endpoint.now, probe=True)
    assert endpoint.ejection.times == 3
    assert not endpoint.ejection.forgettable(endpoint.now)
    endpoint.now += 30
    endpoint.fail(5)
    assert endpoint.wait == 90, "three times, less one for 30 quiet seconds, and once more"
    endpoint.now += 90
    assert endpoint.probe()
    endpoint.ejection.succeeded(endpoint.now, probe=True)
    endpoint.now += 90
    assert endpoint.ejection.forgettable(endpoint.now)
    endpoint.fail(5)
    assert endpoint.wait == 30


def test_a_new_state_is_forgettable():
    assert Ejection(Limits()).forgettable(0.0)


@pytest.mark.parametrize(("calls", "allowed"), [(0, 1), (1, 1), (5, 1), (9, 1), (10, 2), (48, 9), (64, 12)])
def test_e2_retries_are_a_share_of_the_calls_and_at_least_one(calls, allowed):
    budget = RetryBudget(0.2)
    assert [budget.take(calls) for _ in range(allowed + 1)] == [True] * allowed + [False]
    budget.give_back()
    assert budget.take(calls)

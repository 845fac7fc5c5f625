"""The states of what was begun in several clouds: what follows from a record; nothing is sent twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.plan import Every, First, One, Some
from oidproxy.errors import NotSupported
from oidproxy.manyclouds.replicating import journal
from oidproxy.manyclouds.replicating.journal import (
    SETTLED_AFTER,
    Attempt,
    Intent,
    Look,
    Owner,
    Phase,
    Policy,
    Remove,
    State,
    Verb,
)
from oidproxy.manyclouds.replicating.slots import planned

A, B, C, D = map(One, "abcd")
EVERYWHERE = frozenset("abcd")


def intent(plan=None, policy=Policy.UNDO, *, marked=True):
    found = planned(plan or Every((A, B)), EVERYWHERE)
    return journal.begin(
        Intent(
            "i",
            Verb.CREATE,
            Owner("a", "p", "u"),
            "compute",
            "servers",
            "/v2.1/servers",
            0.0,
            found.attempts,
            found.slots,
            policy,
            marked=marked,
        )
    )


def states(one):
    return {attempt.cloud: attempt.state for attempt in one.attempts}


def test_all_of_begins_with_all_and_any_with_as_many_as_it_wants():
    assert set(states(intent()).values()) == {State.SENDING}
    begun = intent(Some(2, (A, B, C)))
    assert states(begun) == {"a": State.SENDING, "b": State.SENDING, "c": State.RESERVED}


def test_what_was_recorded_and_not_answered_is_only_looked_for():
    begun = intent()
    assert journal.steps(begun) == tuple(map(Look, begun.attempts))
    assert journal.decided(begun) == begun


def test_all_made_is_complete_and_over():
    one = journal.made(journal.made(intent(), "a", "1"), "b", "2")
    assert not one.over, "it is not decided, so its replicas were not remembered"
    one = journal.decided(one)
    assert (one.phase, one.over, one.replicas) == (Phase.COMPLETE, True, {"a": "1", "b": "2"})


def test_one_that_is_not_made_undoes_the_others_or_keeps_them():
    for policy, state in ((Policy.UNDO, State.UNDOING), (Policy.KEEP, State.MADE)):
        one = journal.not_made(journal.made(intent(policy=policy), "a", "1"), "b", "no", 403)
        one = journal.decided(one)
        assert (one.phase, states(one)["a"], one.over) == (Phase.FAILED, state, policy is Policy.KEEP)


def test_what_is_undone_is_over():
    one = journal.decided(journal.not_made(journal.made(intent(), "a", "1"), "b", "no"))
    assert journal.steps(one) == (Remove(one.attempt("a")),)
    assert journal.gone(one, "a").over


def test_nobody_waits_for_an_answer_that_does_not_come():
    one = journal.given_up(journal.unknown(journal.made(intent(), "a", "1"), "b", "late"))
    assert states(one) == {"a": State.UNDOING, "b": State.SENDING}
    assert not journal.gone(one, "a").over, "b is still unknown"


def test_what_turns_up_after_a_failure_is_undone_too():
    one = journal.given_up(journal.unknown(journal.made(intent(), "a", "1"), "b", "late"))
    assert states(journal.made(one, "b", "2"))["b"] is State.UNDOING
    kept = journal.given_up(intent(policy=Policy.KEEP))
    assert states(journal.made(kept, "b", "2"))["b"] is State.MADE


def test_absence_proves_something_only_after_a_while_and_only_of_what_is_marked():
    assert states(journal.absent(intent(), "a", SETTLED_AFTER - 1))["a"] is State.UNCERTAIN
    assert states(journal.absent(intent(), "a", SETTLED_AFTER))["a"] is State.NOT_MADE
    assert states(journal.absent(intent(marked=False), "a", SETTLED_AFTER))["a"] is State.UNCERTAIN


def test_another_takes_the_place_only_of_what_is_known_not_to_have_happened():
    begun = intent(Some(1, (A, B, C)))
    assert journal.instead(journal.unknown(begun, "a", "late"), "a")[1] is None
    changed, following = journal.instead(journal.not_made(begun, "a", "down"), "a")
    assert following == changed.attempt("b")
    assert (following.state, following.slot) == (State.SENDING, 0)
    changed, following = journal.instead(journal.not_made(changed, "b", "down"), "b")
    assert following.cloud == "c"
    assert journal.instead(journal.not_made(changed, "c", "down"), "c")[1] is None


EVENTS = ("made", "not made", "unknown", "absent", "instead", "decided", "given up", "gone")


def after(one, event, cloud, sent):
    """What happens, as far as it can happen to an attempt in its state."""
    state = one.attempt(cloud).state
    asked = state in {State.SENDING, State.UNCERTAIN}
    match event:
        case "made" if asked:
            return journal.made(one, cloud, f"id-{cloud}")
        case "not made" if asked:
            return journal.not_made(one, cloud, "no")
        case "unknown" if asked:
            return journal.unknown(one, cloud, "late")
        case "absent" if asked:
            return journal.absent(one, cloud, 1.0)
        case "instead" if one.phase is Phase.OPEN:
            one, following = journal.instead(one, cloud)
            if following is not None:
                sent.append(following.cloud)
            return one
        case "decided":
            return journal.decided(one)
        case "given up":
            return journal.given_up(one)
        case "gone" if state is State.UNDOING:
            return journal.gone(one, cloud)
    return one


PLANS = st.sampled_from([Every((A, B, C)), Some(2, (A, B, C, D)), Every((A, First((B, C)), D))])


@given(
    PLANS,
    st.sampled_from(Policy),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from("abcd")), max_size=60),
)
def test_whatever_happens_nothing_is_sent_twice_and_nothing_made_is_forgotten(plan, policy, events):
    one = intent(plan, policy)
    sent = [attempt.cloud for attempt in one.of(State.SENDING)]
    made = set()
    for event, cloud in events:
        if cloud not in states(one):
            continue
        one = after(one, event, cloud, sent)
        made |= {attempt.cloud for attempt in one.attempts if attempt.id}
        # Each cloud is asked once, and one that nobody asked made nothing.
        assert len(sent) == len(set(sent))
        assert {attempt.cloud for attempt in one.of(State.RESERVED)}.isdisjoint(sent)
        # What was made is a replica, or gone, or there is a step that deletes it.
        removing = {step.attempt.cloud for step in journal.steps(one) if isinstance(step, Remove)}
        undone = {attempt.cloud for attempt in one.of(State.UNDONE)}
        assert made <= set(one.replicas) | removing | undone
        # What may have been made is looked for.
        looked = {step.attempt.cloud for step in journal.steps(one) if isinstance(step, Look)}
        assert {attempt.cloud for attempt in one.of(State.SENDING, State.UNCERTAIN)} == looked
        if one.phase is Phase.COMPLETE:
            assert len(one.replicas) == one.slots
        if one.phase is Phase.FAILED and policy is Policy.UNDO:
            assert not one.replicas
        if one.over:
            assert not journal.steps(one)


# From plans to attempts.


def test_alternatives_share_a_slot_and_those_that_cannot_be_asked_fall_out():
    found = planned(Every((A, First((B, C)))), frozenset("ac"))
    assert [(one.cloud, one.slot) for one in found.attempts] == [("a", 0), ("c", 1)]
    assert (found.slots, found.lacking) == (2, ())


def test_a_slot_that_nobody_can_fill_is_told():
    assert planned(Every((A, First((B, C)))), frozenset("a")).lacking == ("b", "c")
    assert planned(Some(2, (A, B, C)), frozenset("a")).lacking == ("b", "c")
    assert planned(Some(2, (A, B, C)), frozenset("ac")).lacking == ()


def test_a_cloud_in_two_places_fills_one():
    found = planned(Every((A, First((A, B)))), EVERYWHERE)
    assert [(one.cloud, one.slot) for one in found.attempts] == [("a", 0), ("b", 1)]
    assert planned(Every((A, Every((A, B)))), EVERYWHERE).slots == 2


@pytest.mark.parametrize("plan", [First((Every((A, B)), C)), Every((A, Some(1, (B, C))))])
def test_a_plan_whose_writes_have_no_clear_meaning_is_refused(plan):
    with pytest.raises(NotSupported):
        planned(plan, EVERYWHERE)


def test_an_attempt_that_nobody_has_is_a_key_error():
    with pytest.raises(KeyError):
        intent().attempt("z")
    assert isinstance(intent().attempt("a"), Attempt)

"""What is remembered of tokens, for how long, and what makes it forgotten."""

from oidproxy.identity.memory import KEPT, LATE, PLAIN, REFUSED_KEPT, Form, Memory, key
from oidproxy.identity.subject import subject
from oidproxy.tokens.presented import Use
from tests.identity.world import NOW, moment

A = key("cloud-1", "token-a")
B = key("cloud-1", "token-b")
AUDIENCE = ("cloud-2", "image", Use.CALL, "")


def who(seen=NOW, lives=3600, roles=("member",), chain="chain", home="cloud-1"):
    body = {
        "user": {"id": "u", "name": "nova"},
        "roles": [{"id": name, "name": name} for name in roles],
        "audit_ids": ["own", chain],
        "expires_at": moment(NOW + lives),
        "catalog": ["dropped"],
    }
    return subject(home, body, seen)


def test_a_subject_is_as_old_as_its_homes_word():
    memory = Memory()
    memory.remember(A, PLAIN, who(), NOW)
    assert memory.subject(A, PLAIN, 30, NOW + 29) is not None
    assert memory.subject(A, PLAIN, 30, NOW + 30) is None
    assert memory.subject(A, PLAIN, 300, NOW + 299) is not None
    assert memory.subject(A, PLAIN, 1e9, NOW + KEPT) is None


def test_the_catalog_is_not_kept():
    assert "catalog" not in who().token


def test_an_ended_token_is_nobody_unless_it_was_asked_for_as_ended():
    memory = Memory()
    for form in (PLAIN, LATE):
        memory.remember(A, form, who(lives=10), NOW)
    assert memory.subject(A, PLAIN, 300, NOW + 10) is None
    assert memory.subject(A, LATE, 300, NOW + 10) is not None


def test_the_ways_of_asking_are_kept_apart():
    memory = Memory()
    memory.remember(A, PLAIN, who(), NOW)
    assert memory.subject(A, Form(""), 30, NOW) is None
    assert memory.subject(A, LATE, 30, NOW) is None


def test_the_same_text_of_another_home_is_another_token():
    memory = Memory()
    memory.remember(A, PLAIN, who(roles=("service",)), NOW)
    other = key("cloud-2", "token-a")
    assert memory.subject(other, PLAIN, 30, NOW) is None
    assert memory.service(other, NOW) is None


def test_many_ways_of_asking_do_not_grow_the_memory():
    memory = Memory()
    for version in range(100):
        memory.remember(A, Form(str(version)), who(), NOW)
    assert sum(memory.subject(A, Form(str(version)), 30, NOW) is not None for version in range(100)) <= 8


def test_a_service_is_known_for_its_tokens_life():
    memory = Memory()
    memory.remember(A, PLAIN, who(roles=("admin", "service")), NOW)
    memory.remember(B, PLAIN, who(roles=("admin",)), NOW)
    assert memory.service(A, NOW + 3599) == "nova"
    assert memory.service(A, NOW + 3600) is None
    assert memory.service(B, NOW) is None


def test_a_refusal_is_believed_for_a_moment_and_forgets_the_rest():
    memory = Memory()
    memory.remember(A, PLAIN, who(roles=("service",)), NOW)
    memory.refuse(A, PLAIN, NOW)
    assert memory.refused(A, PLAIN, NOW + REFUSED_KEPT - 0.1)
    assert not memory.refused(A, PLAIN, NOW + REFUSED_KEPT)
    assert memory.subject(A, PLAIN, 300, NOW) is None
    assert memory.service(A, NOW) is None


def test_a_refusal_to_who_knows_no_access_rules_says_nothing_to_others():
    memory = Memory()
    memory.remember(A, PLAIN, who(), NOW)
    memory.refuse(A, Form(""), NOW)
    assert memory.subject(A, PLAIN, 300, NOW) is not None
    assert memory.refused(A, Form(""), NOW)
    assert not memory.refused(A, PLAIN, NOW)


def test_a_later_word_of_the_home_ends_a_refusal():
    memory = Memory()
    memory.refuse(A, PLAIN, NOW)
    memory.remember(A, PLAIN, who(), NOW)
    assert not memory.refused(A, PLAIN, NOW)


def test_a_revocation_forgets_the_whole_chain_and_nothing_else():
    memory = Memory()
    other, foreign = key("cloud-1", "token-c"), key("cloud-2", "token-d")
    for name, known in ((A, who()), (B, who()), (other, who(chain="x")), (foreign, who(home="cloud-2"))):
        memory.remember(name, PLAIN, known, NOW)
    memory.revoke(A, NOW)
    assert [memory.subject(name, PLAIN, 30, NOW) is not None for name in (A, B, other, foreign)] == [
        False,
        False,
        True,
        True,
    ]
    assert memory.refused(A, PLAIN, NOW)
    assert not memory.refused(B, PLAIN, NOW)


def test_a_word_said_before_a_revocation_and_heard_after_it_is_not_believed():
    memory = Memory()
    memory.revoke(A, NOW)
    memory.remember(A, PLAIN, who(roles=("service",)), NOW + 1)
    assert memory.subject(A, PLAIN, 300, NOW + 1) is None
    assert memory.service(A, NOW + 1) is None


def test_closings_go_with_their_subject():
    memory = Memory()
    memory.keep_closing(A, AUDIENCE, "text", NOW)
    assert memory.closing(A, AUDIENCE, NOW) is None
    memory.remember(A, PLAIN, who(), NOW)
    memory.keep_closing(A, AUDIENCE, "text", NOW)
    assert memory.closing(A, AUDIENCE, NOW) == "text"
    memory.forget(A)
    assert memory.closing(A, AUDIENCE, NOW) is None


def test_closings_go_when_a_token_has_other_roles_than_before():
    memory = Memory()
    memory.remember(A, PLAIN, who(), NOW)
    memory.keep_closing(A, AUDIENCE, "text", NOW)
    memory.remember(A, PLAIN, who(seen=NOW + 1), NOW + 1)
    assert memory.closing(A, AUDIENCE, NOW + 1) == "text"
    memory.remember(A, PLAIN, who(roles=("reader",)), NOW + 2)
    assert memory.closing(A, AUDIENCE, NOW + 2) is None


def test_a_reload_forgets_every_closing_and_no_subject():
    memory = Memory()
    memory.remember(A, PLAIN, who(), NOW)
    memory.keep_closing(A, AUDIENCE, "text", NOW)
    memory.forget_closings()
    assert memory.closing(A, AUDIENCE, NOW) is None
    assert memory.subject(A, PLAIN, 30, NOW) is not None


def test_it_is_bounded_in_every_direction():
    memory = Memory(capacity=10, closings=64)
    for number in range(100):
        name = key("cloud-1", f"token-{number}")
        memory.remember(name, PLAIN, who(roles=("service",)), NOW)
        memory.refuse(key("cloud-1", f"bad-{number}"), PLAIN, NOW)
    names = [key("cloud-1", f"token-{number}") for number in range(100)]
    assert sum(memory.subject(name, PLAIN, 30, NOW) is not None for name in names) == 10
    assert sum(memory.service(name, NOW) is not None for name in names) == 10
    assert sum(memory.refused(key("cloud-1", f"bad-{number}"), PLAIN, NOW) for number in range(100)) == 10
    for number in range(200):
        memory.keep_closing(names[-1], ("cloud", str(number), Use.CALL, ""), "text", NOW)
    kept = [memory.closing(names[-1], ("cloud", str(number), Use.CALL, ""), NOW) for number in range(200)]
    assert sum(text is not None for text in kept) <= 64

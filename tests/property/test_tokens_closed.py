"""Closed tokens, for any content: what is closed opens; what the fleet's key did not close does not."""

from hypothesis import assume, example, given
from hypothesis import strategies as st

from oidproxy.errors import TokenRefused
from oidproxy.tokens import base64url
from oidproxy.tokens.closed import PREFIX, Keyring
from oidproxy.tokens.presented import Box, Use

KEYRING = Keyring((bytes(range(64)), bytes(64)))
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40)
TOKENS = st.one_of(
    st.binary(min_size=90, max_size=190).map(base64url.encode),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=300),
)
BOXES = st.builds(
    Box,
    token=TOKENS,
    home=NAMES,
    scope=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=200),
    cloud=NAMES,
    service=NAMES,
    use=st.sampled_from(Use),
    expires=st.integers(0, 2**40 - 1),
)
BOX = Box("gAAAAAB" + "x" * 193, "cloud-1", "image:cloud-999", "cloud-999", "image", Use.CALL, 1748775600)
TEXT = KEYRING.close(BOX)


def opened(text):
    try:
        return KEYRING.open(text)
    except TokenRefused:
        return None


@given(BOXES)
def test_any_box_opens_to_itself_and_closes_to_one_text(box):
    text = KEYRING.close(box)
    assert KEYRING.open(text) == box
    assert KEYRING.close(KEYRING.open(text)) == text


@given(BOXES, BOXES)
def test_different_boxes_have_different_texts(one, other):
    assert (KEYRING.close(one) == KEYRING.close(other)) == (one == other)


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_any_other_character_at_any_place_is_refused(place, letter):
    assume(TEXT[place] != letter)
    assert opened(TEXT[:place] + letter + TEXT[place + 1 :]) is None


@given(st.integers(0, len(TEXT)), st.text(min_size=1, max_size=8))
def test_anything_put_in_at_any_place_is_refused(place, junk):
    assert opened(TEXT[:place] + junk + TEXT[place:]) is None


@given(st.integers(0, len(TEXT)), st.integers(0, len(TEXT)))
def test_any_cut_is_refused(start, stop):
    assume((start, stop) != (0, len(TEXT)))
    assert opened(TEXT[start:stop]) is None


@given(st.integers(0, len(TEXT) - 1), st.integers(0, len(TEXT) - 1))
def test_two_characters_that_change_places_are_refused(one, other):
    letters = list(TEXT)
    letters[one], letters[other] = letters[other], letters[one]
    changed = "".join(letters)
    assume(changed != TEXT)
    assert opened(changed) is None


@given(st.one_of(st.text(), st.text(alphabet="ABCabc012-_~=", max_size=400)))
@example(PREFIX)
@example(PREFIX + "A" * 22)
@example(PREFIX + "A" * 10000)
def test_no_text_makes_anything_but_a_refusal(text):
    assert opened(text) is None
    assert opened(PREFIX + text) is None


@given(BOXES)
def test_a_box_under_another_key_is_refused(box):
    assert opened(Keyring((b"\1" * 64,)).close(box)) is None

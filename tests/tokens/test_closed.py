"""The closed form: a box that only the fleet's key makes and opens."""

import re

import pytest

from oidproxy.errors import ConfigError, InternalError, NotAdmitted, TokenRefused
from oidproxy.tokens import base64url
from oidproxy.tokens.closed import PREFIX, Keyring, is_closed
from oidproxy.tokens.presented import Box, Use
from tests.tokens.bodies import FERNET
from tests.tokens.conftest import KEY

OTHER_KEY = bytes(64)
JWS = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def box(**changes):
    known = {
        "token": FERNET,
        "home": "cloud-1",
        "scope": "identity:cloud-1;image:cloud-999",
        "cloud": "cloud-999",
        "service": "image",
        "use": Use.CALL,
        "expires": 1748775600,
    }
    return Box(**{**known, **changes})


@pytest.mark.parametrize(
    "made",
    [
        box(),
        box(use=Use.VALIDATE),
        box(scope=""),
        box(token="0123456789abcdef0123456789abcdef"),
        box(token=JWS),
        box(token="has\0nul"),
        box(home="Zürich", cloud="New York"),
        box(expires=0),
        box(expires=2**39),
    ],
)
def test_what_is_closed_opens(keyring, made):
    assert keyring.open(keyring.close(made)) == made


def test_the_same_box_is_the_same_text_so_that_foreign_token_caches_hit(keyring):
    assert keyring.close(box()) == Keyring((KEY,)).close(box())


@pytest.mark.parametrize(
    "change",
    [
        {"token": FERNET[:-4] + "AAAA"},
        {"home": "cloud-2"},
        {"scope": "image:cloud-999"},
        {"cloud": "cloud-5"},
        {"service": "compute"},
        {"use": Use.VALIDATE},
        {"expires": 1748775601},
    ],
)
def test_everything_said_in_it_is_part_of_the_text(keyring, change):
    assert keyring.close(box()) != keyring.close(box(**change))


@pytest.mark.parametrize("scope", ["", "image:cloud-999", "identity:cloud-1;image:cloud-999"])
@pytest.mark.parametrize("service", ["image", "block-storage"])
def test_a_fernet_token_of_200_characters_stays_below_360(keyring, scope, service):
    assert len(FERNET) == 200
    assert len(keyring.close(box(scope=scope, service=service))) <= 360


def test_the_size_of_a_usual_one_is_as_measured(keyring):
    assert 298 <= len(keyring.close(box())) <= 360


def test_it_is_made_of_token_characters_only(keyring):
    assert re.fullmatch(r"[A-Za-z0-9~_-]+", keyring.close(box()))


def test_it_shows_nothing_of_the_token_in_any_cut(keyring):
    text = keyring.close(box())
    assert is_closed(text)
    assert FERNET[:12] not in text
    assert "cloud" not in text


def test_a_box_does_not_show_its_token():
    assert FERNET not in repr(box())


def test_the_keys_are_not_shown(keyring):
    assert repr(KEY) not in repr(keyring)
    assert KEY.hex() not in repr(keyring)


def test_the_second_key_opens_what_the_first_closed_before_rotation(keyring):
    rotated = Keyring((OTHER_KEY, KEY))
    assert rotated.open(keyring.close(box())) == box()
    assert rotated.close(box()) == Keyring((OTHER_KEY,)).close(box())


def test_another_fleets_key_opens_nothing(keyring):
    with pytest.raises(TokenRefused):
        Keyring((OTHER_KEY,)).open(keyring.close(box()))


def test_without_a_key_nothing_leaves_home_and_nothing_opens(keyring):
    empty = Keyring()
    assert not empty.closes
    assert keyring.closes
    with pytest.raises(NotAdmitted, match="fleet_keys"):
        empty.close(box())
    with pytest.raises(TokenRefused):
        empty.open(keyring.close(box()))


@pytest.mark.parametrize("length", [32, 48, 64])
def test_every_key_length_of_aes_siv_is_taken(length):
    keyring = Keyring((KEY[:length],))
    assert keyring.open(keyring.close(box())) == box()


@pytest.mark.parametrize("key", [b"", b"short", bytes(33), bytes(65)])
def test_a_key_of_another_length_is_an_error_of_the_configuration(key):
    with pytest.raises(ConfigError) as caught:
        Keyring((key,))
    assert "short" not in str(caught.value)


def test_a_name_that_would_shift_the_others_is_never_closed(keyring):
    for change in ({"home": "a\0b"}, {"cloud": "a\0b"}, {"service": "a\0b"}, {"scope": "a\0b"}):
        with pytest.raises(InternalError):
            keyring.close(box(**change))


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "A",
        "AAAA",
        "=",
        "==",
        "~",
        "~" + base64url.encode(b"cloud-2\n"),
        " ",
        "\n",
        "!SCOPE!{}",
        ".x",
        "\0",
    ],
)
def test_junk_appended_is_refused(keyring, junk):
    text = keyring.close(box())
    if junk:
        with pytest.raises(TokenRefused):
            keyring.open(text + junk)


def test_a_cut_at_any_place_is_refused(keyring):
    text = keyring.close(box())
    for place in range(len(text)):
        with pytest.raises(TokenRefused):
            keyring.open(text[:place])
        if place:
            with pytest.raises(TokenRefused):
                keyring.open(text[place:])


def test_a_change_of_any_character_is_refused(keyring):
    text = keyring.close(box())
    for place, letter in enumerate(text):
        changed = text[:place] + ("A" if letter != "A" else "B") + text[place + 1 :]
        with pytest.raises(TokenRefused):
            keyring.open(changed)


def test_every_other_spelling_of_the_same_bytes_is_refused(keyring):
    # 1 or 2 characters' worth of unused bits: all texts that a lenient decoder takes for the same box.
    for scope in ("", "a", "ab"):
        text = keyring.close(box(scope=scope))
        spellings = [
            text[:-1] + letter
            for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        ]
        opened = [spelling for spelling in spellings if _opens(keyring, spelling)]
        assert opened == [text]


def test_the_text_of_a_box_is_the_same_in_every_release(keyring):
    """Proxies of one fleet are not replaced in one moment, and foreign services keep boxes for hours."""
    known = (
        "oid1~pxN4Eibqw8RWi38YsRwmuciMB3Q3sxex4zkCr4Nv28ICVMzzpEgD6gQ7RBdAr5fePr9m4GHVFrQ7vWsgcsfAO7J8zFi1ew8"
    )
    assert keyring.close(box(token="gAAAAABtoken", scope="image:cloud-999")) == known
    assert keyring.open(known) == box(token="gAAAAABtoken", scope="image:cloud-999")


def test_a_box_of_another_purpose_under_the_same_key_does_not_open(keyring):
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    foreign = AESSIV(KEY).encrypt(b"\0" * 6 + b"a\0b\0c\0d\0token", [b"another purpose"])
    with pytest.raises(TokenRefused):
        keyring.open(PREFIX + base64url.encode(foreign))


def test_what_a_box_of_an_unknown_version_says_is_not_guessed(keyring):
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    for plain in (b"x", b"\0\0\0\0\0\0only-one-name", b"\0\0\0\0\0\0a\0b\0c\xff\0d\0t"):
        text = PREFIX + base64url.encode(AESSIV(KEY).encrypt(plain, [b"oidproxy closed token, version 1"]))
        with pytest.raises(TokenRefused):
            keyring.open(text)


def _opens(keyring, text):
    try:
        keyring.open(text)
    except TokenRefused:
        return False
    return True

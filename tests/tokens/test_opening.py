"""From presented text to the token inside."""

import pytest

from oidproxy.errors import TokenRefused
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens import base64url
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.digest import digest
from oidproxy.tokens.opening import LIMIT, is_bare, present
from oidproxy.tokens.presented import Form
from oidproxy.tokens.sealed import seal
from tests.tokens.bodies import FERNET
from tests.tokens.test_closed import box

SCOPE = parse("identity:cloud-1;image:cloud-999")


def test_a_bare_token_has_the_default_home(keyring):
    shown = present(FERNET, keyring, default_home="cloud-7")
    assert (shown.form, shown.token, shown.home, shown.scope) == (Form.BARE, FERNET, "cloud-7", NO_SCOPE)


def test_a_sealed_token_says_its_home_and_scope(keyring):
    text = seal(FERNET, "cloud-1", SCOPE)
    shown = present(text, keyring, default_home="cloud-7")
    assert (shown.form, shown.text, shown.token) == (Form.SEALED, text, FERNET)
    assert (shown.home, shown.scope, shown.box) == ("cloud-1", SCOPE, None)


def test_a_closed_token_says_what_its_box_says(keyring):
    shown = present(keyring.close(box()), keyring, default_home="cloud-7")
    assert (shown.form, shown.token, shown.home, shown.scope) == (Form.CLOSED, FERNET, "cloud-1", SCOPE)
    assert shown.box == box()


def test_a_closed_token_may_have_no_scope(keyring):
    assert present(keyring.close(box(scope="")), keyring, default_home="x").scope == NO_SCOPE


def test_openstackoids_form_is_read(keyring):
    text = FERNET + '!SCOPE!{"image": "cloud-999", "identity": "cloud-1"}'
    shown = present(text, keyring, default_home="cloud-1")
    assert (shown.form, shown.token, shown.home, shown.scope) == (Form.LEGACY, FERNET, "cloud-1", SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "two words",
        "line\r\nX-Injected: 1",
        "nul\0",
        "tökén",
        "tab\t",
        "del\x7f",
        "a~",
        "~a",
        "a~b~c",
        "a" * (LIMIT + 1),
        "oid1~",
        "oid1~AAAA",
        "OID1~AAAA",
        "x!SCOPE!",
        "x!SCOPE!{",
        "!SCOPE!{}",
        'a b!SCOPE!{"image": "x"}',
        'a~b!SCOPE!{"image": "x"}',
        "a\r\nb~" + base64url.encode(b"cloud-1\n"),
    ],
)
def test_junk_is_refused_with_one_message(keyring, text):
    with pytest.raises(TokenRefused) as caught:
        present(text, keyring, default_home="cloud-1")
    assert caught.value.message == "The token is malformed."
    assert caught.value.__cause__ is None


def test_a_closed_token_inside_an_envelope_is_refused(keyring):
    inner = keyring.close(box())
    for text in (inner + "~" + base64url.encode(b"cloud-1\n"), f'{inner}!SCOPE!{{"image": "x"}}'):
        with pytest.raises(TokenRefused):
            present(text, keyring, default_home="cloud-1")


def test_a_box_with_a_scope_of_another_version_of_the_language_is_refused(keyring):
    with pytest.raises(TokenRefused):
        present(keyring.close(box(scope="image:=cloud")), keyring, default_home="cloud-1")


def test_a_box_with_a_token_that_would_break_a_header_is_refused(keyring):
    with pytest.raises(TokenRefused):
        present(keyring.close(box(token="a\r\nb")), keyring, default_home="cloud-1")


def test_without_keys_a_closed_token_is_refused(keyring):
    with pytest.raises(TokenRefused):
        present(keyring.close(box()), Keyring(), default_home="cloud-1")


def test_nothing_presented_shows_the_token(keyring):
    for text in (FERNET, seal(FERNET, "cloud-1", SCOPE), keyring.close(box())):
        assert FERNET not in repr(present(text, keyring, default_home="cloud-1"))


def test_the_same_token_of_another_home_is_remembered_apart(keyring):
    first = present(seal(FERNET, "cloud-1", SCOPE), keyring, default_home="x")
    second = present(seal(FERNET, "cloud-2", SCOPE), keyring, default_home="x")
    assert first.key == first.key == ("cloud-1", digest(FERNET))
    assert first.key != second.key


def test_every_form_of_one_token_is_remembered_as_one(keyring):
    texts = [FERNET, seal(FERNET, "cloud-1", SCOPE), keyring.close(box())]
    assert len({present(text, keyring, default_home="cloud-1").key for text in texts}) == 1


def test_what_can_stand_in_a_header_is_bare():
    assert is_bare(FERNET)
    assert not is_bare("a~b")
    assert not is_bare("a b")

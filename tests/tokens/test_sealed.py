"""The sealed form: routing that anybody can write and only one spelling of it is read."""

import pytest

from oidproxy.errors import InternalError, ScopeError, TokenRefused
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens import base64url
from oidproxy.tokens.sealed import seal, unseal
from tests.tokens.bodies import FERNET

SCOPE = parse("image:cloud-999;identity:cloud-1")


def envelope(text):
    return base64url.encode(text.encode())


def test_the_parts_come_back():
    assert unseal(seal(FERNET, "cloud-1", SCOPE)) == (FERNET, "cloud-1", SCOPE)


def test_no_scope_is_a_scope_too():
    assert unseal(seal(FERNET, "cloud-1", NO_SCOPE)) == (FERNET, "cloud-1", NO_SCOPE)


def test_the_text_is_as_documented():
    text = seal(FERNET, "cloud-1", SCOPE)
    assert text == f"{FERNET}~{envelope('cloud-1' + chr(10) + 'identity:cloud-1;image:cloud-999')}"


def test_a_name_may_be_any_that_a_scope_can_quote():
    scope = parse('image:"New York"')
    assert unseal(seal(FERNET, "Zürich", scope)) == (FERNET, "Zürich", scope)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        FERNET,
        f"{FERNET}~",
        f"~{envelope('cloud-1' + chr(10))}",
        f"{FERNET}~{envelope('cloud-1')}",  # no separator
        f"{FERNET}~{envelope(chr(10) + 'image:x')}",  # no home
        f"{FERNET}~{envelope('a' + chr(7) + 'b' + chr(10))}",  # a home with a bell
        f"{FERNET}~{envelope('cloud-1' + chr(10) + 'image:')}",  # no scope of the language
        f"{FERNET}~{envelope('cloud-1' + chr(10) + '<image:x>')}",  # not canonical
        f"{FERNET}~{envelope('cloud-1' + chr(10) + 'glance:x')}",
        f"{FERNET}~{envelope('cloud-1' + chr(10) + 'image:x' + chr(10))}",
        f"{FERNET}~{envelope('cloud-1' + chr(10) + 'image:x')}=",
        f"{FERNET}~{envelope('cloud-1' + chr(10) + 'image:x')}~{envelope('cloud-2' + chr(10))}",
        f"{FERNET}~" + base64url.encode(b"cloud-1\n\xff"),
        f"{FERNET}~" + "A" * 5000,
    ],
)
def test_a_forged_envelope_that_seal_would_not_write_is_refused(text):
    with pytest.raises(TokenRefused) as caught:
        unseal(text)
    assert caught.value.message == "The token is malformed."


def test_a_token_of_another_form_is_never_sealed_again():
    with pytest.raises(InternalError):
        seal(seal(FERNET, "cloud-1", SCOPE), "cloud-1", SCOPE)
    with pytest.raises(InternalError):
        seal("", "cloud-1", SCOPE)


def test_a_home_without_a_proper_name_seals_nothing():
    for home in ("", "cloud\n1"):
        with pytest.raises(InternalError):
            seal(FERNET, home, NO_SCOPE)


def test_two_carriers_scopes_that_are_too_long_together_are_an_error_of_the_scope():
    long = parse("image:" + "|".join(f"cloud-{n:04}" for n in range(90)))
    more = parse("network:" + "|".join(f"cloud-{n:04}" for n in range(90)))
    with pytest.raises(ScopeError):
        seal(FERNET, "cloud-1", long.over(more))

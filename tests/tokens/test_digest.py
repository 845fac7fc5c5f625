"""A token's name never shows the token."""

from oidproxy.tokens.digest import digest, shown
from tests.tokens.bodies import FERNET, OTHER


def test_a_digest_stands_for_one_token():
    assert digest(FERNET) == digest(FERNET)
    assert digest(FERNET) != digest(OTHER)
    assert len(digest(FERNET)) == 32


def test_what_a_log_shows_is_a_part_of_the_digest():
    assert shown(FERNET) == "{SHA256}" + digest(FERNET).hex()[:16]
    assert FERNET not in shown(FERNET)


def test_a_token_that_is_no_text_still_has_a_name():
    assert shown("\udcff").startswith("{SHA256}")

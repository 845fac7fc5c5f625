"""When a token ends."""

import pytest

from oidproxy.tokens.lifetime import ends
from tests.tokens.bodies import body


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-06-01T11:00:00.000000Z", 1748775600),
        ("2025-06-01T11:00:00Z", 1748775600),
        ("2025-06-01T13:00:00+02:00", 1748775600),
        ("2025-06-01T11:00:00.999999Z", 1748775600),
    ],
)
def test_it_is_read_in_every_way_keystone_writes_it(text, seconds):
    assert ends(body(expires_at=text)) == seconds


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2025-06-01T11:00:00", 1748775600, "2025-13-01T11:00:00Z"]
)
def test_anything_else_is_an_error(text):
    with pytest.raises(ValueError):
        ends({"expires_at": text})

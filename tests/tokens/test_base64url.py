"""One spelling for every text."""

import pytest

from oidproxy.tokens import base64url


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_what_is_written_is_read(data):
    assert base64url.decode(base64url.encode(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "YQ==",  # padding
        "YQ=",
        "YR",  # the last four bits are not zero
        "YWJ",  # the last two bits are not zero
        "Y",  # no byte has six bits
        "YWJjY",
        "YW Jj",
        "YWJj\n",
        "YW+/",  # the other alphabet
        "YWJj!",
        "ＹＷＪj",  # noqa: RUF001 - full-width letters
        "YWé",
    ],
)
def test_any_other_spelling_is_refused(text):
    with pytest.raises(ValueError):
        base64url.decode(text)

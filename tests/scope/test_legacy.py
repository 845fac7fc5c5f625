"""OpenStackoid's tokens."""

from __future__ import annotations

import pytest

from oidproxy.errors import ScopeError
from oidproxy.scope.legacy import split
from oidproxy.scope.parse import parse
from oidproxy.scope.report import render


def test_a_token_with_a_scope_is_taken_apart():
    assert split('gAAAA-b_c!SCOPE!{"compute": "CloudOne", "image": "CloudTwo & CloudThree"}') == (
        "gAAAA-b_c",
        parse("compute:CloudOne;image:CloudTwo&CloudThree"),
    )


def test_what_was_percent_encoded_is_decoded_once():
    assert split("gAAAA!SCOPE!%7B%22image%22%3A%20%22CloudTwo%22%7D") == ("gAAAA", parse("image:CloudTwo"))


@pytest.mark.parametrize("token", ["", "gAAAA", "gAAAA~abc", "gAAAA!scope!{}", "!SCOPE"])
def test_another_token_is_left_alone(token):
    assert split(token) is None


@pytest.mark.parametrize("scope", ["", "{}", '{"compute": 1}', "%7B", "\ud800", 'x!SCOPE!{"image": "a"}'])
def test_an_error_shows_the_scope_and_never_the_token(scope):
    with pytest.raises(ScopeError) as caught:
        split(f"s3cret!SCOPE!{scope}")
    assert "s3cret" not in render(caught.value) + caught.value.text

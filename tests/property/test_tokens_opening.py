"""What any text presents: a token that fits a header, or a refusal; and a seal nobody can spell twice."""

from hypothesis import assume, given
from hypothesis import strategies as st

from oidproxy.errors import TokenRefused
from oidproxy.scope.tree import AllOf, Binding, CloudName, FirstOf, Scope
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.opening import present
from oidproxy.tokens.presented import Form
from oidproxy.tokens.sealed import seal

KEYRING = Keyring((bytes(range(64)),))
TOKENS = st.text(st.sampled_from("ABCXYZabcxyz0189-_."), min_size=1, max_size=255)
HOMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)
CLOUDS = st.builds(CloudName, HOMES)
EXPRS = (
    CLOUDS
    | st.builds(lambda a, b: AllOf((a, b)), CLOUDS, CLOUDS)
    | st.builds(lambda a, b: FirstOf((a, b)), CLOUDS, CLOUDS)
)
SCOPES = st.dictionaries(st.sampled_from(["compute", "identity", "image"]), EXPRS).map(
    lambda bound: Scope(tuple(Binding(service, bound[service]) for service in sorted(bound)))
)


def presented(text):
    try:
        return present(text, KEYRING, default_home="local")
    except TokenRefused:
        return None


@given(TOKENS, HOMES, SCOPES)
def test_what_is_sealed_is_presented_with_its_home_and_scope(token, home, scope):
    shown = presented(seal(token, home, scope))
    assert shown is not None
    assert (shown.form, shown.token, shown.home, shown.scope) == (Form.SEALED, token, home, scope)


@given(TOKENS, HOMES, SCOPES)
def test_what_is_presented_seals_to_the_text_that_came(token, home, scope):
    text = seal(token, home, scope)
    shown = presented(text)
    assert shown is not None
    assert seal(shown.token, shown.home, shown.scope) == text


@given(st.one_of(st.text(), st.text(alphabet='Aa0~!-_.=\r\n oid1SCOPE{}":,', max_size=80)))
def test_any_text_presents_a_token_fit_for_a_header_or_is_refused(text):
    shown = presented(text)
    if shown is not None:
        assert shown.token
        assert all(" " < letter < "~" for letter in shown.token)
        assert shown.home


@given(TOKENS, HOMES, SCOPES, st.data())
def test_a_changed_envelope_is_refused_or_says_what_seal_would_write(token, home, scope, data):
    text = seal(token, home, scope)
    place = data.draw(st.integers(len(token) + 1, len(text) - 1))
    changed = text[:place] + data.draw(st.characters(max_codepoint=0x7F)) + text[place + 1 :]
    assume(changed != text)
    shown = presented(changed)
    if shown is not None and shown.form is Form.SEALED:
        assert seal(shown.token, shown.home, shown.scope) == changed

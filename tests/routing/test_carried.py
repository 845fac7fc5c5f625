"""`X-Scope-Tokens`: a client's own tokens of clouds, each for its own cloud only."""

from __future__ import annotations

import pytest

from oidproxy.clouds.limits import Limits
from oidproxy.errors import BadRequest, OidproxyError, TokenRefused
from oidproxy.http.parse import request_head
from oidproxy.routing.carried import carried_token
from oidproxy.routing.decision import Snapshot
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.presented import Box, Use
from oidproxy.tokens.sealed import seal

KEYRING = Keyring((bytes(range(64)),))
TOKEN = "gAAAAABmine-_x.y=="


def carried(value=None, cloud="edge-2"):
    lines = ["GET / HTTP/1.1", "Host: a", *([f"X-Scope-Tokens: {value}"] if value else []), "", ""]
    head = request_head("\r\n".join(lines).encode(), Limits())
    return carried_token(head, cloud, Snapshot(None, KEYRING))


@pytest.mark.parametrize(
    "value",
    [
        f"edge-2={TOKEN}",
        f"edge-1=other, edge-2={TOKEN}",
        f' "edge-2" = {TOKEN} ,edge-3=x,',
        f'"New \\"York\\", b=c"=zzz,edge-2={TOKEN}',
    ],
)
def test_the_token_of_this_cloud_is_found(value):
    found = carried(value)
    assert (found.token, found.home) == (TOKEN, "edge-2")


def test_a_name_may_be_any_text():
    assert carried('"Zürich, \\"Ost\\""=abc', cloud='Zürich, "Ost"').token == "abc"


def test_a_sealed_token_of_this_very_cloud_is_opened():
    sealed = seal(TOKEN, "edge-2", NO_SCOPE)
    assert carried(f"edge-2={sealed}").token == TOKEN


def test_another_clouds_token_is_refused_and_stays_unsaid():
    sealed = seal(TOKEN, "edge-1", NO_SCOPE)
    with pytest.raises(TokenRefused) as refused:
        carried(f"edge-2={sealed}")
    assert TOKEN not in str(refused.value)


def test_a_closed_token_is_refused():
    box = KEYRING.close(Box(TOKEN, "edge-2", "", "edge-2", "image", Use.CALL, 2**32))
    with pytest.raises(TokenRefused):
        carried(f"edge-2={box}")


def test_who_carries_none_has_none():
    assert carried() is None
    assert carried(f"edge-3={TOKEN}") is None


def test_two_for_one_cloud_are_refused():
    with pytest.raises(BadRequest, match="more than one"):
        carried(f"edge-2={TOKEN},edge-2=x")


@pytest.mark.parametrize("value", ["edge-2", "=x", "edge-2=", "-=x", '"a=x', "edge-2=a b"])
def test_what_cannot_be_read_is_said_without_its_text(value):
    with pytest.raises(OidproxyError) as refused:
        carried(f"edge-3={TOKEN},{value}")
    assert TOKEN not in str(refused.value)
    assert refused.value.status == 400

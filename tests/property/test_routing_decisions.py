"""Routing for arbitrary requests: it decides, always the same, and never breaks the rules of tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from oidproxy.clouds.plan import members
from oidproxy.clouds.resolve import resolve
from oidproxy.http.head import Chunked, Length, NoBody, RequestHead
from oidproxy.routing.decide import decide, decide_body
from oidproxy.routing.decision import (
    Answer,
    Carrier,
    FanOut,
    Forward,
    Issue,
    ReadBody,
    Refuse,
    Revoke,
    Validate,
)
from oidproxy.routing.why import why
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.audience import may_call
from oidproxy.tokens.presented import Use
from tests.routing.world import (
    GATEWAY,
    IMAGE,
    NOW,
    PORTS,
    at,
    at_gateway,
    closed,
    head,
    registry,
    sealed,
    snapshot,
)

CLOUDS = ["cloud-1", "cloud-2", "cloud-3"]
SERVICES = sorted(PORTS)
KNOWN = snapshot()

clouds = st.sampled_from(CLOUDS)
exprs = st.sampled_from(
    [
        *CLOUDS,
        "cloud-2/RegionTwo",
        "@far",
        "*",
        "cloud-1&cloud-2",
        "cloud-3|cloud-1",
        "nearest(@far)",
        "cloud-*&not(cloud-1)",
    ]
)
names = st.sampled_from(["*", *SERVICES, "glance", "dns"])
texts = st.dictionaries(names, exprs, max_size=3).map(
    lambda bindings: (
        ";".join(f"{'image' if name == 'glance' else name}:{expr}" for name, expr in bindings.items())
        if not {"glance", "image"} <= bindings.keys()
        else ""
    )
)
wrong = st.sampled_from(["junk:(", "image:nowhere", "\x7f", "<>"])
seldom = st.integers(0, 9).map(lambda number: number == 0)


@st.composite
def scopes(draw):
    """What header and URL carry: mostly nothing, sometimes what is no scope."""
    if draw(seldom):
        return draw(wrong)
    return draw(st.one_of(st.none(), st.none(), st.none(), texts.filter(bool)))


boxes = st.builds(
    closed,
    clouds,
    texts,
    cloud=clouds,
    service=st.sampled_from(SERVICES),
    use=st.sampled_from(list(Use)),
    expires=st.sampled_from([NOW - 1, NOW + 1]),
)
tokens = st.one_of(
    st.none(),
    st.just("bare-token"),
    st.builds(sealed, st.sampled_from([*CLOUDS, "cloud-9"]), texts),
    boxes,
    boxes.map(lambda text: text + "A"),
    st.just('old!SCOPE!{"image": "cloud-2"}'),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
)
PATHS = {
    "identity": ["/v3", "/v3/auth/tokens", "/v3/auth/%74okens/", "/v3/projects", "/v3/ec2tokens", "/"],
    "image": ["/", "/v2/images", f"/v2/images/{IMAGE}", f"/v2/images/{IMAGE}/file", "/v2/tasks"],
    "compute": ["/v2.1/servers", f"/v2.1/servers/{IMAGE}", "/"],
    "network": ["/v2.0/ports", "/v2.0/networks", "/v2.0/routers"],
    "": ["/healthcheck", "/.well-known/oidproxy/clouds", "/nothing", "/", "*"],
}


@st.composite
def paths(draw, service):
    """A path below this service, or seldom one of another or of ours."""
    own = PATHS.get(service, PATHS["image"])
    return draw(st.sampled_from(PATHS[""] if draw(seldom) else own))


methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
arrivals = st.one_of(st.just(at_gateway()), st.builds(at, clouds, st.sampled_from(SERVICES)))


@st.composite
def requests(draw, token=tokens, arrivals=arrivals):
    arrival = draw(arrivals)
    service = arrival.service_type or draw(st.sampled_from(["identity", "identity", "image", "compute"]))
    named = arrival.service_type is None or draw(seldom)
    url = draw(scopes())
    prefix = "" if url is None else f"/s/{quote(url, safe=':;,=@+&()!~*.-')}"
    prefix += f"/{service}" if named else ""
    made = head(
        draw(methods),
        prefix + draw(paths(service)) + draw(st.sampled_from(["", "?limit=1", "?"])),
        scope=draw(scopes()),
        token=draw(token),
        service_token=draw(tokens) if draw(seldom) else None,
        subject=draw(tokens),
        host=draw(st.sampled_from(["proxy:8888", "127.0.2.2:9292", "[::1]", "127.0.0.1:8888"])),
        framing=draw(st.sampled_from([NoBody(), Length(0), Chunked(), Length(1 << 21)])),
        absolute=draw(seldom),
    )
    return made, arrival


@st.composite
def handed_back(draw):
    """A request with a box, mostly beside its audience."""
    cloud = draw(clouds)
    box = closed(
        draw(clouds),
        draw(texts),
        cloud=draw(clouds) if draw(seldom) else cloud,
        service=draw(st.sampled_from(["compute", "compute", "block-storage", "image"])),
        use=draw(st.sampled_from([Use.CALL, Use.CALL, Use.CALL, Use.VALIDATE])),
        expires=NOW - 1 if draw(seldom) else NOW + 1,
    )
    beside = at(cloud, draw(st.sampled_from(["image", "image", "network", "compute", "identity"])))
    return draw(requests(st.just(box), st.just(beside)))


@st.composite
def junk(draw):
    fields = draw(
        st.dictionaries(
            st.sampled_from(
                [
                    b"host",
                    b"x-scope",
                    b"x-auth-token",
                    b"x-service-token",
                    b"x-subject-token",
                    b"x-storage-token",
                    b"max-forwards",
                ]
            ),
            st.binary(max_size=60),
        )
    )
    target = draw(
        st.one_of(
            st.binary(max_size=60),
            st.binary(max_size=40).map(lambda tail: b"/s/" + tail),
            st.binary(max_size=40).map(lambda tail: b"/identity/v3/auth/tokens" + tail),
            st.binary(max_size=40).map(lambda tail: b"/image/" + tail),
        )
    )
    method, host = draw(st.text(max_size=8)), draw(st.binary(max_size=20))
    framing = draw(st.sampled_from([NoBody(), Length(5), Chunked()]))
    return RequestHead(
        method, target, host, 1, tuple(fields.items()), framing, True, False, fields, draw(st.booleans())
    )


def decided(request, arrival, body=b"{}", known=KNOWN):
    """The final decision."""
    found = decide(request, arrival, known, NOW)
    return decide_body(request, body, arrival, known, NOW) if isinstance(found, ReadBody) else found


@given(junk(), arrivals, st.binary(max_size=50))
@settings(max_examples=250, deadline=None)
def test_any_head_is_decided(request, arrival, body):
    assert isinstance(decided(request, arrival, body), Forward | Issue | Validate | Revoke | Answer | Refuse)


@given(requests())
@settings(max_examples=250, deadline=None)
def test_the_same_request_is_decided_the_same_whatever_was_decided_before(made):
    request, arrival = made
    first = decided(request, arrival)
    again, fresh = decided(request, arrival), decided(request, arrival, known=snapshot())
    if isinstance(first, Refuse):
        assert {(type(each.error), each.error.message) for each in (first, again, fresh)} == {
            (type(first.error), first.error.message)
        }
    else:
        assert first == again == fresh
    line = why(first)
    assert line.isascii()
    assert len(line) <= 1024


@given(requests())
@settings(max_examples=250, deadline=None)
def test_a_keystone_is_shown_no_token_but_its_own(made):
    match decided(*made):
        case Forward(route, token, service) if route.service_type == "identity":
            shown = [token, service]
        case Issue(route, token):
            shown = [token]
        case Validate(route, _, subject):
            shown = [subject]
        case Revoke(route, token, subject):
            shown = [token, subject]
        case _:
            return
    assert {token.home for token in shown if token is not None} <= {route.cloud}


@given(handed_back())
@settings(max_examples=250, deadline=None)
def test_a_box_does_what_it_is_for_and_nothing_else(made):
    request, arrival = made
    found = decided(request, arrival)
    if isinstance(found, Refuse):
        assert found.error.status in {400, 401, 403, 404, 405, 413, 501}
        return
    if isinstance(found, Answer):
        assert found.token is None
        return
    assert isinstance(found, Forward | FanOut), found
    clouds = {one.cloud for one in found.ones} if isinstance(found, FanOut) else {found.route.cloud}
    box = found.token.box
    assert (box.use, box.cloud) == (Use.CALL, arrival.listener.cloud)
    assert box.expires >= NOW
    assert found.route.service_type != "identity"
    assert may_call(box.service, found.route.service_type, request.method, found.route.rest)
    assert canonical(found.route.effective) == canonical(parse(box.scope) if box.scope else NO_SCOPE)
    assert clouds <= allowed(box, found.route.service_type)


def allowed(box, service):
    """Where the sealed scope sends a service: written down again, without routing's own code."""
    scope = parse(box.scope) if box.scope else NO_SCOPE
    expr = scope.binding(service)
    if expr is None and service in {"network", "placement"}:
        expr = scope.binding("compute")
    if expr is None:
        return {box.home}
    return {one.cloud for one in members(resolve(expr, KNOWN.registry, home=box.home))}


# The order of carriers against a model of it.

single = st.dictionaries(st.sampled_from(["*", *SERVICES]), clouds, max_size=3)


def text(bindings):
    return ";".join(f"{name}:{cloud}" for name, cloud in bindings.items())


def scope(bindings):
    return parse(text(bindings)) if bindings else NO_SCOPE


def model(service, home, carriers):
    """Cloud and carrier, as scope-language.md says it in a sentence."""

    def bound(name):
        for carrier, bindings in carriers:
            cloud = bindings.get(name, bindings.get("*"))
            if cloud is not None:
                return cloud, carrier
        return None

    found = bound(service)
    if found is None and service in {"network", "placement"} and bound("compute"):
        found = bound("compute")[0], Carrier.COMPUTE
    return found or (home, Carrier.HOME)


@given(st.sampled_from([name for name in SERVICES if name != "identity"]), clouds, *[single] * 5)
@settings(max_examples=300, deadline=None)
def test_the_order_of_carriers_is_the_documented_one(service, home, header, url, token, listener, config):
    known = snapshot(replace(registry(), scope=scope(config)))
    arrival = at_gateway(replace(GATEWAY, scope=scope(listener)))
    prefix = f"/s/{text(url)}" if url else ""
    request = head(
        target=f"{prefix}/{service}/v", scope=text(header) or None, token=sealed(home, text(token))
    )
    explicit = model("identity", home, [(Carrier.HEADER, header), (Carrier.URL, url)])
    cloud, carrier = model(
        service,
        home,
        [
            (Carrier.HEADER, header),
            (Carrier.URL, url),
            (Carrier.TOKEN, token),
            (Carrier.LISTENER, listener),
            (Carrier.CONFIG, config),
        ],
    )
    found = decide(request, arrival, known, NOW)
    if explicit[0] != home:
        assert found.error.status == 401
    elif service == "block-storage" and cloud == "cloud-3":
        assert found.error.status == 501
    else:
        assert (found.route.cloud, found.route.carrier) == (cloud, carrier)


# Bytes.


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#\\"), max_size=40),
    st.one_of(st.none(), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)),
)
@settings(deadline=None)
def test_what_stands_below_the_service_goes_upstream_byte_for_byte(rest, query):
    tail = f"/{rest}" + ("" if query is None else f"?{query}")
    found = decide(head(target=f"/compute{tail}", scope="compute:cloud-3"), at_gateway(), KNOWN, NOW)
    assert found.route.target == b"/compute" + tail.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), json_values, max_size=3),
    st.dictionaries(st.text(), json_values, max_size=3),
    st.sampled_from(["bare", sealed("cloud-2"), 'old!SCOPE!{"image": "cloud-2"}']),
    st.booleans(),
)
@settings(deadline=None)
def test_of_a_body_only_the_token_changes(around, beside_it, token, escaped):
    identity = {**beside_it, "token": {"id": token}}
    body = {**around, "auth": {**around, "identity": identity}}
    raw = json.dumps(body, ensure_ascii=escaped).encode(errors="surrogatepass")
    found = decided(head("POST", "/identity/v3/auth/tokens"), at_gateway(), raw)
    assert isinstance(found, Issue)
    body["auth"]["identity"]["token"]["id"] = "bare" if token == "bare" else sealed().partition("~")[0]
    if token.startswith("old"):
        body["auth"]["identity"]["token"]["id"] = "old"
    assert json.loads(found.body) == body

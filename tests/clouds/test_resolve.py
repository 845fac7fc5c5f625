"""Which clouds an expression means: a table of texts and plans, and every refusal literally."""

from __future__ import annotations

import pytest

from oidproxy.clouds.plan import Crossed, Every, First, One, Some, members
from oidproxy.clouds.resolve import resolve
from oidproxy.errors import ScopeError
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import CloudName, Cross, FirstOf, Nearest, Not

REGISTRY = """
local: paris
clouds:
  paris: {auth_url: 'http://p/v3', region: Ile, groups: [fr, big], endpoints: {image: {Ile: 'http://p', Sud: 'http://q'}}}
  rennes: {upstream: 127.0.9.2, groups: [fr, edge]}
  lyon: {upstream: 127.0.9.3, groups: [fr]}
  edge-1: {upstream: 127.0.9.4, groups: [edge]}
  edge-2: {upstream: 127.0.9.5, groups: [edge]}
  New York: {upstream: 127.0.9.6, groups: [big]}
rtt:
  default_delay: 50ms
  constraints:
    - {src: paris, dst: fr, delay: 5ms, symmetric: true}
    - {src: paris, dst: rennes, delay: 2ms, symmetric: true}
    - {src: edge, dst: rennes, delay: 1ms, symmetric: true}
"""

PARIS, RENNES, LYON = One("paris"), One("rennes"), One("lyon")
EDGE_1, EDGE_2, NEW_YORK = One("edge-1"), One("edge-2"), One("New York")
ALL = (PARIS, RENNES, LYON, EDGE_1, EDGE_2, NEW_YORK)

PLANS = {
    "paris": PARIS,
    '"New York"': NEW_YORK,
    "paris/Sud": One("paris", "Sud"),
    "paris/Ile": One("paris", "Ile"),
    # Sets are all-of in the order declared.
    "*": Every(ALL),
    "@fr": Every((PARIS, RENNES, LYON)),
    "@edge": Every((RENNES, EDGE_1, EDGE_2)),
    "edge-*": Every((EDGE_1, EDGE_2)),
    "*e*1": EDGE_1,
    "p*": PARIS,
    "New*": NEW_YORK,
    # & makes all-of, | first-of; they nest; one member is no set.
    "lyon & paris": Every((LYON, PARIS)),
    "lyon | paris": First((LYON, PARIS)),
    "lyon & paris | rennes": First((Every((LYON, PARIS)), RENNES)),
    "lyon & (paris | rennes)": Every((LYON, First((PARIS, RENNES)))),
    "lyon & @edge": Every((LYON, RENNES, EDGE_1, EDGE_2)),
    "lyon | @edge": First((LYON, Every((RENNES, EDGE_1, EDGE_2)))),
    "paris % lyon": Crossed((PARIS, LYON)),
    "paris % @edge | lyon": First((Crossed((PARIS, Every((RENNES, EDGE_1, EDGE_2)))), LYON)),
    # Doubles count once.
    "paris & paris": PARIS,
    "paris | paris": PARIS,
    "paris | lyon | paris": First((PARIS, LYON)),
    "paris % paris": PARIS,
    "rennes & @fr": Every((RENNES, PARIS, LYON)),
    "@fr & @edge": Every((PARIS, RENNES, LYON, EDGE_1, EDGE_2)),
    "paris & paris/Ile": PARIS,
    "paris/Ile & lyon & paris": Every((PARIS, LYON)),
    "paris & paris/Sud & lyon & not(paris/Ile & paris)": LYON,
    "paris & paris/Sud": Every((PARIS, One("paris", "Sud"))),
    # Distances: nearest first, ties by name. paris-rennes 4, paris-lyon 10, rennes-edge 2, all others 100 ms.
    "around(paris, 10ms)": Every((PARIS, RENNES, LYON)),
    "around(paris, 9.9ms)": Every((PARIS, RENNES)),
    "around(paris, 0s)": PARIS,
    "around(paris/Sud, 4ms)": Every((PARIS, RENNES)),
    "around(rennes, 4ms)": Every((RENNES, EDGE_1, EDGE_2, PARIS)),
    "around(paris, 1s)": Every((PARIS, RENNES, LYON, NEW_YORK, EDGE_1, EDGE_2)),
    "around(fr, 2ms)": Every((LYON, PARIS, RENNES, EDGE_1, EDGE_2)),
    "around(edge, 4ms)": Every((EDGE_1, EDGE_2, RENNES, PARIS)),
    "nearest(*)": PARIS,
    "nearest(*, 3)": Every((PARIS, RENNES, LYON)),
    "nearest(@edge, 2)": Every((RENNES, EDGE_1)),
    "nearest(edge-2 | edge-1)": EDGE_1,
    "nearest(lyon & rennes, 9)": Every((RENNES, LYON)),
    "nearest(paris/Sud | lyon)": One("paris", "Sud"),
    # k of n.
    "any(2, @fr)": Some(2, (PARIS, RENNES, LYON)),
    "any(1, lyon | paris)": Some(1, (LYON, PARIS)),
    "any(3, @fr)": Some(3, (PARIS, RENNES, LYON)),
    "any(1, lyon & lyon)": LYON,
    "any(2, nearest(*, 3))": Some(2, (PARIS, RENNES, LYON)),
    "any(2, around(rennes, 4ms))": Some(2, (RENNES, EDGE_1, EDGE_2, PARIS)),
    "lyon | any(1, @fr)": First((LYON, Some(1, (PARIS, RENNES, LYON)))),
    # not subtracts from the union of the others; alone, from *.
    "@fr & not(lyon)": Every((PARIS, RENNES)),
    "not(lyon) & @fr": Every((PARIS, RENNES)),
    "@fr & not(@edge)": Every((PARIS, LYON)),
    "@fr & not(lyon) & not(paris)": RENNES,
    "lyon & paris & not(lyon) & edge-1": Every((PARIS, EDGE_1)),
    "not(@edge)": Every((PARIS, LYON, NEW_YORK)),
    "not(paris | lyon)": Every((RENNES, EDGE_1, EDGE_2, NEW_YORK)),
    "not(@fr) & not(edge-1)": Every((EDGE_2, NEW_YORK)),
    "not(not(paris))": PARIS,
    "(lyon | paris) & not(paris)": LYON,
    "(lyon | paris) & rennes & not(paris)": Every((LYON, RENNES)),
    "any(2, @fr) & not(paris)": Some(2, (RENNES, LYON)),
    "any(1, @fr & not(paris))": Some(1, (RENNES, LYON)),
    "any(2, not(@fr))": Some(2, (EDGE_1, EDGE_2, NEW_YORK)),
    "nearest(not(paris))": RENNES,
    "lyon | (@fr & not(lyon))": First((LYON, Every((PARIS, RENNES)))),
    "* & not(paris)": Every(ALL[1:]),
    "paris & paris/Sud & not(paris/Sud)": PARIS,
    "paris & paris/Sud & not(paris/Ile)": One("paris", "Sud"),
    "paris & paris/Sud & lyon & not(paris)": LYON,
    "(paris % lyon) & not(paris)": LYON,
    # What matches nothing adds nothing, as long as something is left.
    "paris & zoo-*": PARIS,
    "zoo-* | paris": PARIS,
    "any(1, zoo-*) | paris": PARIS,
}

REFUSALS = {
    "pariss": ("no cloud is called 'pariss'", 1, "paris"),
    "rennes & Paris & lyons": ("no cloud is called 'Paris'", 8, "paris"),
    "edge-1 | edge-10": ("no cloud is called 'edge-10'", 8, "edge-1"),
    "zzz & zz": ("no cloud is called 'zzz'", 1, None),
    "paris/Nord": ("paris has no region 'Nord'", 7, None),
    "paris/Sudd": ("paris has no region 'Sudd'", 7, "Sud"),
    "@ft": ("no group is called 'ft'", 2, "fr"),
    "around(edg, 1ms)": ("no cloud and no group is called 'edg'", 8, "edge"),
    "around(fr/Sud, 1ms)": ("no cloud is called 'fr'", 8, None),
    "zoo-*": ("no cloud of this configuration is meant by this scope", 1, None),
    "not(*)": ("no cloud of this configuration is meant by this scope", 1, None),
    "paris & not(paris)": ("no cloud of this configuration is meant by this scope", 1, None),
    "any(1, zoo-*)": ("no cloud of this configuration is meant by this scope", 1, None),
    "nearest(zoo-*)": ("no cloud of this configuration is meant by this scope", 1, None),
    "any(4, @fr)": ("any(4, …) asks for 4 of 3 clouds", 1, None),
    "any(2, paris)": ("any(2, …) asks for 2 of 1 cloud", 1, None),
    "any(3, @fr) & not(paris)": ("any(3, …) asks for 3 of 2 clouds", 1, None),
    "nearest(any(1, *))": ("any(…) is decided call by call, so it cannot stand inside another call", 1, None),
    "any(1, paris % lyon)": ("% makes one resource across clouds, so it cannot stand inside a call", 1, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    from oidproxy.clouds.loading.load import read

    path = tmp_path_factory.mktemp("resolve") / "oidproxy.yaml"
    path.write_text(REGISTRY)
    return read(path, environ={}).registry


def expr(text):
    return parse(f"*:{text}").binding("image")


@pytest.mark.parametrize("text", PLANS)
def test_an_expression_means_this_plan(text, registry):
    assert resolve(expr(text), registry, home="paris") == PLANS[text]


@pytest.mark.parametrize("text", REFUSALS)
def test_an_expression_is_refused_with_these_words(text, registry):
    with pytest.raises(ScopeError) as caught:
        resolve(expr(text), registry, home="paris")
    error = caught.value
    assert (error.message, error.column, error.suggestion) == REFUSALS[text]
    assert error.status == 400


@pytest.mark.parametrize(
    ("tree", "operator"),
    [
        (FirstOf((CloudName("paris"), Not(CloudName("lyon")))), "|"),
        (Cross((CloudName("paris"), Not(CloudName("lyon")))), "%"),
        (Nearest(FirstOf((CloudName("paris"), Not(CloudName("lyon"))))), "|"),
    ],
)
def test_a_tree_that_no_text_has_is_refused_too(tree, operator, registry):
    with pytest.raises(ScopeError) as caught:
        resolve(tree, registry, home="paris")
    message = f'not(…) cannot stand under "{operator}": it takes clouds away from the others of an "&"'
    assert caught.value.message == message


def test_nearest_is_measured_from_home(registry):
    assert resolve(expr("nearest(*, 2)"), registry, home="edge-1") == Every((EDGE_1, RENNES))
    assert resolve(expr("nearest(@fr)"), registry, home="edge-2") == RENNES


def test_a_home_that_is_gone_counts_as_the_local_cloud(registry):
    assert resolve(expr("nearest(*)"), registry, home="atlantis") == PARIS


def test_an_error_holds_the_canonical_text(registry):
    with pytest.raises(ScopeError) as caught:
        resolve(expr("paris   else  ( pariss )"), registry, home="paris")
    assert (caught.value.text, caught.value.column) == ("paris|pariss", 7)


def test_members_of_a_plan_are_counted_once(registry):
    plan = resolve(expr("lyon | @fr | (rennes & lyon)"), registry, home="paris")
    assert members(plan) == (LYON, PARIS, RENNES)


def test_the_region_of_a_cloud_that_did_not_answer_is_not_judged(loaded):
    from oidproxy.clouds.catalog import Learned

    def learn(clouds_yaml, asks, timeout):
        return {ask.cloud: Learned(ask.cloud, "asleep", ask.auth_url) for ask in asks}

    text = "clouds_yaml: c\nclouds: {one: {auth_url: 'http://a/v3', credentials: r}}"
    registry = loaded(text, {"c": "clouds: {r: {}}"}, learn=learn).registry
    assert resolve(expr("one/Anywhere"), registry, home="one") == One("one", "Anywhere")


@pytest.mark.parametrize("operator", ["&", "|"])
def test_a_scope_that_looks_through_thousands_of_clouds_again_and_again_is_refused(operator, tmp_path):
    from oidproxy.clouds.loading.load import read

    clouds = "".join(f"  c{n}: {{upstream: 10.0.{n >> 8}.{n & 255}}}\n" for n in range(3000))
    (tmp_path / "oidproxy.yaml").write_text(f"local: c0\nclouds:\n{clouds}")
    registry = read(tmp_path / "oidproxy.yaml", environ={}).registry
    globs = operator.join(f"c*{n}" for n in range(180))
    with pytest.raises(ScopeError, match="looks through the clouds too often: name a group"):
        resolve(expr(globs), registry, home="c0")
    few = operator.join(f"c*{n}" for n in range(16))
    assert len(members(resolve(expr(few), registry, home="c0"))) > 1000

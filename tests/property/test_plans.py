"""What holds for the plan of any expression over any registry."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.glob import matches
from oidproxy.clouds.plan import Crossed, Every, First, One, Some, members
from oidproxy.clouds.registry import Cloud, Endpoint, Origin, Registry
from oidproxy.clouds.resolve import resolve
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import canonical_expr
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import (
    AllClouds,
    AllOf,
    AnyOf,
    Around,
    CloudGlob,
    CloudName,
    Cross,
    FirstOf,
    Group,
    Nearest,
    Not,
    Place,
)

NAMES = ("a", "b", "c", "ab", "abc")
GROUPS = ("g", "h")
UNKNOWN = ("zz",)


@st.composite
def registries(draw):
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    clouds = {}
    for position, name in enumerate(names):
        endpoints = tuple(
            Endpoint(name, "image", Origin("http", name, 80), region=region) for region in ("R1", "R2")
        )
        groups = tuple(draw(st.lists(st.sampled_from(GROUPS), unique=True)))
        clouds[name] = Cloud(name, f"http://{name}/v3", position, endpoints, region="R1", groups=groups)
    groups = {
        group: found
        for group in GROUPS
        if (found := tuple(name for name, cloud in clouds.items() if group in cloud.groups))
    }
    ends = st.sampled_from((*NAMES, *GROUPS))
    delays = draw(st.dictionaries(st.tuples(ends, ends), st.integers(0, 9), max_size=6))
    default = draw(st.integers(0, 9))
    return Registry(
        MappingProxyType(clouds),
        MappingProxyType(groups),
        names[0],
        (),
        RoundTrips(default, MappingProxyType(delays)),
    )


PLACES = st.builds(Place, st.sampled_from((*NAMES, *GROUPS)))
LEAVES = st.one_of(
    st.builds(CloudName, st.sampled_from(NAMES + UNKNOWN), st.sampled_from((None, None, "R1", "R2", "R3"))),
    st.builds(CloudGlob, st.sampled_from(("a*", "*b*", "*c", "z*"))),
    st.just(AllClouds()),
    st.builds(Group, st.sampled_from(GROUPS)),
)
DISTANCES = st.builds(Around, PLACES, st.integers(0, 20))


def several(kind, operands):
    return st.lists(operands, min_size=2, max_size=4).map(lambda found: kind(tuple(found)))


SETS = st.recursive(
    LEAVES, lambda inner: several(AllOf, inner | st.builds(Not, inner)) | st.builds(Not, inner), max_leaves=8
)
EXPRESSIONS = st.recursive(
    LEAVES | DISTANCES,
    lambda inner: st.one_of(
        several(AllOf, inner),
        several(FirstOf, inner),
        several(Cross, inner),
        st.builds(Not, inner),
        st.builds(Nearest, inner, st.integers(1, 3)),
        st.builds(AnyOf, st.integers(1, 3), inner),
    ),
    max_leaves=8,
)


def planned(expr, registry):
    """The plan, or the error: nothing else may come of an expression."""
    try:
        return resolve(expr, registry, home=registry.local)
    except ScopeError as error:
        return error


def parts(plan):
    yield plan
    for part in getattr(plan, "plans", ()):
        yield from parts(part)


@given(EXPRESSIONS, registries())
def test_a_plan_is_in_its_normal_form(expr, registry):
    plan = planned(expr, registry)
    if isinstance(plan, ScopeError):
        return
    for part in parts(plan):
        match part:
            case Every(plans) | First(plans) | Crossed(plans):
                assert len(plans) > 1
                assert len(set(plans)) == len(plans)
                assert not any(isinstance(inner, type(part)) for inner in plans)
            case Some(count, among):
                assert 1 <= count <= len(among) > 1
                assert len(set(among)) == len(among)
            case One(cloud, region):
                assert region is None or region in registry.clouds[cloud].regions
    assert members(plan)


@given(EXPRESSIONS, registries())
def test_the_same_expression_has_the_same_plan(expr, registry):
    first, second = planned(expr, registry), planned(expr, registry)
    assert type(first) is type(second)
    assert str(first) == str(second)


@given(SETS, registries())
def test_a_plan_means_the_set_that_one_would_compute(expr, registry):
    plan = planned(expr, registry)
    expected = computed(expr, registry)
    if isinstance(plan, ScopeError):
        assert not expected
    else:
        assert {(one.cloud, one.region) for one in members(plan)} == expected


def computed(expr, registry):
    """The same with Python's sets of (cloud, named region or None); None where a name is unknown."""
    match expr:
        case CloudName(name, region):
            known = name in registry.clouds and region != "R3"
            return {(name, region)} if known else None
        case CloudGlob(pattern):
            return {(name, None) for name in registry.clouds if matches(pattern, name)}
        case AllClouds():
            return {(name, None) for name in registry.clouds}
        case Group(name):
            return {(cloud, None) for cloud in registry.groups[name]} if name in registry.groups else None
        case Not():
            return computed(AllOf((AllClouds(), expr)), registry)
        case AllOf(operands):
            return computed_all(operands, registry)


def computed_all(operands, registry):
    gone = [computed(operand.of, registry) for operand in operands if isinstance(operand, Not)]
    others = [computed(operand, registry) for operand in operands if not isinstance(operand, Not)]
    if None in gone or None in others:
        return None
    base = set().union(*others) if others else computed(AllClouds(), registry)
    taken = set().union(*gone)
    left = {
        (cloud, region)
        for cloud, region in base
        if (cloud, None) not in taken and (cloud, region or "R1") not in taken
    }
    # R1 is every cloud's own region: with the whole cloud beside it, it is that cloud.
    return {(cloud, region) for cloud, region in left if region != "R1" or (cloud, None) not in left}


@given(EXPRESSIONS, registries())
def test_an_expression_and_itself_is_itself(expr, registry):
    if isinstance(expr, Not):
        return
    alone, twice = planned(expr, registry), planned(AllOf((expr, expr)), registry)
    if isinstance(alone, ScopeError):
        assert isinstance(twice, ScopeError)
    else:
        assert twice == alone


@given(EXPRESSIONS, registries())
def test_the_text_of_an_expression_has_its_plan(expr, registry):
    try:
        read = parse(f"*:{canonical_expr(expr)}").binding("*")
    except ScopeError:
        return
    assert str(planned(read, registry)) == str(planned(expr, registry))


@given(PLACES, st.integers(0, 20), st.integers(0, 20), registries())
def test_a_larger_circle_begins_with_the_smaller_one(place, one, other, registry):
    small, large = (planned(Around(place, radius), registry) for radius in sorted((one, other)))
    if not isinstance(small, ScopeError):
        assert members(large)[: len(members(small))] == members(small)


@given(st.integers(1, 5), registries())
def test_the_nearest_are_in_the_order_of_their_distance_and_then_of_their_names(count, registry):
    found = [one.cloud for one in members(planned(Nearest(AllClouds(), count), registry))]
    distances = [(registry.round_trip_us(registry.local, name), name) for name in registry.clouds]
    assert found == [name for _, name in sorted(distances)][:count]
    assert found[0] == registry.local or registry.round_trip_us(registry.local, found[0]) == 0


@given(st.sampled_from(GROUPS), st.integers(0, 20), registries())
def test_around_a_group_is_around_any_of_its_clouds(group, radius, registry):
    if group not in registry.groups:
        return
    together = planned(Around(Place(group), radius), registry)
    each = [planned(Around(Place(name), radius), registry) for name in registry.groups[group]]
    assert set(members(together)) == {one for plan in each for one in members(plan)}

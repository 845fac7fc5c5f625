"""A union read in pages of any size is one sorted list: nothing lost, nothing twice, for any databases."""

from __future__ import annotations

import random
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.manyclouds.merging.clouds import Cloud, Database, pages, read, server

NAMES = st.one_of(
    st.sampled_from(["a", "B", "b", "Beta", "alpha", "_x", "Zeta", "zeta", "", "ä", "10", "9", "web-1"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
    st.none(),
)
# No API of OpenStack takes a NUL in a name. With one, a row may come a place too early, and still only once.
ODD_NAMES = NAMES | st.sampled_from(["\0", "a\0", "\0b"])
STAMPS = st.sampled_from([f"2025-01-0{day}T00:00:00Z" for day in range(1, 6)])
KNOWN = st.builds(
    Database,
    fold=st.sampled_from([str.upper, str.lower, str]),
    nulls_high=st.booleans(),
    ids_descending=st.sampled_from([None, True, False]),
)
ANY = st.one_of(KNOWN, st.just(Database(scrambled=True)))
ORDERS = st.sampled_from(
    [
        (b"", (("created", True),)),
        (b"sort_key=display_name&sort_dir=asc", (("name", False),)),
        (b"sort_key=display_name&sort_dir=desc", (("name", True),)),
        (
            b"sort_key=created_at&sort_key=display_name&sort_dir=asc&sort_dir=desc",
            (("created", False), ("name", True)),
        ),
        (b"sort_key=progress&sort_dir=desc&sort_key=display_name", (("progress", True), ("name", True))),
        (b"sort_key=uuid&sort_dir=asc", (("id", False),)),
    ]
)
LIMITS = st.integers(1, 12)


@st.composite
def rows(draw, names=NAMES):
    identity = str(UUID(int=draw(st.integers(0, 2**128 - 1))))
    row = server(identity, created=draw(STAMPS))
    row["name"] = draw(names)
    progress = draw(st.sampled_from([None, 0, 5, 5, 2.5, 100, "absent"]))
    return row if progress == "absent" else row | {"progress": progress}


def fleets(names=NAMES):
    held = st.lists(rows(names), max_size=8, unique_by=lambda row: row["id"])
    return st.lists(held, min_size=1, max_size=5)


FLEETS = fleets()


def fleet(lists, databases, keys, missing=400):
    seen = set()
    clouds = {}
    for number, (held, database) in enumerate(zip(lists, databases, strict=False)):
        fresh = [row for row in held if row["id"] not in seen]
        seen |= {row["id"] for row in fresh}
        clouds[f"cloud-{number}"] = Cloud(fresh, database, keys, missing)
    return clouds


def ids_of(found):
    return [identity for page in found for identity in page.shown.ids]


@given(FLEETS, KNOWN, ORDERS, LIMITS, st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pages_of_any_size_are_one_sorted_database(lists, database, order, limit, by_id):
    query, keys = order
    clouds = fleet(lists, [database] * len(lists), keys)
    every = [row for cloud in clouds.values() for row in cloud.rows]
    found = pages(clouds, query + b"&limit=%d" % limit, ids=by_id)
    expected = [row["id"] for row in database.sort(every, keys)]
    assert sorted(ids_of(found)) == sorted(expected)
    likely = not (
        database.fold is not str.upper or database.nulls_high or database.ids_descending is not None
    )
    if likely:
        assert ids_of(found) == expected
        assert not any(page.disordered for page in found)
    assert all(len(page.shown.ids) == limit for page in found[:-1])


@given(FLEETS, ORDERS, LIMITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_plain_ids_that_nobody_remembers_do_as_markers(lists, order, limit):
    query, keys = order
    clouds = fleet(lists, [Database()] * len(lists), keys)
    every = [row for cloud in clouds.values() for row in cloud.rows]
    shown = []
    while ids := read(clouds, query + b"&limit=%d" % limit + _behind(shown)).shown.ids:
        shown += ids
    assert shown == [row["id"] for row in Database().sort(every, keys)]


def _behind(shown):
    return b"&marker=" + shown[-1].encode() if shown else b""


@given(FLEETS, st.lists(KNOWN, min_size=5, max_size=5), ORDERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_a_limit_every_row_comes_once_and_each_cloud_in_its_own_order(lists, databases, order):
    query, keys = order
    clouds = fleet(lists, databases, keys)
    page = read(clouds, query)
    assert page.last
    for leg, cloud in clouds.items():
        mine = [identity for identity, of in zip(page.shown.ids, page.shown.legs, strict=True) if of == leg]
        assert mine == [row["id"] for row in cloud.database.sort(cloud.rows, keys)]


@given(
    fleets(ODD_NAMES),
    st.lists(ANY, min_size=5, max_size=5),
    ORDERS,
    LIMITS,
    st.lists(rows(), max_size=12, unique_by=lambda row: row["id"]),
    st.randoms(use_true_random=False),
    st.sampled_from([400, 404]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rows_that_stay_come_once_while_others_come_and_go(
    lists, databases, order, limit, fresh, chance, missing, by_id
):
    query, keys = order
    clouds = fleet(lists, databases, keys, missing)
    stay = {row["id"] for cloud in clouds.values() for row in cloud.rows}
    first = set(stay)
    fresh = [row for row in fresh if row["id"] not in stay]

    def between():
        for cloud in clouds.values():
            # Of a cloud that may yet keep a known order, the last row and two more are remembered.
            if cloud.rows and chance.random() < 0.5 and not (cloud.database.scrambled and cloud.deleted == 2):
                gone = chance.choice(cloud.rows)
                # Deleting the rows just shown is what breaks markers.
                cloud.rows.remove(gone)
                cloud.deleted += 1
                stay.discard(gone["id"])
        if fresh:
            chance.choice(list(clouds.values())).rows.append(fresh.pop())

    found = pages(clouds, query + b"&limit=%d" % limit, between=between, ids=by_id)
    shown = ids_of(found)
    assert len(shown) == len(set(shown)), "twice"
    assert stay <= set(shown), "lost"
    assert set(shown) <= first | set(shown) - stay
    assert all(len(page.shown.ids) <= limit for page in found)
    for leg, cloud in clouds.items():
        mine = [
            i for page in found for i, of in zip(page.shown.ids, page.shown.legs, strict=True) if of == leg
        ]
        kept = [row["id"] for row in cloud.database.sort(cloud.rows, keys) if row["id"] in stay]
        assert [identity for identity in mine if identity in stay] == kept


@given(
    FLEETS,
    st.lists(KNOWN, min_size=5, max_size=5),
    ORDERS,
    st.none() | LIMITS,
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rows_may_go_while_a_page_is_being_read(lists, databases, order, limit, longest, chance):
    query, keys = order
    clouds = fleet(lists, databases, keys)
    stay = {row["id"] for cloud in clouds.values() for row in cloud.rows}

    def before(cloud):
        if cloud.rows and chance.random() < 0.5:
            gone = chance.choice(cloud.rows)
            cloud.rows.remove(gone)
            stay.discard(gone["id"])

    for cloud in clouds.values():
        cloud.longest, cloud.before = longest, before
    found = pages(clouds, query + (b"&limit=%d" % limit if limit else b""))
    shown = ids_of(found)
    assert len(shown) == len(set(shown))
    assert stay <= set(shown)
    assert not any(page.failed for page in found)


@given(FLEETS, st.lists(KNOWN, min_size=5, max_size=5), ORDERS, LIMITS, st.integers(0, 2**16))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_cloud_that_was_out_of_reach_is_caught_up_with(lists, databases, order, limit, seed):
    query, keys = order
    clouds = fleet(lists, databases, keys)
    chance = random.Random(seed)
    ends = 0

    def between():
        nonlocal ends
        ends += 1
        for cloud in clouds.values():
            cloud.down = ends < 6 and chance.random() < 0.3

    found = pages(clouds, query + b"&limit=%d" % limit, between=between)
    shown = ids_of(found)
    assert len(shown) == len(set(shown))
    missing = {row["id"] for cloud in clouds.values() for row in cloud.rows} - set(shown)
    silent = {row["id"] for leg in found[-1].failed for row in clouds[leg].rows}
    assert missing <= silent


@given(FLEETS, st.lists(ANY, min_size=5, max_size=5), ORDERS, LIMITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_cloud_is_read_for_more_than_the_limit_and_one_batch(lists, databases, order, limit):
    query, keys = order
    clouds = fleet(lists, databases, keys)
    read(clouds, query + b"&limit=%d" % limit)
    assert all(cloud.given <= limit for cloud in clouds.values())

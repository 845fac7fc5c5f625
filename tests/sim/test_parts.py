"""The small shared parts: routes, pages, access rules, catalogs, the token cache, times, settings, the
driver."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidproxy.errors import ConfigError
from oidproxy.sim import access_rules, timestamps
from oidproxy.sim.blobs import Blobs, generated
from oidproxy.sim.caller import ANONYMOUS, from_token
from oidproxy.sim.catalog import EndpointNotFoundError, find, names_of
from oidproxy.sim.connections import Connections
from oidproxy.sim.driver import Driver
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Request, empty
from oidproxy.sim.paging import in_order, next_query, page
from oidproxy.sim.routes import Exchange, Route, Routes
from oidproxy.sim.settings import PORTS, read_ports
from oidproxy.sim.sources import Sources
from oidproxy.sim.steps import Note, Once, Pause, Procedure, ReadBody, Spawn
from oidproxy.sim.token_cache import TokenCache

if TYPE_CHECKING:
    from pathlib import Path


def request(path: str = "/", query: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request("GET", path, query, {"host": "h:1"})


class TestRoutes:
    def test_literals_come_before_captures_and_are_given_up_when_they_lead_nowhere(self) -> None:
        found: list[str] = []

        def handler(name: str) -> Any:
            return lambda _exchange: found.append(name) or empty()

        routes = Routes(
            [
                Route("GET", "/v3/{project}/volumes", handler("many")),
                Route("GET", "/v3/volumes/{id}", handler("one")),
                Route("GET", "/v3/volumes/detail", handler("detail")),
                Route("DELETE", "/v3/volumes/{id}", handler("gone")),
            ]
        )
        cases = {
            "/v3/p/volumes": ("many", {"project": "p"}),
            "/v3/volumes/1": ("one", {"id": "1"}),
            "/v3/volumes/detail": ("detail", {}),
            "/v3/volumes/volumes": ("one", {"id": "volumes"}),
            "//v3//volumes/1/": ("one", {"id": "1"}),
            "/v3/volumes/a%2Fb": ("one", {"id": "a/b"}),
        }
        for path, (name, params) in cases.items():
            route, held = routes.find("GET", request(path).segments)
            route.handler(Exchange(request(path), ANONYMOUS, held, (0, 0), ""))
            assert (found[-1], held) == (name, params)

    def test_head_is_get_and_other_methods_are_told(self) -> None:
        routes = Routes([Route("GET", "/a", lambda _exchange: empty())])
        assert routes.find("HEAD", ("a",))[0].method == "GET"
        with pytest.raises(ApiError) as refused:
            routes.find("POST", ("a",))
        assert (refused.value.status, refused.value.fields) == (405, (("Allow", "GET"),))
        with pytest.raises(ApiError) as missing:
            routes.find("GET", ("b",))
        assert missing.value.status == 404


class TestPages:
    @given(st.lists(st.integers(), unique=True), st.integers(1, 5))
    def test_following_markers_gives_everything_once(self, items: list[int], limit: int) -> None:
        seen: list[int] = []
        marker = ""
        while True:
            found = page(items, str, marker, limit)
            seen += found.items
            if not found.more:
                break
            marker = str(found.items[-1])
        assert seen == items

    def test_an_unknown_marker_is_refused(self) -> None:
        with pytest.raises(ApiError):
            page([1, 2], str, "3", None)

    @given(st.lists(st.dictionaries(st.sampled_from("ab"), st.one_of(st.none(), st.integers(), st.text()))))
    def test_anything_can_be_ordered(self, rows: list[dict[str, Any]]) -> None:
        ordered = in_order(rows, [("a", True), ("b", False)], lambda row, key: row.get(key))
        assert sorted(map(id, ordered)) == sorted(map(id, rows))

    def test_the_next_page_keeps_the_query(self) -> None:
        asked = request("/x", (("limit", "2"), ("marker", "old"), ("name", "a b")))
        assert next_query(asked, "new") == "limit=2&name=a+b&marker=new"


class TestAccessRules:
    @pytest.mark.parametrize(
        ("pattern", "path", "matches"),
        [
            ("/v2.1/servers", "/v2.1/servers", True),
            ("/v2.1/servers", "/v2.1/servers/1", False),
            ("/v2.1/servers", "/v2x1/servers", False),
            ("/v2.1/servers/{id}", "/v2.1/servers/1", True),
            ("/v2.1/servers/{id}", "/v2.1/servers/1/ips", False),
            ("/v2.1/servers/*", "/v2.1/servers/1", True),
            ("/v2.1/servers/*", "/v2.1/servers/", False),
            ("/v2.1/**", "/v2.1/servers/1/ips", True),
            ("**", "/anything/at/all", True),
            ("/a+b", "/a+b", True),
        ],
    )
    def test_patterns(self, pattern: str, path: str, matches: bool) -> None:
        rule = {"service": "compute", "method": "GET", "path": pattern}
        document = {"application_credential": {"access_rules": [rule]}, "catalog": [{"type": "compute"}]}
        assert access_rules.allows(document, "compute", "GET", path) is matches

    def test_a_token_may_always_be_validated(self) -> None:
        document = {"application_credential": {"access_rules": []}, "catalog": []}
        assert access_rules.allows(document, "identity", "GET", "/v3/auth/tokens")
        assert not access_rules.allows(document, "identity", "GET", "/v3/users")


class TestCatalog:
    CATALOG = (
        {
            "type": "volumev3",
            "endpoints": [
                {"interface": "public", "region": "A", "url": "http://a/v3/"},
                {"interface": "internal", "region": "B", "url": "http://b/v3"},
                {"interface": "public", "region_id": "B", "url": "http://c/v3"},
            ],
        },
    )

    def test_by_alias_region_and_interface(self) -> None:
        types = names_of("block-storage")
        assert find(self.CATALOG, types, "A") == "http://a/v3"
        assert find(self.CATALOG, types, "B") == "http://b/v3"
        assert find(self.CATALOG, types, "B", ("public",)) == "http://c/v3"
        assert find(self.CATALOG, types, "") == "http://b/v3"

    @pytest.mark.parametrize(("kind", "region"), [("image", "A"), ("block-storage", "C")])
    def test_what_is_not_there_is_not_guessed(self, kind: str, region: str) -> None:
        with pytest.raises(EndpointNotFoundError):
            find(self.CATALOG, names_of(kind), region)


class TestTokenCache:
    def test_it_forgets_in_time_and_keeps_to_its_size(self) -> None:
        cache = TokenCache(10.0, capacity=2)
        for place in range(3):
            cache.put(f"t{place}", {"n": place}, 0.0)
        assert cache.get("t0", 1.0) is None
        assert cache.get("t2", 9.9) == {"n": 2}
        assert cache.get("t2", 10.0) is None

    def test_minus_one_switches_it_off(self) -> None:
        cache = TokenCache(-1)
        cache.put("t", {}, 0.0)
        assert cache.get("t", 0.0) is None


@pytest.mark.parametrize("missing", ["user", "methods", "expires_at"])
def test_a_token_answer_without_these_is_a_500_as_at_real_services(missing: str) -> None:
    document = {
        "user": {"id": "u", "name": "n", "domain": {"id": "d"}}, "methods": ["password"],
        "expires_at": "2025-06-01T00:00:00.000000Z",
    }  # fmt: skip
    assert from_token(document, "t").user_id == "u"
    del document[missing]
    with pytest.raises(KeyError):
        from_token(document, "t")


def test_times_as_each_service_prints_them() -> None:
    now = 1_748_779_200.25
    printed = [write(now) for write in (timestamps.micro_zulu, timestamps.zulu, timestamps.micro)]
    assert printed == ["2025-06-01T12:00:00.250000Z", "2025-06-01T12:00:00Z", "2025-06-01T12:00:00.250000"]
    assert [timestamps.seconds(text) for text in printed] == [now, now - 0.25, now]


def test_ports_are_read() -> None:
    assert read_ports("")["identity"] == 5000
    assert read_ports("identity=15000,block-storage=1")["block-storage"] == 1
    assert read_ports("identity=15000")["image"] == PORTS["image"]
    for text in ("identity", "identity=0", "identity=65536", "what=1"):
        with pytest.raises(ConfigError):
            read_ports(text)


def test_ids_look_as_they_should() -> None:
    sources = Sources(lambda: 0.0, random.Random(1))
    assert len(sources.hex()) == 32
    assert sources.uuid()[14] == "4"
    assert sources.request_id().startswith("req-")


def test_generated_bytes_depend_on_the_pattern_alone() -> None:
    one = b"".join(generated("a", 200_000))
    assert len(one) == 200_000
    assert one == b"".join(generated("a", 200_000))
    assert one != b"".join(generated("b", 200_000))


def test_a_blob_appears_when_it_is_complete(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "b")
    with pytest.raises(RuntimeError), blobs.writer("x") as writer:
        writer.write(b"half")
        raise RuntimeError
    assert list((tmp_path / "b").iterdir()) == []
    with blobs.writer("x") as writer:
        writer.write(b"whole")
    assert b"".join(blobs.pieces("x")) == b"whole"
    for name in ("../x", "/x", ".x"):
        with pytest.raises(ValueError):
            blobs.writer(name)


class TestDriver:
    @pytest.fixture
    def driver(self, tmp_path: Path) -> Driver:
        blobs = Blobs(tmp_path / "b")
        return Driver(Connections(blobs, None), blobs, tmp_path)

    async def test_once_runs_once_for_all_and_again_later(self, driver: Driver) -> None:
        runs = 0

        def work() -> Procedure[int]:
            nonlocal runs
            runs += 1
            yield Pause(0.01)
            return runs

        def ask() -> Procedure[int]:
            result: int = yield Once("key", work)
            return result

        assert await asyncio.gather(*(driver.run(ask()) for _ in range(10))) == [1] * 10
        assert await driver.run(ask()) == 2

    async def test_once_fails_for_all(self, driver: Driver) -> None:
        def work() -> Procedure[None]:
            yield Pause(0.01)
            raise ApiError(503)

        def ask() -> Procedure[None]:
            yield Once("key", work)

        outcomes = await asyncio.gather(*(driver.run(ask()) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ApiError] * 3

    async def test_a_failed_step_is_raised_inside(self, driver: Driver) -> None:
        def ask() -> Procedure[str]:
            try:
                yield ReadBody()
            except ValueError:
                return "told"
            return "not told"

        assert await driver.run(ask()) == "told"

    async def test_what_is_spawned_goes_on_and_ends_with_the_driver(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        def background(seconds: float) -> Procedure[None]:
            yield Pause(seconds)
            yield Note("journal", {"seconds": seconds})

        def ask() -> Procedure[None]:
            yield Spawn(background(0.0))
            yield Spawn(background(30.0))

        await driver.run(ask())
        await asyncio.sleep(0.05)
        await driver.close()
        assert (tmp_path / "journal.jsonl").read_text() == '{"seconds":0.0}\n'

"""One list of both clouds' rows, page by page beside the clouds' own: real services, real databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import openstack
import pytest

from devstack.lab.api import Account, Api
from devstack.lab.passwords import Secrets
from tests.lab.many import BOTH, RAW, Many, Told, told, under
from tests.lab.things import CLOUDS, build, clear


@pytest.fixture(scope="module", autouse=True)
def things(many, truths):
    """In both clouds at once. What is read does not change any more then."""
    with ThreadPoolExecutor() as pool:
        try:
            list(pool.map(lambda truth: build(many, truth), truths))
            yield
        finally:
            list(pool.map(lambda truth: clear(many, truth), truths))


@dataclass(frozen=True)
class Case:
    """A list and how it is to be sorted: keys of a row, each with its direction."""

    service: str
    path: str
    query: str = ""
    keys: tuple[tuple[str, bool], ...] = ()
    """Member, and whether descending."""
    limits: tuple[int, ...] = (3, 1000)

    @property
    def list_key(self) -> str:
        name = self.path.removesuffix("/detail").rpartition("/")[2]
        return name.removeprefix("os-").replace("-", "_")

    def __str__(self) -> str:
        return f"{self.list_key}?{self.query}"

    def url(self, *more: str) -> str:
        return "?".join((self.path, "&".join(part for part in (self.query, *more) if part)))


CASES = (
    Case("image", "/v2/images", "", (("created_at", True),), (1, 2, 5, 1000)),
    Case("image", "/v2/images", "sort_key=name&sort_dir=asc", (("name", False),)),
    Case("image", "/v2/images", "sort=size:desc,name:asc", (("size", True), ("name", False))),
    Case("image", "/v2/images", "sort_key=size&sort_dir=asc", (("size", False),)),
    Case("compute", "/v2.1/servers/detail", "", (("created", True),), (2,)),
    Case("compute", "/v2.1/servers", "sort_key=display_name&sort_dir=asc", (("name", False),)),
    Case("compute", "/v2.1/flavors/detail", "", (("id", False),)),
    Case("compute", "/v2.1/flavors/detail", "sort_key=memory_mb&sort_dir=desc", (("ram", True),)),
    Case("compute", "/v2.1/os-keypairs"),
    Case("block-storage", "/v3/{project}/volumes/detail", "", (("created_at", True),)),
    Case("block-storage", "/v3/{project}/volumes/detail", "sort=name:asc", (("name", False),)),
    Case(
        "block-storage",
        "/v3/{project}/volumes/detail",
        "sort=size:desc,name:asc",
        (("size", True), ("name", False)),
    ),
    # Without details rows do not show what they are sorted by.
    Case("block-storage", "/v3/{project}/volumes", "sort=size:desc,name:asc", (), (2,)),
    Case("network", "/v2.0/networks", "", (("id", False),), (1,)),
    Case("network", "/v2.0/networks", "sort_key=name&sort_dir=asc", (("name", False),)),
    Case("network", "/v2.0/subnets", "sort_key=name&sort_dir=desc", (("name", True),)),
    Case(
        "network",
        "/v2.0/ports",
        "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc",
        (("name", False), ("id", True)),
    ),
    Case(
        "network",
        "/v2.0/security-groups",
        "sort_key=name&sort_dir=asc&fields=id&fields=name",
        (("name", False),),
    ),
    Case("network", "/v2.0/security-group-rules", "", (("id", False),), (11,)),
)


def pages(many, case, limit, *, ordered=True):
    """Every page, by the links from one to the next."""
    path, found = case.url(f"limit={limit}"), []
    while path:
        answer = many.call("GET", case.service, path)
        assert told(answer) == Told(2, (), ())
        assert not ordered or "x-scope-order" not in answer.headers, (path, answer.headers)
        document = answer.json
        found.append(document[case.list_key])
        path = follow(many, case, document)
    return found


def follow(many, case, document):
    """The path below the service that a list's link to the next page leads to."""
    links = document.get(f"{case.list_key}_links", ())
    link = document.get("next") or next((one["href"] for one in links if one["rel"] == "next"), "")
    if not link:
        return ""
    parts = urlsplit(link)
    if parts.netloc:
        assert link.startswith(f"{many.gateway}/{case.service}/"), link
    return parts.path.removeprefix(f"/{case.service}") + "?" + parts.query


def value(row, member):
    """As MariaDB compares, for what stands here: null first, letters as capitals."""
    found = row[member]
    return (0, 0) if found is None else (1, found.upper() if isinstance(found, str) else found)


def in_order(rows, keys):
    """Whether sorting by these keys, which keeps equal rows as they are, would change nothing."""
    ordered = list(rows)
    for member, descending in reversed(keys):
        ordered.sort(key=lambda row: value(row, member), reverse=descending)
    members = [member for member, _ in keys]
    return [[value(row, one) for one in members] for row in ordered] == [
        [value(row, one) for one in members] for row in rows
    ]


def own_lists(many, case):
    return [many.get(case.service, case.url(), scope=under(cloud))[case.list_key] for cloud in CLOUDS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_clouds_own_lists_in_one_order_whatever_the_size_of_its_pages(many, case):
    own = own_lists(many, case)
    answer = many.call("GET", case.service, case.url())
    whole = answer.json[case.list_key]
    assert all(own)
    assert "x-scope-order" not in answer.headers
    if case.list_key == "keypairs":
        # Nova has pages of these only since 2.35: they are sorted here.
        assert whole == sorted(own[0] + own[1], key=lambda row: row["keypair"]["name"])
    else:
        # Word for word, and within a cloud as its database has it.
        assert [[row for row in whole if row in rows] for rows in own] == own
        assert len(whole) == sum(map(len, own))
        assert in_order(whole, case.keys)
    for limit in case.limits:
        found = pages(many, case, limit)
        assert [row for page in found for row in page] == whole, limit
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


@pytest.mark.parametrize(
    ("service", "path", "key", "names"),
    [
        ("image", "/v2/images?name=same", "images", ["same", "same"]),
        # SQL's = thinks so, too.
        ("network", "/v2.0/networks?name=alpha", "networks", {"Alpha", "alpha"}),
        ("compute", "/v2.1/servers?name=^[Bb]", "servers", {"beta", "BETA"}),
        ("block-storage", "/v3/{project}/volumes/detail?size=2", "volumes", None),
    ],
)
def test_filters_are_the_services_own(many, service, path, key, names):
    own = [many.get(service, path, scope=under(cloud))[key] for cloud in CLOUDS]
    found = many.get(service, path)[key]
    assert all(own)
    assert sorted(row["id"] for row in found) == sorted(row["id"] for rows in own for row in rows)
    if names is not None:
        assert type(names)(row["name"] for row in found) == names


def test_every_row_is_a_marker_and_a_filter_goes_on_with_it(many):
    path = "/v2/images?status=queued&sort_key=name&sort_dir=asc"
    whole = many.get("image", path)["images"]
    for at, row in enumerate(whole):
        rest = many.get("image", f"{path}&marker={row['id']}&limit=3")["images"]
        assert rest == whole[at + 1 : at + 4]


def test_rows_that_come_and_go_between_pages_take_no_other_with_them(many):
    """The last row of a page is deleted, and one comes that belongs before it."""
    made = {
        name: many.make("image", "/v2/images", {"name": name, **RAW}, cloud)[cloud]
        for cloud in CLOUDS
        for name in (f"page-{at}-{cloud}" for at in (1, 2, 3))
    }
    case = Case(
        "image",
        "/v2/images",
        "sort_key=name&sort_dir=asc&status=queued&name=" + quote("in:" + ",".join(made)),
    )
    try:
        path, seen = case.url("limit=1"), []
        first = many.get("image", path)
        seen += [row["name"] for row in first["images"]]
        path = follow(many, case, first)
        second = many.get("image", path)
        seen += [row["name"] for row in second["images"]]
        for name in seen:
            [cloud] = [one for one in CLOUDS if name.endswith(one)]
            many.call("DELETE", "image", f"/v2/images/{made.pop(name)}", scope=under(cloud))
        while path := follow(many, case, second):
            second = many.get("image", path)
            seen += [row["name"] for row in second["images"]]
        assert seen == [f"page-{at}-{cloud}" for at in (1, 2, 3) for cloud in CLOUDS]
    finally:
        for name, image in made.items():
            [cloud] = [one for one in CLOUDS if name.endswith(one)]
            many.call("DELETE", "image", f"/v2/images/{image}", scope=under(cloud))


def test_a_cloud_whose_letters_are_sorted_as_nobody_knows_is_named_and_complete(many):
    """MariaDB's collation takes É for E, so that Échelle comes before the ones that begin with F."""
    names = {"cloud-1": ("Fa", "Fc"), "cloud-999": ("Échelle", "Fb", "Fd")}
    ids = {}
    for cloud, every in names.items():
        for name in every:
            ids[name] = many.make("image", "/v2/images", {"name": name, **RAW}, cloud)[cloud]
    case = Case("image", "/v2/images", "sort_key=name&sort_dir=asc&name=" + quote("in:" + ",".join(ids)))
    try:
        own = own_lists(many, case)
        assert [[row["name"] for row in rows] for rows in own] == [[*names[cloud]] for cloud in CLOUDS]
        answer = many.call("GET", "image", case.url())
        assert answer.headers["x-scope-order"] == "cloud-999"
        whole = answer.json["images"]
        assert [[row for row in whole if row in rows] for rows in own] == own
        assert len(whole) == len(ids)
        paged = pages(many, case, 2, ordered=False)
        assert sorted(row["name"] for page in paged for row in page) == sorted(ids)
    finally:
        for cloud, every in names.items():
            for name in every:
                many.call("DELETE", "image", f"/v2/images/{ids[name]}", scope=under(cloud))


def test_rows_say_where_they_came_from_if_asked(many):
    answer = many.call("GET", "network", "/v2.0/networks?name=same", X_Scope_Annotate="1")
    assert sorted(row["oid:cloud"] for row in answer.json["networks"]) == [*CLOUDS]
    answer = many.call("GET", "image", "/v2/images?name=same", X_Scope_Annotate="1")
    assert not any("oid:cloud" in row for row in answer.json["images"])


# The SDK warns of its own use of what it will remove.
@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning")
@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
def test_the_sdk_reads_page_after_page(many, home):
    connection = openstack.connect(
        load_yaml_config=False,
        auth_url=f"{many.gateway}/s/{quote(under(BOTH), safe='')}/identity/v3",
        username=many.user,
        password=many.password,
        project_name=many.user,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=home.region,
    )
    try:
        for lists, limit, service, path, key in (
            (connection.image.images, 2, "image", "/v2/images", "images"),
            (connection.compute.servers, 2, "compute", "/v2.1/servers", "servers"),
            (connection.block_storage.volumes, 3, "block-storage", "/v3/{project}/volumes", "volumes"),
            (connection.network.networks, 3, "network", "/v2.0/networks", "networks"),
        ):
            own = [one["id"] for cloud in CLOUDS for one in many.get(service, path, scope=under(cloud))[key]]
            assert sorted(one.id for one in lists(limit=limit)) == sorted(own), key
    finally:
        connection.close()


def test_the_real_client_shows_one_list(client, many):
    scope = f"<{under(BOTH)}>"
    whole = many.get("image", "/v2/images")["images"]
    listed = client.json("image", "list", "--limit", "3", "--marker", whole[1]["id"], scope=scope)
    assert {one["ID"] for one in listed} == {one["id"] for one in whole[2:5]}


def test_the_plugin_shows_one_list_with_the_cloud_of_each_row(client, many):
    listed = client.json("scope", "resource", "list", "image/images", "--sort", "name:asc", scope=under(BOTH))
    own = [many.get("image", "/v2/images", scope=under(cloud))["images"] for cloud in CLOUDS]
    assert sorted((one["ID"], one["Cloud"]) for one in listed) == sorted(
        (one["id"], cloud) for cloud, rows in zip(CLOUDS, own, strict=True) for one in rows
    )
    names = [one["Name"].upper() for one in listed]
    assert names == sorted(names)


def test_projects_are_those_of_keystones_that_know_the_caller_and_the_others_are_skipped(lab, home, truths):
    admin = Many(lab, lab.gateway_url, Secrets(home.folder).get("admin"), "admin")
    answer = admin.call("GET", "identity", "/v3/projects", scope=f"identity:{BOTH}")
    assert told(answer) == Told(1, (), ("cloud-999",))
    assert admin.said_of(answer)["skipped"]["cloud-999"].startswith("no token")
    at_home = truths[0].call("GET", "identity", "/v3/projects").json["projects"]
    assert {one["id"] for one in answer.json["projects"]} == {one["id"] for one in at_home}


@pytest.mark.parametrize("what", ["projects", "users"])
def test_a_token_that_is_carried_along_opens_its_own_keystone(lab, edge_1, edge_2, what):
    own = {place: Api(f"{place.url('identity')}/v3", administrator(place)) for place in (edge_1, edge_2)}
    there = {
        one["id"]
        for place, api in own.items()
        for one in api.call("GET", f"{place.url('identity')}/v3/{what}").json[what]
    }
    admin = Api(f"{lab.edge_gateway_url}/s/identity:edge-1/identity/v3", administrator(edge_1))
    answer = admin.call(
        "GET",
        f"{lab.edge_gateway_url}/identity/v3/{what}",
        headers={
            "X-Scope": "identity:edge-1&edge-2&edge-3",
            "X-Scope-Tokens": f"edge-2={own[edge_2].token()}",
        },
    )
    # edge-3 has the Keystone of edge-1; an administrator's token may not be used there.
    assert told(answer) == Told(2, (), ("edge-3",))
    assert {one["id"] for one in answer.json[what]} == there
    assert len(answer.json[what]) == len(there)


def administrator(place):
    return Account("admin", "admin", Secrets(place.folder).get("admin"))

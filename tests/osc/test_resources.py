"""`openstack scope resource list`, run by the real client against a recording proxy."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import parse_qs, urlsplit

PAGE = "/.well-known/oidproxy/resources"
LIST = ("scope", "resource", "list")
IMAGES = [
    {"cloud": "cloud-2", "resource": {"id": "i2", "name": "debian", "status": "active", "size": 7}},
    {"cloud": "New York", "resource": {"id": "i1", "name": None, "status": "queued", "size": None}},
]


def listing(rows, **changes):
    return {"resources": rows, "failed": {}, "skipped": {}, "marker": None, **changes}


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(proxy):
    return [parse_qs(urlsplit(one.path).query) for one in proxy.seen if urlsplit(one.path).path == PAGE]


def test_each_resource_is_shown_with_its_cloud_in_the_order_that_the_proxy_gives(client, proxy):
    proxy.pages[PAGE] = (200, {}, listing(IMAGES))
    rows = answer(client.openstack(*LIST, "image/images", "-f", "json", "--scope", "image:*"))
    assert rows == [
        {"Name": "debian", "ID": "i2", "Status": "active", "Cloud": "cloud-2"},
        {"Name": None, "ID": "i1", "Status": "queued", "Cloud": "New York"},
    ]
    assert asked(proxy) == [{"resource": ["image/images"]}]
    [page] = [one for one in proxy.seen if one.path.startswith(PAGE)]
    assert page.scope == b"image:*"


def test_csv_and_value_are_the_clients_own(client, proxy):
    proxy.pages[PAGE] = (200, {}, listing(IMAGES))
    done = client.openstack(*LIST, "glance/images", "-f", "csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["Name", "ID", "Status", "Cloud"],
        ["debian", "i2", "active", "cloud-2"],
        ["", "i1", "queued", "New York"],
    ]
    done = client.openstack(*LIST, "image/images", "-f", "value", "-c", "Cloud")
    assert done.stdout.splitlines() == ["cloud-2", "New York"]


def test_limit_marker_sort_and_filters_go_into_the_services_own_query(client, proxy):
    proxy.pages[PAGE] = (200, {}, listing(IMAGES, marker="m"))
    words = ("--limit", "2", "--marker", "i0", "--sort", "name:desc", "--filter", "status=active")
    answer(client.openstack(*LIST, "image/images", *words, "-f", "json"))
    [question] = asked(proxy)
    assert parse_qs(question["query"][0]) == {
        "status": ["active"],
        "sort_key": ["name"],
        "sort_dir": ["desc"],
        "limit": ["2"],
        "marker": ["i0"],
    }


def test_without_a_limit_every_page_is_read(client, proxy):
    pages = {
        "": listing(IMAGES[:1], marker="m1", failed={"cloud-9": "no connection"}),
        "marker=m1": listing(IMAGES[1:], failed={"cloud-9": "no connection"}),
    }
    proxy.by_query = {(PAGE, query): (200, {}, page) for query, page in pages.items()}
    done = client.openstack(*LIST, "image/images", "-f", "json")
    assert [row["Cloud"] for row in answer(done)] == ["cloud-2", "New York"]
    assert done.stderr.count("cloud-9") == 1


def test_clouds_without_an_answer_are_named_on_stderr_and_the_rest_is_listed(client, proxy):
    failed = {f"cloud-{number:02}": "timeout" for number in range(12)}
    proxy.pages[PAGE] = (200, {}, listing(IMAGES, failed=failed, skipped={"edge-1": "no token"}))
    done = client.openstack(*LIST, "identity/projects", "-f", "json")
    assert len(answer(done)) == 2
    assert "No answer from cloud-00 (timeout), " in done.stderr
    assert "cloud-09 (timeout) and 2 more" in done.stderr
    assert "Not asked: edge-1 (no token)" in done.stderr


def test_a_list_may_fail_where_a_cloud_is_missing(client, proxy):
    proxy.pages[PAGE] = (200, {}, listing(IMAGES, failed={"cloud-9": "timeout"}))
    done = client.openstack(*LIST, "image/images", "--on-missing", "fail")
    assert done.returncode == 1
    assert "No answer from cloud-9 (timeout)" in done.stderr
    assert "debian" not in done.stdout


def test_what_is_known_of_silent_clouds_is_wished_for_by_header(client, proxy):
    unknown = {"cloud": "cloud-9", "resource": {"id": "i9", "status": "UNKNOWN"}}
    proxy.pages[PAGE] = (200, {}, listing([unknown], failed={"cloud-9": "timeout"}))
    done = client.openstack(*LIST, "image/images", "--on-missing", "unknown", "-f", "json")
    assert answer(done) == [{"Name": None, "ID": "i9", "Status": "UNKNOWN", "Cloud": "cloud-9"}]
    [page] = [one for one in proxy.seen if one.path.startswith(PAGE)]
    assert page.headers["x-scope-on-missing"] == "unknown"


def test_what_the_proxy_refuses_is_told(client, proxy):
    refusal = {"error": {"code": 400, "title": "Bad Request", "message": "The services are image"}}
    proxy.pages[PAGE] = (400, {"X-Oidproxy-Error": "bad-request"}, refusal)
    done = client.openstack(*LIST, "imagge/images")
    assert done.returncode == 1
    assert "refused (HTTP 400): The services are image" in done.stderr


def test_keypairs_have_a_name_for_an_id_and_further_fields_are_shown_as_wanted(client, proxy):
    keypair = {"cloud": "c", "resource": {"keypair": {"name": "k", "fingerprint": "aa:bb"}}}
    proxy.pages[PAGE] = (200, {}, listing([keypair]))
    rows = answer(client.openstack(*LIST, "compute/os-keypairs", "--field", "fingerprint", "-f", "json"))
    assert rows == [{"Name": "k", "ID": "k", "Status": None, "Cloud": "c", "fingerprint": "aa:bb"}]


def test_an_older_proxy_and_a_mistaken_collection_are_told(client, proxy):
    done = client.openstack(*LIST, "images")
    assert done.returncode != 0
    assert "expected <service>/<collection>" in done.stderr
    proxy.pages[PAGE] = (200, {}, {"resources": []})
    done = client.openstack(*LIST, "image/images")
    assert done.returncode == 1
    assert "answered something else" in done.stderr

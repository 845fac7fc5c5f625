"""`openstack scope resource locate`, run by the real client against a recording proxy."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

PAGE = "/.well-known/oidproxy/locate"
LOCATE = ("scope", "resource", "locate")
ID = "0f4a3d2e-7b1c-4a6d-9e8f-5c2b1a0d3e4f"
FOUND = [
    {"cloud": "cloud-2", "service": "image", "collection": "images", "name": "debian", "status": "active"},
    {"cloud": "New York", "service": "image", "collection": "images", "name": None, "status": "queued"},
]


def located(rows, **changes):
    return {"id": ID, "found": rows, "asked": 3, "failed": {}, **changes}


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(proxy):
    return [one for one in proxy.seen if urlsplit(one.path).path == PAGE]


def test_each_cloud_that_has_it_is_a_row(client, proxy):
    proxy.pages[PAGE] = (200, {}, located(FOUND))
    assert answer(client.openstack(*LOCATE, ID, "-f", "json")) == [
        {
            "Cloud": "cloud-2",
            "Service": "image",
            "Collection": "images",
            "Name": "debian",
            "Status": "active",
        },
        {"Cloud": "New York", "Service": "image", "Collection": "images", "Name": None, "Status": "queued"},
    ]
    [page] = asked(proxy)
    assert parse_qs(urlsplit(page.path).query) == {"id": [ID]}
    assert page.headers["x-auth-token"] == proxy.token


def test_every_cloud_is_looked_in_whatever_the_scope_in_force(client, proxy):
    proxy.pages[PAGE] = (200, {}, located(FOUND))
    answer(client.openstack(*LOCATE, ID, "-f", "json", "--scope", "image:cloud-1"))
    answer(client.openstack(*LOCATE, ID, "-f", "json"))
    assert [page.scope for page in asked(proxy)] == [b"*", b"*"]


def test_what_it_is_and_where_to_go_on_can_be_said(client, proxy):
    proxy.pages[PAGE] = (200, {}, located(FOUND[:1]))
    done = client.openstack(
        *LOCATE, ID, "--collection", "image/images", "--all", "-f", "value", "-c", "Cloud"
    )
    assert (done.returncode, done.stdout) == (0, "cloud-2\n")
    [page] = asked(proxy)
    assert parse_qs(urlsplit(page.path).query) == {"id": [ID], "resource": ["image/images"], "all": ["1"]}


def test_where_no_cloud_has_it_that_is_an_error(client, proxy):
    proxy.pages[PAGE] = (200, {}, located([]))
    done = client.openstack(*LOCATE, ID)
    assert done.returncode == 1
    assert f"none of the 3 clouds that were asked has {ID}, or shows it to you\n" in done.stderr


def test_clouds_that_did_not_answer_are_named(client, proxy):
    failed = {"cloud-9": "no connection"}
    proxy.pages[PAGE] = (200, {}, located([], failed=failed))
    done = client.openstack(*LOCATE, ID)
    assert done.returncode == 1
    assert "; it is not known whether it is in cloud-9 (no connection)" in done.stderr
    proxy.pages[PAGE] = (200, {}, located(FOUND, failed=failed))
    done = client.openstack(*LOCATE, ID, "-f", "json")
    assert len(answer(done)) == 2
    assert "It is not known whether it is in cloud-9 (no connection)" in done.stderr


def test_the_proxys_own_refusal_is_told(client, proxy):
    error = {"error": {"code": 400, "title": "Bad Request", "message": "that is no id"}}
    proxy.pages[PAGE] = (400, {"X-Oidproxy-Error": "bad-request"}, error)
    done = client.openstack(*LOCATE, "!")
    assert done.returncode == 1
    assert "refused (HTTP 400): that is no id" in done.stderr


def test_what_answers_something_else_is_no_proxy(client, proxy):
    proxy.pages[PAGE] = (200, {}, {"found": FOUND})
    done = client.openstack(*LOCATE, ID)
    assert done.returncode == 1
    assert "no oidproxy answers at" in done.stderr

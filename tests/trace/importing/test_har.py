"""HAR files of browsers and proxies: what they tell is kept, but for secrets."""

from __future__ import annotations

import base64
import json

import pytest

from oidproxy.errors import TraceInvalid
from oidproxy.scope.parse import parse
from oidproxy.tokens.sealed import seal
from oidproxy.trace.importing import har
from oidproxy.trace.importing.terms import Broken, Options
from oidproxy.trace.line import Line

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
TOKEN = "gAAAAAB" + "t" * 60


def fields(**values):
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


def entry(
    method="GET", url="http://proxy:8888/image/v2/images", *, body=None, answer=None, status=200, **more
):
    request = {"method": method, "url": url, "headers": fields(X_Auth_Token=TOKEN), "bodySize": 0}
    if body is not None:
        text = json.dumps(body)
        request |= {"postData": {"mimeType": "application/json", "text": text}, "bodySize": len(text)}
        request["headers"] += fields(Content_Type="application/json")
    content = {"size": 0, "mimeType": "application/json"}
    if answer is not None:
        content |= {"text": json.dumps(answer), "size": len(json.dumps(answer))}
    response = {"status": status, "headers": [], "content": content, "bodySize": content["size"]}
    made = {
        "startedDateTime": "2026-01-01T00:00:00.001+00:00",
        "time": 30,
        "request": request,
        "response": response,
        "timings": {"blocked": 1, "dns": -1, "connect": 2, "send": 1, "wait": 20, "receive": 6},
    }
    return {**made, **more}


def found(tmp_path, *entries, **options):
    path = tmp_path / "x.har"
    document = {
        "log": {"version": "1.2", "creator": {"name": '"entries": ['}, "pages": [], "entries": entries}
    }
    path.write_text(json.dumps(document, indent=1))
    return list(har.read(path, Options(**options)))


def test_an_entry_is_a_request(tmp_path):
    [line] = found(tmp_path, entry(url=f"http://proxy:8888/image/v2/images/{UUID}?x=1"))
    assert (line.method, line.service, line.path, line.query) == ("GET", "image", f"/v2/images/{UUID}", "x=1")
    assert (line.template, line.used) == ("/v2/images/{image_id}", [UUID])
    assert line.at == 1767225600_001_000_000
    assert line.steps == {"sent": 3_000_000, "first_byte": 24_000_000, "done": 30_000_000}
    assert line.made_up == []


def test_bodies_and_ids_are_kept(tmp_path):
    body = {"server": {"name": "s", "imageRef": UUID, "adminPass": "hunter2"}}
    other = UUID.replace("9", "8")
    [line] = found(
        tmp_path,
        entry(
            "POST", "http://proxy:8774/v2.1/servers", body=body, answer={"server": {"id": other}}, status=202
        ),
    )
    assert (line.service, line.used, line.made) == ("compute", [UUID], [other])
    assert line.request_body["server"]["name"] == "s"
    assert line.answer_body == {"server": {"id": other}}
    assert line.bytes_in == len(json.dumps(body))


def test_no_secret_is_kept(tmp_path):
    login = {"auth": {"identity": {"password": {"user": {"name": "demo", "password": "hunter2"}}}}}
    one = entry("POST", "http://proxy:5000/v3/auth/tokens", body=login, status=201, answer={"token": {}})
    one["response"]["headers"] = fields(X_Subject_Token=TOKEN, Set_Cookie="session=hunter2")
    one["request"]["headers"] += fields(Authorization="Bearer hunter2", Cookie="a=hunter2")
    lines = found(tmp_path, one, entry(url=f"http://x/image/v2/images?token={TOKEN}"))
    assert all(isinstance(line, Line) for line in lines)
    for secret in ("hunter2", TOKEN, "gAAAA"):
        assert secret not in str(lines)


def test_a_secret_that_looks_like_an_id_is_none(tmp_path):
    password = "0123456789abcdef0123456789abcdef"
    login = {"auth": {"identity": {"password": {"user": {"name": "demo", "password": password}}}}}
    [line] = found(tmp_path, entry("POST", "http://proxy:5000/v3/auth/tokens", body=login, status=401))
    assert password not in str(line)


def test_the_token_tells_who_and_a_sealed_one_the_scope(tmp_path):
    sealed = entry()
    sealed["request"]["headers"] = fields(X_Auth_Token=seal(TOKEN, "paris", parse("image:rennes")))
    scoped = entry()
    scoped["request"]["headers"] += fields(X_Scope="{glance: lyon}")
    other = entry()
    other["request"]["headers"] = fields(X_Auth_Token="another")
    none = entry()
    none["request"]["headers"] = []
    lines = found(tmp_path, entry(), sealed, scoped, other, none)
    assert [line.user for line in lines] == ["user-1", "user-1", "user-1", "user-2", ""]
    assert [line.scope for line in lines] == ["", "image:rennes", "image:lyon", "", ""]
    assert [line.carrier for line in lines] == ["", "token", "header", "", ""]
    assert lines[1].home == "paris"
    assert lines[4].made_up == ["user"]


def test_what_is_no_call_of_openstack_is_passed_over(tmp_path):
    lines = found(
        tmp_path,
        entry(url="https://fonts.example/roboto.woff2"),
        entry(url="data:image/png;base64,AAAA"),
        entry(url="https://cloud.example/dashboard/app.js"),
    )
    assert lines == [None, None, None]


def test_a_broken_entry_is_counted_and_the_others_are_read(tmp_path):
    worse = entry()
    del worse["request"]["url"]
    lines = found(
        tmp_path,
        entry(),
        worse,
        entry(startedDateTime="yesterday"),
        entry(startedDateTime="2026-01-01T00:00:00"),
        entry(),
    )
    assert [isinstance(line, Line) for line in lines] == [True, False, False, False, True]
    assert all(isinstance(line, Broken) and line.line > 1 for line in lines[1:4])
    assert "entry 2" in lines[1].why
    assert "url" in lines[1].why
    assert "zone" in lines[3].why


def test_base64_answers_are_read(tmp_path):
    one = entry("POST", "http://x/network/v2.0/networks", status=201)
    data = base64.b64encode(json.dumps({"network": {"id": UUID}}).encode()).decode()
    one["response"]["content"] |= {"text": data, "encoding": "base64"}
    [line] = found(tmp_path, one)
    assert line.made == [UUID]


def test_sizes_that_are_not_known_are_said(tmp_path):
    one = entry("PUT", f"http://x/image/v2/images/{UUID}/file", status=204)
    one["request"]["bodySize"] = one["response"]["bodySize"] = one["response"]["content"]["size"] = -1
    [line] = found(tmp_path, one)
    assert (line.bytes_in, line.bytes_out) == (0, 0)
    assert "bytes_out" in line.made_up


def test_a_file_that_ends_too_early_says_where(tmp_path):
    path = tmp_path / "x.har"
    document = json.dumps({"log": {"entries": [entry(), entry()]}}, indent=1)
    path.write_text(document[:-600])
    with pytest.raises(TraceInvalid, match="entry 2") as caught:
        list(har.read(path, Options()))
    assert caught.value.line > 10


def test_a_file_that_is_none_is_told(tmp_path):
    path = tmp_path / "x.har"
    path.write_text('{"log": {}}')
    with pytest.raises(TraceInvalid, match="no HAR file"):
        list(har.read(path, Options()))


def test_an_entry_longer_than_what_is_read_at_once_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(har, "PIECE", 64)
    lines = found(tmp_path, *(entry(url=f"http://x/image/v2/images?n={number}") for number in range(5)))
    assert [line.query for line in lines] == [f"n={number}" for number in range(5)]

"""Logs of nova-api, as they are written and as LogHub has them."""

from __future__ import annotations

import gzip

import pytest

from oidproxy.trace.importing.terms import Broken, Options
from oidproxy.trace.importing.wsgi import read

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
USER, PROJECT = "113d3a99c3da401fbd62cc2caa5b96d2", "54fadb412c4e40cdbaed9335e4c35a9e"
FILE = "nova-api.log.1.2017-05-16_13:53:08 "


def logged(
    request=f"GET /v2/{PROJECT}/servers/detail",
    *,
    time="2017-05-16 00:00:00.250",
    file="",
    logger="nova.osapi_compute.wsgi.server",
    rest="status: 200 len: 1893 time: 0.2500000",
    context=f"req-38101a0b-2096-447d-96ea-a692162415ae {USER} {PROJECT} - - -",
):
    return f'{file}{time} 25746 INFO {logger} [{context}] 10.11.10.1 "{request} HTTP/1.1" {rest}\n'


def found(tmp_path, *lines, name="nova-api.log", **options):
    path = tmp_path / name
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return list(read(path, Options(**options)))


@pytest.mark.parametrize("file", ["", FILE], ids=["as written", "as in LogHub"])
def test_a_line_is_a_request(tmp_path, file):
    [line] = found(tmp_path, logged(file=file))
    assert (line.method, line.path, line.status) == ("GET", f"/v2/{PROJECT}/servers/detail", 200)
    assert (line.service, line.template) == ("compute", "/v2/{project_id}/servers/detail")
    assert (line.bytes_out, line.used) == (1893, [PROJECT])
    assert line.request_id == "req-38101a0b-2096-447d-96ea-a692162415ae"
    # The log has the time of its end, UTC: 1494892800.25 s after the epoch.
    assert line.at == 1494892800_000_000_000
    assert line.steps == {"done": 250_000_000}


def test_what_such_a_log_lacks_is_said(tmp_path):
    lines = found(tmp_path, logged(), logged("POST /v2.1/servers"), logged(f"DELETE /v2.1/servers/{UUID}"))
    assert [line.made_up for line in lines] == [
        ["token"],
        ["token", "bytes_in", "request_body", "answer_body"],
        ["token", "bytes_in"],
    ]


def test_users_have_other_names_here(tmp_path):
    other = f"req-1 {PROJECT} {USER} - - -"
    lines = found(tmp_path, logged(), logged(context=other), logged(), logged(context="-"))
    assert [line.user for line in lines] == ["user-1", "user-2", "user-1", ""]
    assert USER not in str(lines[0].user)


def test_other_lines_are_passed_over(tmp_path):
    lines = found(
        tmp_path,
        "2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [req-3 - - -] [instance: b9] VM Started\n",
        "Traceback (most recent call last):\n",
        '2017-05-16 00:00:04.5 1 DEBUG urllib3.connectionpool [-] http://x "GET /v3 HTTP/1.1" 200 9\n',
        "2017-05-16 00:00:04.500 2931 INFO nova.wsgi [-] WSGI listening on 0.0.0.0:8774\n",
        logged(),
    )
    assert lines[:4] == [None] * 4
    assert lines[4].status == 200


def test_a_broken_line_is_named(tmp_path):
    lines = found(
        tmp_path,
        logged(),
        logged(rest="status: none"),
        logged(time="2017-13-45 00:00:00.000"),
    )
    assert [type(line) for line in lines] == [type(lines[0]), Broken, Broken]
    assert [line.line for line in lines[1:]] == [2, 3]
    assert "status: …" in lines[1].why
    assert "month" in lines[2].why


def test_services_alike_are_known_by_their_loggers(tmp_path):
    lines = found(
        tmp_path,
        logged(f"GET /v3/{PROJECT}/volumes/{UUID}", logger="cinder.api.openstack.wsgi.server"),
        logged("GET /v2.0/networks", logger="neutron.wsgi", rest="status: 200  len: 10 time: 0.5"),
        logged("GET /v2.1/flavors", logger="eventlet.wsgi.server"),
    )
    assert [line.service for line in lines] == ["block-storage", "network", "compute"]


def test_a_logger_that_tells_nothing_needs_a_service(tmp_path):
    [unknown] = found(tmp_path, logged("GET /v9/gizmos", logger="eventlet.wsgi.server"))
    assert isinstance(unknown, Broken)
    assert "--service" in unknown.why
    [known] = found(
        tmp_path, logged("GET /v9/gizmos", logger="eventlet.wsgi.server"), service="dns", cloud="paris"
    )
    assert (known.service, known.cloud, known.home) == ("dns", "paris", "paris")


def test_lines_of_the_request_log_have_a_microversion(tmp_path):
    text = logged(
        logger="nova.api.openstack.requestlog", rest="status: 200 len: 9 microversion: 2.90 time: 0.5"
    )
    [line, other] = found(tmp_path, text.replace(" HTTP/1.1", ""), text.replace("2.90", "-"))
    assert (line.microversion, line.status, line.steps) == ("compute 2.90", 200, {"done": 500_000_000})
    assert other.microversion == ""


def test_no_line_takes_long_to_be_refused(tmp_path):
    line = logged(rest="nothing").replace(" [", " [ " * 500).replace('"', '"x" status: "' * 300)
    assert isinstance(found(tmp_path, line)[0], Broken)


def test_a_token_in_a_path_is_hidden(tmp_path):
    [line] = found(
        tmp_path, logged("GET /v2.0/tokens/deadbeefdeadbeef?token=hunter2", logger="keystone.wsgi")
    )
    assert "hunter2" not in str(line)
    assert "deadbeef" not in str(line)


def test_compressed_logs_are_read(tmp_path):
    [line] = found(tmp_path, logged(), name="nova-api.log.gz")
    assert line.status == 200


def test_bytes_that_are_no_text_end_nothing(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"\xff\xfe\x00\n" + logged().encode() + b"wsgi" * 50_000 + b'" status: ')
    [first, second, third] = read(path, Options())
    assert (first, second.status, type(third)) == (None, 200, Broken)

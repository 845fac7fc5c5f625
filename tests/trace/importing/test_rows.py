"""CSV with a mapping."""

from __future__ import annotations

import pytest

from oidproxy.errors import ConfigError, TraceInvalid
from oidproxy.trace.importing import mapping, rows
from oidproxy.trace.importing.terms import Broken, Options

UUID = "9f1c2b3a-1111-4222-8333-444455556666"
START = 1767225600_000_000_000

MAPPING = """
columns: {at: when, duration: took, method: verb, url: uri, status: code, user: who, bytes_out: size}
constants: {service: nova, home: paris}
at: ms
duration: us
"""


def found(tmp_path, text, yaml=MAPPING, **options):
    path, file = tmp_path / "x.csv", tmp_path / "m.yaml"
    path.write_text(text)
    file.write_text(yaml)
    return list(rows.read(path, Options(mapping=mapping.read(file), **options)))


def test_columns_are_what_the_mapping_says(tmp_path):
    [line] = found(
        tmp_path,
        "when,took,verb,uri,code,who,size,other\n"
        f"1767225600000,1500,get,http://api:8774/v2.1/servers/{UUID}?a=b,200,alice,77,x\n",
    )
    assert (line.at, line.steps) == (START, {"done": 1_500_000})
    assert (line.method, line.service, line.home) == ("GET", "compute", "paris")
    assert (line.path, line.query, line.template) == (
        f"/v2.1/servers/{UUID}",
        "a=b",
        "/v2.1/servers/{server_id}",
    )
    assert (line.status, line.bytes_out, line.user, line.used) == (200, 77, "user-1", [UUID])
    assert line.made_up == ["token", "bytes_in"]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("iso", "2026-01-01T00:00:00Z", START),
        ("iso", "2026-01-01 01:00:00.123456789+01:00", START + 123_456_789),
        ("s", "1767225600.25", START + 250_000_000),
        ("ns", str(START + 1), START + 1),
        ("%d/%m/%Y %H:%M:%S", "01/01/2026 00:00:00", START),
    ],
)
def test_times_may_be_written_in_many_ways(tmp_path, form, text, expected):
    [line] = found(
        tmp_path, f"t,path\n{text},/v2.1/servers\n", f'columns: {{at: t, path: path}}\nat: "{form}"\n'
    )
    assert line.at == expected


def test_without_a_time_gaps_are_made_up(tmp_path):
    lines = found(tmp_path, "path\n/v2.1/servers\n/v2.1/flavors\n", "columns: {path: path}\ngap: 20ms\n")
    assert [line.at for line in lines] == [0, 20_000_000]
    assert set(lines[0].made_up) >= {"gap", "method", "status", "user", "service"}


def test_broken_rows_are_named(tmp_path):
    lines = found(
        tmp_path,
        "when,took,verb,uri,code,who,size\n"
        "x,1,GET,/v2.1/servers,200,a,1\n"
        "1,1,GET,/v2.1/servers\n"
        "1,1,GET,,200,a,1\n"
        "1,1,GET,/v2.1/servers,many,a,1\n"
        "1,1,G T,/v2.1/servers,200,a,1\n"
        "1,1,GET,/v2.1/servers,200,a,1\n",
    )
    assert [isinstance(line, Broken) and line.line for line in lines] == [2, 3, 4, 5, 6, False]
    assert "7" in lines[1].why


def test_secrets_in_cells_are_hidden(tmp_path):
    yaml = "columns: {path: path, request_body: body, user: user}\nconstants: {service: compute}\n"
    body = '"{""server"": {""adminPass"": ""hunter2""}}"'
    [line] = found(tmp_path, f"path,body,user\n/v2.1/servers?token=hunter2,{body},gAAAAsecret\n", yaml)
    assert "hunter2" not in str(line)
    assert "gAAAA" not in str(line)


def test_a_secret_that_looks_like_an_id_is_none(tmp_path):
    yaml = "columns: {path: path, request_body: body}\nconstants: {service: compute}\n"
    password = "0123456789abcdef0123456789abcdef"
    body = f'"{{""server"": {{""adminPass"": ""{password}""}}}}"'
    [line] = found(tmp_path, f"path,body\n/v2.1/servers,{body}\n", yaml)
    assert password not in str(line)


def test_a_mapping_that_cannot_be_says_where(tmp_path):
    with pytest.raises(ConfigError) as caught:
        found(
            tmp_path,
            "a\n",
            "columns: {sttaus: code}\nconstants: {weather: fine}\nat: sometimes\nduration: d\n"
            "gap: soon\ndelimiter: ab\n",
        )
    text = str(caught.value)
    assert "m.yaml:1:11: 'sttaus' is nothing that a request has (did you mean status?)" in text
    assert "m.yaml:2:13" in text
    for number in (1, 3, 4, 5, 6):
        assert f"m.yaml:{number}:" in text
    assert "no column is the path or the url" in text


def test_an_unknown_key_of_a_mapping_is_told(tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'colums'"):
        found(tmp_path, "a\n", "colums: {}\n")


def test_a_column_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TraceInvalid, match=r"'when' .did you mean whenn\?"):
        found(tmp_path, "whenn,uri,took,verb,code,who,size\n")


def test_without_a_mapping_our_own_columns_are_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "time,method,path,service,status,scope\n2026-01-01T00:00:00Z,GET,/v2/images,image,200,{glance: a}\n"
    )
    [line] = rows.read(path, Options())
    assert (line.at, line.service, line.scope) == (START, "image", "image:a")
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TraceInvalid, match="--mapping"):
        list(rows.read(path, Options()))

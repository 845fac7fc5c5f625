"""Secrets by reference: from the environment and from files, and never shown."""

from __future__ import annotations

import pytest

from oidproxy.clouds.loading.references import References

ADMIN = "admin: {bind: '127.0.0.1:1', token: \"%s\"}\nclouds: {one: {upstream: 127.0.9.1}}"


def token(loaded, text, files=None, **environ):
    return loaded(ADMIN % text, files, environ=environ).registry.admin.token


def test_a_variable(loaded):
    assert token(loaded, "${env:TOKEN}", TOKEN="hunter2") == "hunter2"


def test_a_file_beside_the_configuration_without_its_line_end(loaded):
    assert token(loaded, "${file:a.token}", {"a.token": "hunter2\r\n"}) == "hunter2"


def test_a_file_by_its_full_path(loaded, tmp_path):
    (tmp_path / "elsewhere").write_text("hunter2")
    assert token(loaded, f"${{file:{tmp_path}/elsewhere}}") == "hunter2"


def test_several_in_one_value(loaded):
    assert token(loaded, "${env:A}-${env:B}", A="1", B="2") == "1-2"


def test_what_a_reference_brings_is_not_expanded_again(loaded):
    assert token(loaded, "${env:A}", A="${env:B}", B="x") == "${env:B}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env:X}", "the environment variable X is not set"),
        ("${env:}", "expected ${env:NAME} or ${file:PATH}"),
        ("${X}", "expected ${env:NAME} or ${file:PATH}"),
        ("${vault:X}", "expected ${env:NAME} or ${file:PATH}"),
        ("a${env:X", "expected ${env:NAME} or ${file:PATH}"),
        ("${file:.}", "cannot be read: Is a directory"),
        ("${file:large}", "is larger than 1 MiB"),
    ],
)
def test_a_reference_that_leads_nowhere(text, message, errors):
    (found,) = errors(ADMIN % text, {"large": b"x" * (1024 * 1024 + 1)})
    assert found.startswith("oidproxy.yaml:1:37: ")
    assert found.endswith(message)


def test_a_reference_in_a_value_of_another_kind(loaded):
    registry = loaded("clouds: {one: {upstream: '${env:HOST}'}}\nlimits: {pool: '${env:POOL}'}",
                      environ={"HOST": "127.0.9.7", "POOL": "20"}).registry  # fmt: skip
    assert (registry.endpoint("one", "image").origin.host, registry.limits.pool) == ("127.0.9.7", 20)


def test_bytes_that_are_no_text_survive(tmp_path):
    (tmp_path / "raw").write_bytes(b"\xff\x00\n")
    text = References(tmp_path, {}).expand("${file:raw}")
    assert text.encode("utf-8", "surrogateescape") == b"\xff\x00\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("admin: {bind: '${env:S}'}", '1:15: expected host:port such as "127.0.0.1:8888"'),
        ("limits: {pool: '${env:S}'}", "1:16: expected a whole number"),
        (
            "limits: {connect: '${env:S}'}",
            '1:19: expected a duration such as "5s", "250ms" or a number of seconds',
        ),
        ("limits: {field: '1${env:S}'}", '1:17: expected a size such as "64KiB" or a number of bytes'),
        ("local: '${env:S}'", "1:8: this cannot be used here"),
        ("scope: 'image:${env:S}'", "1:8: this cannot be used here"),
        ("scope: 'image:${env:S}:'", "1:8: this cannot be used here"),
        ("require_scope: '${env:S}'", "1:16: expected true or false"),
        ("fleet_keys: ['${env:S}']", "1:14: this cannot be used here"),
    ],
)
def test_an_error_does_not_show_what_a_reference_brought(text, error, errors):
    (found,) = errors(text + "\nclouds: {one: {upstream: 127.0.9.1}}", environ={"S": "hunter2"})
    shown = found.partition("; the value comes from a reference and is not shown")[0]
    assert shown == f"oidproxy.yaml:{error}"
    assert "hunter2" not in found

"""The fleet's keys as hex, base64 or raw bytes."""

from __future__ import annotations

import base64

import pytest

from oidproxy.clouds.fleet import key

KEY = bytes(range(190, 254))


def as_text(data):
    return data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        base64.encodebytes(KEY).decode(),
        as_text(KEY),
    ],
    ids=["hex", "HEX", "base64", "url-safe", "lines", "raw"],
)
def test_a_key_in_each_form(text):
    assert key(text) == KEY


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KEY[:32].hex(), "32 bytes"),
        (KEY[:32].hex() + "0", "neither hex nor base64"),
        (base64.b64encode(KEY[:48]).decode(), "48 bytes"),
        (as_text(KEY[:63]), "neither hex nor base64"),
        ("", "neither hex nor base64"),
        ("correct horse battery staple!", "neither hex nor base64"),
    ],
    ids=["32 as hex", "odd", "48", "63 raw", "nothing", "a password"],
)
def test_a_key_of_another_length_is_refused_and_not_shown(text, found):
    with pytest.raises(ValueError) as caught:
        key(text)
    assert str(caught.value) == (
        f"a fleet key is 64 bytes as hex, base64 or raw; this is {found}; "
        "make one with: openssl rand -hex 64 > /etc/oidproxy/fleet.key"
    )


def test_a_key_is_read_from_a_file(loaded):
    text = "fleet_keys: ['${file:a}', '${file:b}']\nclouds: {one: {upstream: 127.0.9.1}}"
    registry = loaded(text, {"a": KEY, "b": KEY[::-1].hex() + "\n"}).registry
    assert registry.fleet_keys == (KEY, KEY[::-1])


def test_a_raw_key_may_end_with_a_line_end(loaded):
    raw = KEY[:63] + b"\n"
    text = "fleet_keys: ['${file:a}']\nclouds: {one: {upstream: 127.0.9.1}}"
    assert loaded(text, {"a": raw}).registry.fleet_keys == (raw,)

"""`store:` of a configuration: a file's path or a server's URL, and its password stays where it is."""

from __future__ import annotations

import pytest

from oidproxy.clouds.loading.load import load
from oidproxy.errors import ConfigError
from oidproxy.proxy.channel import Start

CLOUD = "clouds: {one: {upstream: 127.0.0.1}}\n"


@pytest.fixture
def read(tmp_path):
    def read(store: str):
        path = tmp_path / "oidproxy.yaml"
        path.write_text(f"{CLOUD}store: '{store}'\n")
        return load(path)

    return read


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("sqlite:///var/lib/oidproxy/state.db", "/var/lib/oidproxy/state.db"),
        ("redis://10.0.0.5:6379/0", "redis://10.0.0.5:6379/0"),
        ("rediss://proxy:word@redis.example", "rediss://proxy:word@redis.example"),
        ("unix:///run/redis/redis.sock?db=1", "unix:///run/redis/redis.sock?db=1"),
    ],
)
def test_what_it_may_be(read, given, means):
    assert read(given).store == means


def test_a_password_comes_from_a_file_and_is_shown_nowhere(read, tmp_path):
    (tmp_path / "password").write_text("hunter2\n")
    registry = read("redis://:${file:password}@redis.example")
    assert registry.store == "redis://:hunter2@redis.example"
    start = Start(registry, 1, "oidproxy-x", "-", 2, registry.store)
    assert "hunter2" not in repr(registry) + repr(start)


@pytest.mark.parametrize("given", ["redis://", "redis:", "valkey://hunter2@x", "sqlite://state.db", "x"])
def test_what_it_may_not_be(read, given):
    with pytest.raises(ConfigError, match="expected sqlite:// and an absolute path") as caught:
        read(given)
    assert "hunter2" not in str(caught.value)

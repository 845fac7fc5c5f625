"""The models run in virtual time: whole operations across services, without a socket or a clock."""

from __future__ import annotations

import ast
from pathlib import Path

import oidproxy.sim
from tests.sim.virtual import START, User, World

SHELL = {"blobs", "connections", "driver", "hosting", "keys", "process", "recording", "running"}
"""The modules that do the I/O; everything else is pure."""
FLEET_SHELL = {"connection", "incoming", "inside", "running", "station", "weather"}
"""The same of many clouds in one process."""
FORBIDDEN = {"asyncio", "socket", "aiohttp", "uvloop", "time", "random", "subprocess", "threading"}
RANDOM_TYPE = {"sources", "disturbances"}
"""Takes a `random.Random` from outside, or makes one of a seed."""


def test_no_module_but_the_shell_imports_io_or_a_clock() -> None:
    root = Path(oidproxy.sim.__file__).parent
    for path in root.rglob("*.py"):
        if path.stem in {root: SHELL, root / "fleet": FLEET_SHELL}.get(path.parent, ()):
            continue
        allowed = {"random"} if path.stem in RANDOM_TYPE else set()
        assert not (_imports(path) & FORBIDDEN) - allowed, path


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            found |= {name.name.partition(".")[0] for name in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found.add(statement.module.partition(".")[0])
    return found


def test_a_server_is_created_and_deleted_without_a_socket() -> None:
    world = World()
    world.add("cloud-1", "127.0.1.1")
    demo = User(world, "127.0.1.1")
    image = demo.image(b"disk" * 1000)
    created = demo.server(image["id"])
    assert created.status == 202
    server = demo.show(created.json()["server"]["id"])
    assert server["status"] == "ACTIVE"
    assert demo.ask("DELETE", "compute", f"/v2.1/servers/{server['id']}").status == 204
    assert demo.ask("GET", "compute", f"/v2.1/servers/{server['id']}").status == 404
    assert demo.ask("GET", "network", "/v2.0/ports").json()["ports"] == []


def test_the_same_seed_gives_the_same_run() -> None:
    logs = []
    for _ in range(2):
        world = World()
        world.add("cloud-1", "127.0.1.1")
        demo = User(world, "127.0.1.1")
        demo.server(demo.image()["id"])
        logs.append([(call.method, call.url, call.fields, status) for call, status in world.log])
    assert logs[0] == logs[1]


def test_ids_of_two_clouds_differ() -> None:
    world = World()
    one, other = world.add("cloud-1", "127.0.1.1"), world.add("cloud-2", "127.0.1.2")
    assert not {row["id"] for row in one.keystone.users} & {row["id"] for row in other.keystone.users}


def test_only_pauses_move_the_clock() -> None:
    world = World()
    world.add("cloud-1", "127.0.1.1")
    demo = User(world, "127.0.1.1")
    image = demo.image()
    demo.server(image["id"])
    assert world.now == START
    world.down.add("127.0.1.1")
    # Whoever asks a Keystone that is down waits as keystonemiddleware does: 0.5, 1 and 2 s between attempts.
    world.aliases["127.0.1.2"] = "127.0.1.1"
    fresh = {"X-Auth-Token": "unknown"}
    answer = world.ask("GET", "http://127.0.1.2:9696/v2.0/networks", fresh)
    assert answer.status == 503
    assert world.now == START + 3.5

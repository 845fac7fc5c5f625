"""The page on simulated clouds tells every option, every seed, and every field of the journals."""

from __future__ import annotations

import argparse
from pathlib import Path

from oidproxy.cli.sim import add_arguments
from oidproxy.sim.seeds import FLAVORS, GRANTS
from tests.sim.virtual import User, World

PAGE = (Path(__file__).parents[2] / "docs" / "simulated-clouds.md").read_text()


def test_every_option_has_a_row() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert all(f"| `{name}` |" in PAGE for name in options - {"--help"})


def test_every_seed_is_named() -> None:
    assert all(f"`{name}`" in PAGE for _, name, _ in FLAVORS)
    assert all(f"`{user}`" in PAGE for user, _, _ in GRANTS)


def test_every_field_of_the_journal_is_named() -> None:
    world = World()
    world.add("cloud-1", "127.0.1.1")
    demo = User(world, "127.0.1.1")
    demo.server(demo.image()["id"], "none")
    _, entry = world.notes[-1]
    assert all(f"`{name}`" in PAGE for name in set(entry) - {"at", "seconds", "image_name"})

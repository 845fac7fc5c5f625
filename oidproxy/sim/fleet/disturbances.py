"""Latencies and faults of a fleet's clouds, as a file says them: which cloud is disturbed when, and how."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import yaml

from oidproxy.clouds.glob import matches
from oidproxy.clouds.units import seconds, share
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

Fault = Literal["dead", "silent", "slow-head", "break", "stall", "garbage", "nonsense", "status"]
FOREVER = float("inf")
ALWAYS = 1.0


class LatencyKeys(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"least": "from"}):
    """`latency: {from: 5ms, to: 80ms}`."""

    least: str | int | float
    to: str | int | float


class RuleKeys(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"begin": "from"}):
    """One rule as it is written."""

    fault: Fault | None = None
    latency: str | int | float | LatencyKeys | None = None
    clouds: str | list[str] = "*"
    services: list[str] | None = None
    share: str | int | float | None = None
    chance: str | int | float = ALWAYS
    delay: str | int | float = "30s"
    at: str | int | float = "50%"
    status: int = 503
    retry_after: int = 0
    begin: str | int | float = 0
    until: str | int | float = FOREVER
    every: str | int | float = 0
    lasting: str | int | float = 0


class FileKeys(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file as it is written."""

    seed: int = 1
    latency: str | int | float | LatencyKeys = 0
    rules: list[RuleKeys] = []


@dataclass(frozen=True, slots=True)
class When:
    """A time after the file was read, in seconds; with `every` it comes again."""

    begin: float = 0.0
    until: float = FOREVER
    every: float = 0.0
    lasting: float = 0.0

    def holds(self, elapsed: float) -> bool:
        """Whether it is time."""
        if not self.begin <= elapsed < self.until:
            return False
        return not self.every or (elapsed - self.begin) % self.every < self.lasting


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is done to an answer."""

    fault: Fault
    delay: float
    """Seconds before the head (slow-head)."""
    at: float
    """The part of the body after which it breaks or stalls."""
    status: int
    retry_after: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A trouble for some clouds at some times."""

    trouble: Trouble
    services: frozenset[str] | None
    chance: float
    when: When


class Disturbances:
    """A file's rules, with the clouds that each is for."""

    def __init__(self, rules: dict[str, tuple[Rule, ...]], latencies: dict[str, float]) -> None:
        self._rules = rules
        self._latencies = latencies

    def latency(self, cloud: str) -> float:
        """Seconds before the head of each of a cloud's answers."""
        return self._latencies.get(cloud, 0.0)

    def rules(self, cloud: str) -> tuple[Rule, ...]:
        """A cloud's own, in the file's order."""
        return self._rules.get(cloud, ())

    def dead(self, cloud: str, elapsed: float) -> bool:
        """Whether nothing listens at a cloud's addresses now."""
        return any(rule.trouble.fault == "dead" and rule.when.holds(elapsed) for rule in self.rules(cloud))

    def trouble(
        self, cloud: str, service_type: str, elapsed: float, chance: Callable[[], float]
    ) -> Trouble | None:
        """What happens to one request: the first rule that holds for it; `chance` draws from 0 to 1."""
        for rule in self.rules(cloud):
            if rule.services is not None and service_type not in rule.services:
                continue
            if rule.when.holds(elapsed) and (rule.chance >= ALWAYS or chance() < rule.chance):
                return rule.trouble
        return None

    def disturbed(self) -> dict[str, tuple[Fault, ...]]:
        """Every cloud that some rule is for, and its faults."""
        return {name: tuple(rule.trouble.fault for rule in rules) for name, rules in self._rules.items()}


CALM = Disturbances({}, {})


def read(path: Path, clouds: Sequence[str], spared: Collection[str]) -> Disturbances:
    """A file's disturbances of these clouds; a share never falls on one that is spared.

    Raises:
        ConfigError: the file cannot be used; the message says where and why.
        OSError: it cannot be read.
    """
    try:
        written = yaml.safe_load(path.read_text())
        keys = msgspec.convert({} if written is None else written, FileKeys)
        return _placed(keys, clouds, spared)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _placed(keys: FileKeys, clouds: Sequence[str], spared: Collection[str]) -> Disturbances:
    draw = random.Random(keys.seed)  # noqa: S311 - which clouds are disturbed is no secret
    latencies = {cloud: _latency(keys.latency, draw) for cloud in clouds}
    placed: dict[str, tuple[Rule, ...]] = {}
    taken = set(spared)
    for position, rule in enumerate(keys.rules):
        meant = [cloud for cloud in clouds if _means(rule.clouds, cloud)]
        if rule.share is not None:
            free = [cloud for cloud in meant if cloud not in taken]
            # Of all that are meant, so that ten shares of 10 % are the whole; each cloud falls to one share.
            count = min(len(free), round(share(str(rule.share)) * len(meant)))
            meant = draw.sample(free, count)
            taken.update(meant)
        if rule.latency is not None:
            latencies.update((cloud, _latency(rule.latency, draw)) for cloud in meant)
        if rule.fault is not None:
            made = _rule(rule, rule.fault)
            placed.update((cloud, (*placed.get(cloud, ()), made)) for cloud in meant)
        elif rule.latency is None:
            raise ValueError(f"rules[{position}] has neither fault nor latency")
    return Disturbances(placed, latencies)


def _rule(keys: RuleKeys, fault: Fault) -> Rule:
    if not 400 <= keys.status <= 599:
        raise ValueError(f"status {keys.status} is no error: 400 to 599")
    chance = share(str(keys.chance))
    if fault == "dead" and (chance < ALWAYS or keys.services is not None):
        raise ValueError(
            "dead holds for a whole cloud: give it share, from, until, every, not chance, services"
        )
    trouble = Trouble(fault, _seconds(keys.delay), share(str(keys.at)), keys.status, keys.retry_after)
    until = FOREVER if keys.until == FOREVER else _seconds(keys.until)
    when = When(_seconds(keys.begin), until, _seconds(keys.every), _seconds(keys.lasting))
    if when.every and not 0 < when.lasting < when.every:
        raise ValueError("every: goes with a shorter lasting:")
    return Rule(trouble, None if keys.services is None else frozenset(keys.services), chance, when)


def _means(patterns: str | list[str], cloud: str) -> bool:
    return any(matches(one, cloud) for one in ([patterns] if isinstance(patterns, str) else patterns))


def _latency(keys: Any, draw: random.Random) -> float:
    if isinstance(keys, LatencyKeys):
        return draw.uniform(_seconds(keys.least), _seconds(keys.to))
    return _seconds(keys)


def _seconds(value: str | float) -> float:
    return seconds(str(value))

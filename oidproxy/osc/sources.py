"""Where a scope and what it carries are given: option, environment or clouds.yaml, and which of them wins.

Imported on every `openstack` call, so it needs nothing but the standard library and reads no scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oidproxy.errors import ConfigError

HOOK = "oidproxy.osc.hook:apply"
"""What `vendor_hook` has to say for a scope to be in force."""

SECTION = "oidproxy"
"""The key of a cloud's configuration that holds the scope.

A mapping and not a string of its own: the SDK runs `str.format` over every string at the top of a cloud's
configuration, and a scope may be written in braces.
"""

CARRY = "oidproxy_carry"
"""The key that holds what is carried. Not inside SECTION: there it would displace a scope of clouds.yaml."""

OPTION = "--scope"
ENVIRONMENT = "OIDPROXY_SCOPE"
SECOND_SPELLING = "OS_SCOPE"
CARRY_OPTION = "--scope-carry"
CARRY_ENVIRONMENT = "OIDPROXY_SCOPE_CARRY"
CARRY_SECOND_SPELLING = "OS_SCOPE_CARRY"
CLOUDS_YAML = "clouds.yaml"


@dataclass(frozen=True, slots=True)
class Given:
    """A scope as its writer spelled it, and where it was written."""

    text: str
    source: str

    def section(self) -> dict[str, str]:
        """The same as `from_configuration` reads it back."""
        return {"scope": self.text, "source": self.source}


@dataclass(frozen=True, slots=True)
class GivenCarry:
    """Which clouds tokens are carried to, as its writer spelled it, and where it was written.

    It stands as it is in a cloud's configuration, so that no file can hold one: openstacksdk merges into that
    what a server answered as its `profile`, and no server may ask for the tokens of other clouds.
    """

    text: str
    source: str


def from_environment(environ: Mapping[str, str]) -> Given | None:
    """The scope of the environment; an empty variable counts as none. Raises ConfigError."""
    found = _variable(environ, ENVIRONMENT, SECOND_SPELLING)
    return Given(*found) if found else None


def carry_from_environment(environ: Mapping[str, str]) -> GivenCarry | None:
    """What the environment carries; an empty variable counts as none. Raises ConfigError."""
    found = _variable(environ, CARRY_ENVIRONMENT, CARRY_SECOND_SPELLING)
    return GivenCarry(*found) if found else None


def from_configuration(config: Mapping[str, object]) -> Given | None:
    """The scope of one cloud's merged configuration. Raises ConfigError for a section that makes no sense."""
    section = config.get(SECTION)
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise ConfigError(f"`{SECTION}:` in {CLOUDS_YAML} has to be a mapping: `{SECTION}: {{scope: …}}`")
    _refuse_unknown_keys(section)
    text = section.get("scope")
    if not isinstance(text, str):
        raise ConfigError(f"`{SECTION}: scope:` in {CLOUDS_YAML} has to be a text")
    return Given(text, str(section.get("source", CLOUDS_YAML)))


def given(config: Mapping[str, object], environ: Mapping[str, str]) -> Given | None:
    """The scope that counts: the option, then the environment, then clouds.yaml. Raises ConfigError."""
    configured = from_configuration(config)
    if configured is not None and configured.source == OPTION:
        return configured
    return from_environment(environ) or configured


def given_carry(config: Mapping[str, object], environ: Mapping[str, str]) -> GivenCarry | None:
    """What is carried: by the option, else by the environment. Raises ConfigError for clouds.yaml."""
    configured = config.get(CARRY)
    if configured is None:
        return carry_from_environment(environ)
    if not isinstance(configured, GivenCarry):
        raise ConfigError(
            f"`{CARRY}:` cannot stand in {CLOUDS_YAML}; give {CARRY_OPTION}, or set {CARRY_ENVIRONMENT}"
        )
    return configured


def is_ours(hook: object) -> bool:
    """Whether a `vendor_hook` is the one that puts the scope in force."""
    return hook == HOOK


def _variable(environ: Mapping[str, str], name: str, second: str) -> tuple[str, str] | None:
    _refuse_braces(environ.get(second, ""), name, second)
    return next(((environ[name], name) for name in (name, second) if environ.get(name)), None)


def _refuse_braces(text: str, name: str, second: str) -> None:
    # The SDK takes every OS_* variable for a setting of a cloud `envvars` and formats it: a KeyError naming
    # nothing but the first service, in every program that uses the SDK.
    if "{" in text or "}" in text:
        raise ConfigError(
            f"{second} cannot hold braces, since openstacksdk expands them; set {name}"
            + (", or write the scope in <…>" if second == SECOND_SPELLING else "")
        )


def _refuse_unknown_keys(section: Mapping[str, object]) -> None:
    # A mistyped `scope` must not run unscoped.
    if unknown := sorted(map(str, section.keys() - {"scope", "source", "vendor_hook"})):
        raise ConfigError(
            f"`{SECTION}:` in {CLOUDS_YAML} has an unknown key `{unknown[0]}` (known: scope, vendor_hook)"
        )

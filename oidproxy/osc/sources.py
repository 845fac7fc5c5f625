"""Where a scope is given: the option, the environment or clouds.yaml, and which of them wins.

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

OPTION = "--scope"
ENVIRONMENT = "OIDPROXY_SCOPE"
SECOND_SPELLING = "OS_SCOPE"
CLOUDS_YAML = "clouds.yaml"


@dataclass(frozen=True, slots=True)
class Given:
    """A scope as its writer spelled it, and where it was written."""

    text: str
    source: str

    def section(self) -> dict[str, str]:
        """The same as `from_configuration` reads it back."""
        return {"scope": self.text, "source": self.source}


def from_environment(environ: Mapping[str, str]) -> Given | None:
    """The scope of the environment; an empty variable counts as none. Raises ConfigError."""
    _refuse_braces(environ.get(SECOND_SPELLING, ""))
    for name in (ENVIRONMENT, SECOND_SPELLING):
        if text := environ.get(name):
            return Given(text, name)
    return None


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


def is_ours(hook: object) -> bool:
    """Whether a `vendor_hook` is the one that puts the scope in force."""
    return hook == HOOK


def _refuse_braces(text: str) -> None:
    # The SDK takes every OS_* variable for a setting of a cloud `envvars` and formats it: a KeyError naming
    # nothing but the first service, in every program that uses the SDK.
    if "{" in text or "}" in text:
        raise ConfigError(
            f"{SECOND_SPELLING} cannot hold braces, since openstacksdk expands them;"
            f" write the scope in <…>, or set {ENVIRONMENT}"
        )


def _refuse_unknown_keys(section: Mapping[str, object]) -> None:
    # A mistyped `scope` must not run unscoped.
    if unknown := sorted(map(str, section.keys() - {"scope", "source", "vendor_hook"})):
        raise ConfigError(
            f"`{SECTION}:` in {CLOUDS_YAML} has an unknown key `{unknown[0]}` (known: scope, vendor_hook)"
        )

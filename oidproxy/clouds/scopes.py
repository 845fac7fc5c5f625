"""Scope texts of a configuration: read, and once the registry stands, checked for meaning something in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.resolve import resolve
from oidproxy.errors import ScopeError
from oidproxy.scope.nearest import nearest
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import EVERY_SERVICE, NO_SCOPE, Scope

if TYPE_CHECKING:
    from oidproxy.clouds.document import Path
    from oidproxy.clouds.findings import Findings
    from oidproxy.clouds.registry import Registry


def scope_text(text: str, path: Path, findings: Findings) -> Scope:
    """The scope of a text; blank binds nothing. An error points into the text."""
    if not text.strip():
        return NO_SCOPE
    try:
        return parse(text)
    except ScopeError as error:
        findings.wrong_scope(path, error)
        return NO_SCOPE


def check_meaning(scope: Scope, home: str, path: Path, registry: Registry, findings: Findings) -> None:
    """Note every binding of `scope` that names a service or a cloud which the registry lacks."""
    all_known = not any(cloud.unlearned for cloud in registry.clouds.values())
    for binding in scope.bindings:
        service = binding.service
        if all_known and service != EVERY_SERVICE and service not in registry.service_types:
            suggestion = nearest(service, registry.service_types)
            findings.wrong(path, f"no cloud has a service {service!r}", suggestion=suggestion)
        try:
            resolve(binding.expr, registry, home=home)
        except ScopeError as error:
            findings.wrong(path, error.message, suggestion=error.suggestion)

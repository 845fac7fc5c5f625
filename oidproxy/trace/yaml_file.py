"""A small YAML file as a value of a known shape, with the place of everything that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from oidproxy.clouds import document
from oidproxy.clouds.findings import Findings
from oidproxy.clouds.shape import faults
from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Shape = TypeVar("Shape", bound=msgspec.Struct)


def read(path: Path, shape: type[Shape]) -> tuple[Shape, Findings]:
    """The file's content; further faults are noted in the findings, which know their places.

    Raises:
        ConfigError: it is no YAML, or of another shape.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("this is no text in UTF-8", file=str(path)) from None
    findings = Findings(document.parse(text, file=str(path)))
    data = findings.document.data
    findings.raise_errors()
    try:
        return msgspec.convert(data if data is not None else {}, shape, strict=False), findings
    except msgspec.ValidationError as error:
        for fault in faults(data, shape):
            findings.wrong(fault.path, fault.message, key=fault.at_key, suggestion=fault.suggestion)
        if not findings.errors:
            findings.wrong((), str(error))
        findings.raise_errors()
        raise

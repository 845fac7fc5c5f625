"""Makes frozen dataclasses quickly: for the few values of which every request needs one.

A frozen dataclass sets each of its fields by `object.__setattr__`, which takes ten times as long as an
assignment; with a dozen values for each request that is a tenth of all that the proxy does. Here a value is
open while it is made: it belongs to a subclass that can be assigned to, and to its own class ever after.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


def quickly(cls: Class) -> Class:
    """Give a frozen, slotted dataclass without subclasses and `__post_init__` a quicker `__init__`."""
    plain = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    known: dict[str, Any] = {
        "_open": type(f"_Open{cls.__name__}", (cls,), plain),
        "_cls": cls,
        "_set": object.__setattr__,
    }
    given, body = ["self"], ["_set(self, '__class__', _open)"]
    for field in fields(cls):
        name, default = field.name, f"_default_{field.name}"
        if field.default_factory is not MISSING and not field.init:
            known[default] = field.default_factory
            body.append(f"self.{name} = {default}()")
        elif field.default_factory is not MISSING:
            known[default] = field.default_factory
            given.append(f"{name}=None")
            body.append(f"self.{name} = {default}() if {name} is None else {name}")
        elif not field.init:
            known[default] = field.default
            body.append(f"self.{name} = {default}")
        else:
            known[default] = field.default
            given.append(name if field.default is MISSING else f"{name}={default}")
            body.append(f"self.{name} = {name}")
    source = f"def __init__({', '.join(given)}):\n    " + "\n    ".join([*body, "self.__class__ = _cls"])
    exec(source, known)  # noqa: S102 - as dataclasses itself does; of names of fields only
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = known["__init__"]  # type: ignore[misc]
    return cls

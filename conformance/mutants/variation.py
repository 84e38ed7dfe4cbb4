"""What mutants and benign variants have in common: each is a reference with a difference, named after its class."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import ModuleType
from typing import TypeVar

from conformance.reference.implementation import Reference


class Variation(Reference):
    """A reference that differs. name: by default made from the class's name."""

    name = "variation"

    def __init_subclass__(cls) -> None:
        """Name it after its class."""
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__).lower()


V = TypeVar("V", bound=Variation)


def variations(base: type[V], modules: Iterable[ModuleType]) -> dict[str, type[V]]:
    """Those of a sort that stand in these modules, by their names, in the order in which they are written down."""
    found: dict[str, type[V]] = {}
    for module in modules:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, base) and kind is not base and kind.__module__ == module.__name__:
                if kind.name in found:
                    places = f"{found[kind.name].__module__} and {module.__name__}"
                    raise ValueError(f"two are called {kind.name!r}, in {places}: rename one")
                found[kind.name] = kind
    return found

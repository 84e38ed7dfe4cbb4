"""A benign variant, and what it says of itself."""

from __future__ import annotations

from typing import ClassVar

from conformance.mutants.variation import Variation


class Benign(Variation):
    """A reference that differs and conforms. fires: the rules that wrongly find a violation, over the fixtures of their area.

    leaves: the SHOULD rules that it does not follow, and breaks rightly.
    """

    fires: ClassVar[frozenset[str]] = frozenset()
    leaves: ClassVar[frozenset[str]] = frozenset()

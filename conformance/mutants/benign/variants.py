"""All benign variants."""

from __future__ import annotations

from conformance.mutants.benign import choices, recovery, runs, workflows
from conformance.mutants.benign.variant import Benign
from conformance.mutants.variation import variations


def variants() -> list[type[Benign]]:
    """Every benign variant, in the order in which they are written down."""
    return list(variations(Benign, [runs, recovery, choices, workflows]).values())

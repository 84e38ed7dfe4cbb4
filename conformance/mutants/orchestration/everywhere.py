"""A fault that workflows of every pattern have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from conformance.reference.patterns import PATTERNS
from conformance.reference.workflow import Workflow
from conformance.vocabulary import Pattern


def everywhere(fault: type[Workflow], *, but: Collection[Pattern] = ()) -> Mapping[Pattern, type[Workflow]]:
    """Every pattern with a fault in front of it. but: patterns without."""
    return {
        pattern: kind if pattern in but else cast("type[Workflow]", type(fault.__name__, (fault, kind), {}))
        for pattern, kind in PATTERNS.items()
    }

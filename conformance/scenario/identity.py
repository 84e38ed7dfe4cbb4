"""The identity of a scenario: an id made of what it does, by which two results, two versions or two languages mean the same one."""

from __future__ import annotations

import hashlib
import json

import msgspec

from conformance.scenario.files import sparse
from conformance.scenario.scenario import Scenario

LENGTH = 12
"""Hexadecimal digits of an id: of a million scenarios no two share one by chance."""


def scenario_id(scenario: Scenario) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the canonical JSON: without what only describes, and without defaults.

    A field that the model gains, with a default, changes no id. The order of agents, tools and context providers does: it is the
    order in which an implementation is given them.
    """
    bare = msgspec.structs.replace(scenario, title="", shows=())
    text = json.dumps(sparse(bare, ordered=True), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]

"""What every builder of a workflow takes, for `agent-framework`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent_framework import SupportsAgentRun, Workflow

from conformance.scenario import WorkflowSpec
from conformance.world import World

Participants = Mapping[str, SupportsAgentRun | Workflow]
"""The participants under their names, in the order of the spec: agents, and workflows."""

Build = Callable[[str, WorkflowSpec, Participants, World], Workflow]
"""Builds the workflow of this name and spec."""

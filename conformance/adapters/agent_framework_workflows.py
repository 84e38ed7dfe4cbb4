"""How `agent-framework` builds the five orchestrations of a scenario; for author-written workflows see `agent_framework_custom`.

Outputs are designated by executor. The default of every orchestration is its answer as `output` and nothing else; intermediate
outputs on means `intermediate_output_from="all_other"`. For a sequence the default has to be said along with it, else it is gone.
"""

# ruff: noqa: ARG001 (every builder takes the same arguments)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_framework import Agent, AgentExecutorResponse, AgentResponse, SupportsAgentRun, Workflow
from agent_framework import Message as NativeMessage
from agent_framework.orchestrations import ConcurrentBuilder, GroupChatBuilder, HandoffBuilder, MagenticBuilder, SequentialBuilder

from conformance.adapters.agent_framework_custom import custom
from conformance.adapters.agent_framework_managers import ScriptedManager, group_chat_manager
from conformance.adapters.agent_framework_patterns import Build, Participants
from conformance.implementation import NotSupported
from conformance.scenario import WorkflowSpec
from conformance.vocabulary import Pattern
from conformance.world import World


def sequential(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """One after another."""
    return SequentialBuilder(
        name=name,
        participants=_as_agents(participants),
        output_from=[spec.participants[-1]],
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def concurrent(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Side by side. What an author's aggregator answers is signed with the name of the workflow."""
    builder = ConcurrentBuilder(
        name=name,
        participants=_as_agents(participants),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    )
    if (text := spec.aggregates) is not None:

        async def aggregator(results: list[AgentExecutorResponse]) -> AgentResponse[Any]:
            return AgentResponse(messages=[NativeMessage("assistant", [text], author_name=name)])

        builder.with_aggregator(aggregator)
    return builder.build()


def handoff(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """Handing over. It "has no separate intermediate outputs channel": every participant is `output`, whatever the option says."""
    agents: list[Agent[Any]] = [each for each in participants.values() if isinstance(each, Agent)]
    if len(agents) < len(participants):
        raise NotSupported("only an Agent can take part in a handoff, not a workflow as an agent")
    builder = HandoffBuilder(name=name, participants=agents).with_start_agent(agents[0])
    # Evaluated before and after each participant's run: false until one of them, in this run, replies and asks for nothing more.
    return builder.with_termination_condition(lambda _: world.answered(spec.participants)).build()


def group_chat(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager picks, here an agent."""
    builder = GroupChatBuilder(
        name=name,
        participants=_as_agents(participants),
        orchestrator_agent=group_chat_manager(world.manager),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    )
    return builder.with_max_rounds(spec.max_rounds).build()


def magentic(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:
    """A manager plans, picks and synthesizes; the limits are the manager's."""
    return MagenticBuilder(
        name=name,
        participants=_as_agents(participants),
        manager=ScriptedManager(world.manager, spec),
        intermediate_output_from="all_other" if spec.intermediate_outputs else None,
    ).build()


def _as_agents(participants: Participants) -> list[SupportsAgentRun]:
    """The participants of an orchestration, workflows among them as agents under the names that they have there."""
    return [each.as_agent(name=name) if isinstance(each, Workflow) else each for name, each in participants.items()]


BUILDERS: Mapping[Pattern, Build] = {
    "sequential": sequential,
    "concurrent": concurrent,
    "handoff": handoff,
    "group_chat": group_chat,
    "magentic": magentic,
    "custom": custom,
}

"""How `agent-framework` builds an author-written workflow: executors and participants, stage after stage.

A child takes part by the framework's `WorkflowExecutor`, which "makes a workflow behave as a single executor within a parent
workflow": its outputs are messages to the coordinator, and its requests, propagated, are the parent's own.
"""

from __future__ import annotations

from agent_framework import AgentExecutor, Executor, Workflow, WorkflowBuilder, WorkflowExecutor

from conformance.adapters.agent_framework_executors import Pause, Scripted, Stages
from conformance.adapters.agent_framework_patterns import Participants
from conformance.implementation import NotSupported
from conformance.scenario import WorkflowSpec
from conformance.world import World


def custom(name: str, spec: WorkflowSpec, participants: Participants, world: World) -> Workflow:  # noqa: ARG001 (as every builder)
    """An author's own executors and participants. Each of them is an output, an intermediate output, or hidden."""
    for id, executor in spec.executors.items():
        if executor.emits and executor.completes is not None:
            raise NotSupported(f"outputs are designated by executor: {id!r} cannot both emit intermediate outputs and complete")
    used = [member for stage in spec.stages for member in stage]
    agents: dict[str, Executor] = {}
    children: dict[str, Executor] = {}
    for id, participant in participants.items():
        if isinstance(participant, Workflow):
            children[id] = WorkflowExecutor(participant, id=id, propagate_request=True)
        else:
            agents[id] = AgentExecutor(participant, id=id)
    executors = {id: Scripted(id, spec.executors[id], name) for id in used if id in spec.executors}
    stages, pause = Stages(spec.stages, agents=list(agents), children=list(children)), Pause()
    completing = [executor for id, executor in executors.items() if spec.executors[id].completes is not None]
    shown = [executor for id, executor in executors.items() if spec.executors[id].emits] + [*agents.values()]
    builder = WorkflowBuilder(
        name=name,
        start_executor=stages,
        # Where nobody completes, the author designated someone who outputs nothing: without a designation everybody is `output`.
        output_from=[*completing] or [stages],
        intermediate_output_from=[*shown] if spec.intermediate_outputs else None,
    )
    for member in [pause, *({**agents, **children, **executors}[id] for id in used)]:
        builder.add_edge(stages, member).add_edge(member, stages)
    return builder.build()

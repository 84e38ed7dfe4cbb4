"""Scenarios and trace events in plain words, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from conformance.scenario import (
    AgentSpec,
    CreateThread,
    ManagerSpec,
    ReplySpec,
    Respond,
    Run,
    RunWorkflow,
    Scenario,
    Step,
    Together,
    ToolSpec,
    WorkflowSpec,
)
from conformance.trace import AnyEvent, Message

_KEEPS = {
    "nothing": "a service that keeps nothing",
    "one_id": "a service that keeps conversations under one id",
    "new_ids": "a service that keeps conversations under a new id with every reply",
}


def cast_lines(scenario: Scenario) -> Iterator[str]:
    """Who takes part."""
    for name, agent in scenario.agents.items():
        yield f"agent {name}: {', '.join(_agent(agent))}"
    for name, workflow in scenario.workflows.items():
        yield f"workflow {name}: {', '.join(_workflow(workflow))}"


def step_lines(scenario: Scenario) -> Iterator[str]:
    """What is done, step by step."""
    for step in scenario.steps:
        yield _step(step)


def event_line(event: AnyEvent) -> str:
    """What happened."""
    shown: list[str] = []
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if field.name not in ("step", "run") and value != default:
            shown.append(f"{field.name}: {_value(value)}")
    name = str(type(event).__struct_config__.tag).replace("_", " ")
    return name + (f" ({'; '.join(shown)})" if shown else "")


def _agent(agent: AgentSpec) -> Iterator[str]:
    yield _KEEPS[agent.service.keeps]
    if agent.service.stores_by_default:
        yield "stores by default"
    if agent.service.surprising:
        yield "stores unasked"
    if agent.service.strict:
        yield "strict"
    for name, tool in agent.tools.items():
        yield _tool(name, tool)
    if agent.history == "provider":
        yield "a history provider"
    if agent.client_as_is:
        yield "the caller's own client stack" + (" with the decorator" if agent.decorated else "")
    if agent.per_service_call:
        yield "per-service-call persistence"
    off = [name for name in ("throw", "warn", "clear") if not getattr(agent.on_conflict, name)]
    if off:
        yield f"on a conflict not: {', '.join(off)}"
    for id, provider in agent.context.items():
        yield f"context provider {id}" + (f" that adds {_texts(provider.adds)}" if provider.adds else "")


def _tool(name: str, tool: ToolSpec) -> str:
    does = f"raises {tool.raises!r}" if tool.raises is not None else f"returns {tool.returns!r}"
    also = [word for word, on in (("ends the loop", tool.terminates), ("needs approval", tool.approval)) if on]
    return " and ".join([f"tool {name} {does}", *also])


def _workflow(workflow: WorkflowSpec) -> Iterator[str]:
    if workflow.pattern == "custom":
        yield "custom, " + ", then ".join(" beside ".join(stage) for stage in workflow.stages)
        for name, executor in workflow.executors.items():
            does = [f"outputs {text!r}" for text in executor.emits]
            does += [f"completes with {executor.completes!r}"] if executor.completes is not None else []
            yield f"{name} {' and '.join(does) or 'does nothing'}"
    else:
        yield f"{workflow.pattern.replace('_', ' ')} of {', '.join(workflow.participants)}"
    if workflow.intermediate_outputs:
        yield "intermediate outputs on"


def _step(step: Step) -> str:
    match step:
        case CreateThread():
            return f"create the {step.kind} thread {step.thread} on agent {step.agent}"
        case Run():
            return _run(step)
        case Together():
            order = f"; answered in the order {', '.join(str(place + 1) for place in step.order)}" if step.order else ""
            return "together: " + " | ".join(f"({place}) {_run(run)}" for place, run in enumerate(step.runs, 1)) + order
        case RunWorkflow():
            return _workflow_run(step)
        case Respond():
            verb = "approve" if step.approve else "reject"
            return f"{verb} pending request {step.request}{', streaming' if step.stream else ''}"


def _run(run: Run) -> str:
    options = ["streaming"] if run.stream else []
    options += [f"store={str(run.store).lower()}"] if run.store is not None else []
    if run.conversation_id is not None:
        options.append(f"conversation_id: {'its own' if run.conversation_id == 'own' else 'of another conversation'}")
    return f"run {run.thread} with {_texts(run.say)}" + "".join(f", {option}" for option in options) + _replies(run.replies)


def _workflow_run(step: RunWorkflow) -> str:
    options = (["as an agent"] if step.as_agent else []) + (["streaming"] if step.stream else [])
    text = f"run workflow {step.workflow} with {_texts(step.say)}" + "".join(f", {option}" for option in options)
    for agent, replies in step.replies.items():
        text += _replies(replies, agent)
    if step.manager != ManagerSpec():
        text += f"; the manager picks {', '.join(step.manager.picks) or 'nobody'} and answers {step.manager.answer!r}"
    return text + (f"; they finish in the order {', '.join(step.finish)}" if step.finish else "")


def _replies(replies: Sequence[ReplySpec], agent: str = "the service") -> str:
    return f"; {agent} replies {', then '.join(_reply(reply) for reply in replies)}" if replies else ""


def _reply(reply: ReplySpec) -> str:
    if reply.error is not None:
        return f"with the error {reply.error!r}"
    said = [repr(reply.text)] if reply.text is not None else []
    said += [f"call {call.tool}{_value(call.arguments) if call.arguments else ''}" for call in reply.calls]
    said += [f"hand off to {reply.handoff}"] if reply.handoff is not None else []
    return (" and ".join(said) or "nothing") + (" without an id" if reply.without_id else "")


def _texts(texts: Sequence[str]) -> str:
    return " and ".join(repr(text) for text in texts) or "no input"


def _message(message: Message) -> str:
    said = [repr(message.text)] if message.text else []
    said += [f"call {call.id} {call.tool}" for call in message.calls]
    said += [f"result {result.id} {result.value!r}{' (error)' if result.error else ''}" for result in message.results]
    author = f" {message.author}" if message.author else ""
    return f"{message.role}{author}: {' and '.join(said) or 'nothing'}"


def _value(value: Any) -> str:
    if isinstance(value, Message):
        return _message(value)
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[Any]", value)
        return "[" + ", ".join(_value(item) for item in items) + "]"
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in entries.items()) + "}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else repr(value) if isinstance(value, str) else str(value)

"""Scenarios in plain words, one line for everybody who takes part and one for each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.report.event_text import value_words
from conformance.scenario.scenario import (
    CreateThread,
    Respond,
    Restore,
    Run,
    RunWorkflow,
    Scenario,
    Serialize,
    Step,
    Tamper,
    Together,
)
from conformance.scenario.specs import (
    AgentSpec,
    CallSpec,
    ContextSpec,
    ExecutorSpec,
    ManagerSpec,
    ReplySpec,
    ServiceSpec,
    ToolSpec,
    WorkflowSpec,
)

_KEEPS = {
    "nothing": "a service that keeps nothing",
    "one_id": "a service that keeps conversations under one id",
    "new_ids": "a service that keeps conversations under a new id with every reply",
}

_DAMAGE = {
    "drop": "without one of its fields",
    "cut": "cut off at one of its fields",
    "retype": "with a value of another type",
    "unknown": "with a word that nobody knows",
    "extra": "with a field too many",
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


def _agent(agent: AgentSpec) -> Iterator[str]:
    yield from _service(agent.service)
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
    for name, provider in agent.context.items():
        yield _context(name, provider)
    if agent.limit is not None:
        yield f"at most {agent.limit} {'reply' if agent.limit == 1 else 'replies'} of a run with calls"
    if agent.observed:
        yield "something that looks at its threads before and after every run"
    if agent.reduces_to is not None:
        yield f"a reducer to {agent.reduces_to} {'message' if agent.reduces_to == 1 else 'messages'}"


def _service(service: ServiceSpec) -> Iterator[str]:
    yield _KEEPS[service.keeps]
    if service.stores_by_default:
        yield "stores by default"
    if service.surprising:
        yield "stores unasked"
    if service.strict:
        yield "strict"
    if service.repeats_call_ids:
        yield "numbers its calls anew in every run"


def _context(name: str, provider: ContextSpec) -> str:
    id = f" with the id {provider.id!r}" if provider.id is not None else ""
    return f"context provider {name}{id}" + (f" that adds {_texts(provider.adds)}" if provider.adds else "")


def _tool(name: str, tool: ToolSpec) -> str:
    if tool.agent is not None:
        return f"tool {name} is agent {tool.agent}"
    does = f"raises {tool.raises!r}" if tool.raises is not None else f"returns {tool.returns!r}"
    marks = ("ends the loop", tool.terminates), ("needs approval", tool.approval), ("looks at the thread", tool.looks)
    also = [word for word, on in marks if on]
    return " and ".join([f"tool {name} {does}", *also])


def _workflow(workflow: WorkflowSpec) -> Iterator[str]:
    if workflow.pattern == "custom":
        yield "custom, " + ", then ".join(" beside ".join(stage) for stage in workflow.stages)
        for name, executor in workflow.executors.items():
            yield f"{name} {' and '.join(_executor(executor)) or 'does nothing'}"
    else:
        yield f"{workflow.pattern.replace('_', ' ')} of {', '.join(workflow.participants)}"
    if workflow.aggregates is not None:
        yield f"an aggregator that answers {workflow.aggregates!r}"
    for what, most in (("rounds", workflow.max_rounds), ("stalls", workflow.max_stalls), ("resets", workflow.max_resets)):
        if most is not None:
            yield f"at most {most} {what}"
    if workflow.intermediate_outputs:
        yield "intermediate outputs on"


def _executor(executor: ExecutorSpec) -> Iterator[str]:
    if executor.asks:
        yield "waits for an answer"
    for text in executor.emits:
        yield f"outputs {text!r}"
    if executor.raises is not None:
        yield f"raises {executor.raises!r}"
    for text in (executor.completes, executor.again):
        if text is not None:
            yield f"completes with {text!r}"


def _step(step: Step) -> str:
    match step:
        case CreateThread() | Serialize() | Restore() | Tamper():
            return _thread_step(step)
        case Run():
            return _run(step)
        case Together():
            order = f"; answered in the order {', '.join(str(place + 1) for place in step.order)}" if step.order else ""
            return "together: " + " | ".join(f"({place}) {_step(run)}" for place, run in enumerate(step.runs, 1)) + order
        case RunWorkflow():
            return _workflow_run(step)
        case Respond():
            verb = "approve" if step.approve else "reject"
            return f"{verb} pending request {step.request}{', streaming' if step.stream else ''}"


def _thread_step(step: CreateThread | Serialize | Restore | Tamper) -> str:
    match step:
        case CreateThread():
            known = ", with the id of a conversation that its service has already" if step.with_id else ""
            return f"create the {step.kind} thread {step.thread} on agent {step.agent}{known}"
        case Serialize():
            return f"turn {step.thread} into data"
        case Restore():
            damage = f", {_DAMAGE[step.damage.how]} (place {step.damage.at})" if step.damage else ""
            return f"restore {step.thread}{_on(step.agent)} from the data of {step.data}{damage}"
        case Tamper():
            return f"change every message that the caller handed over to runs on {step.thread} or got from them"


def _run(run: Run) -> str:
    options = ["streaming"] if run.stream else []
    options += [f"store={str(run.store).lower()}"] if run.store is not None else []
    if run.conversation_id is not None:
        options.append(f"conversation_id: {'its own' if run.conversation_id == 'own' else 'of another conversation'}")
    options += _troubles(run)
    text = f"run {run.thread}{_on(run.agent)} with {_texts(run.say)}" + "".join(f", {option}" for option in options)
    inner = (_replies(replies, f"inside, agent {agent}") for agent, replies in run.inner.items())
    return text + _replies(run.replies) + "".join(inner)


def _troubles(run: Run) -> Iterator[str]:
    if run.supplies:
        yield "with the results that its history lacks"
    if run.per_service_call is not None:
        yield f"the agent rebuilt {'with' if run.per_service_call else 'without'} per-service-call persistence"
    if run.forgotten:
        yield "its service having forgotten every conversation"
    if run.background:
        yield "in the background"
    if run.abandons is not None:
        yield f"left after {run.abandons} {'chunk' if run.abandons == 1 else 'chunks'}"
    if run.load_fails is not None:
        yield f"load {run.load_fails + 1} of its history fails"
    if run.append_fails is not None:
        yield f"append {run.append_fails + 1} to its history fails"


def _on(agent: str | None) -> str:
    return f" on agent {agent}" if agent is not None else ""


def _workflow_run(step: RunWorkflow) -> str:
    options = ["as an agent"] if step.as_agent else []
    options += [f"on thread {step.thread}"] if step.thread is not None else []
    options += ["streaming"] if step.stream else []
    options += [f"left after {step.abandons} chunks or outputs"] if step.abandons is not None else []
    text = f"run workflow {step.workflow} with {_texts(step.say)}" + "".join(f", {option}" for option in options)
    for agent, replies in step.replies.items():
        text += _replies(replies, agent)
    if step.manager != ManagerSpec():
        text += f"; the manager {' and '.join(_manager(step.manager))}"
    return text + (f"; they finish in the order {', '.join(step.finish)}" if step.finish else "")


def _manager(manager: ManagerSpec) -> Iterator[str]:
    yield f"picks {', '.join(manager.picks) or 'nobody'}"
    if manager.stalls:
        yield f"sees no progress at pick {' and '.join(str(place + 1) for place in manager.stalls)}"
    yield "names somebody unknown" if manager.errs else f"answers {manager.answer!r}"


def _replies(replies: Sequence[ReplySpec], agent: str = "the service") -> str:
    return f"; {agent} replies {', then '.join(_reply(reply) for reply in replies)}" if replies else ""


def _reply(reply: ReplySpec) -> str:
    if reply.cancelled:
        return "nothing, as the caller cancels the run"
    if reply.error is not None:
        return f"with the error {reply.error!r}"
    said = [repr(reply.text)] if reply.text is not None else []
    said += [_call(call) for call in reply.calls]
    said += [f"hand off to {reply.handoff}"] if reply.handoff is not None else []
    return (" and ".join(said) or "nothing") + _WHERE_ITS_ID_IS["nowhere" if reply.without_id else reply.id_in]


_WHERE_ITS_ID_IS = {
    "every": "",
    "nowhere": " without an id",
    "first": " with its id in the first chunk",
    "middle": " with its id in a middle chunk",
    "last": " with its id in the last chunk",
    "provisional": " with a provisional id in the first chunk and its own in the last",
}


def _call(call: CallSpec) -> str:
    arguments = value_words(call.arguments) if call.arguments else ""
    return f"call {call.tool}{arguments}" + (", in which the caller cancels the run" if call.cancelled else "")


def _texts(texts: Sequence[str]) -> str:
    return " and ".join(repr(text) for text in texts) or "no input"

"""Agents that are another agent's tools: what they have of the thread that they are called from, and it of them (THR-37)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.preconditions import thread_run
from conformance.rules.run_view import CallView, RunView
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import ThreadDescribed
from conformance.trace.harness_events import ServiceReplied
from conformance.trace.messages import Message, Part


@dataclass(frozen=True)
class InnerRequest:
    """A service call of an agent that is a tool, in a run of the agent that has it."""

    run: RunView
    call: CallView


@selection
def inner_request(execution: ExecutionView) -> Iterator[InnerRequest]:
    """A request of an agent that is a tool of a run's agent."""
    for run in thread_run(execution):
        yield from (InnerRequest(run, call) for call in run.inner_calls)


@condition
def calls_an_agent(_: ExecutionView, run: RunView) -> bool:
    """An agent that is a tool of the run's agent sent a request."""
    return bool(run.inner_calls)


def inherited(execution: ExecutionView, inner: InnerRequest) -> list[Part]:
    """What an inner agent sees of the outer conversation, but for its task and what inner agents said themselves."""
    outer = _said_on_the_thread(execution, inner.run) - _inner_answers(execution)
    seen = _seen(execution, inner.call)
    return [part for part in seen if part in outer and part[1] not in _tasks(execution)]


def ids_of_the_thread(execution: ExecutionView, run: RunView) -> set[str | None]:
    """The conversation ids that a run's own thread has or had."""
    replied = {reply.conversation_id for each in [*execution.earlier(run), run] for reply in _replies(each.calls)}
    return (replied | {execution.id_given(run.thread or ""), execution.id_before(run)}) - {None}


def leaks(execution: ExecutionView, run: RunView) -> list[tuple[int, str]]:
    """Where something of the inner agents' own conversations came to the outer thread or its requests, each with its aspect."""
    ids = {id for reply in _replies(run.inner_calls) if (id := reply.conversation_id)}
    inner = _inner_answers(execution) - _said_on_the_thread(execution, run)
    stored = [(at, event.messages) for at, event in run.stored]
    found = [(view.at, "id taken over") for view in run.calls if view.request.conversation_id in ids]
    found += [(view.at, "sent outside") for view in run.calls if inner.intersection(_seen(execution, view))]
    return [*found, *_leaks_onto_the_thread(execution, run, ids, inner), *_where_stored(execution, stored, inner)]


def _leaks_onto_the_thread(execution: ExecutionView, run: RunView, ids: set[str], inner: set[Part]) -> Iterator[tuple[int, str]]:
    """Where the outer thread shows ids, messages or context state of inner agents."""
    states = states_after(execution, run)
    yield from ((at, "id taken over") for at, state in states if state.conversation_id in ids)
    yield from _where_stored(execution, [(at, state.messages or ()) for at, state in states], inner)
    yield from ((at, "foreign context") for at, state in states if _foreign_context(execution, run, state))


def _where_stored(
    execution: ExecutionView, stored: Sequence[tuple[int, Sequence[Message]]], inner: set[Part]
) -> list[tuple[int, str]]:
    """Where messages of inner agents stand among what is stored."""
    return [(at, "stored outside") for at, messages in stored if inner.intersection(execution.heard(messages))]


def _foreign_context(execution: ExecutionView, run: RunView, state: ThreadDescribed) -> bool:
    """Whether a thread came by context state of a provider that its agents do not have, in a run with inner calls."""
    before = execution.described(run.thread, before=run.at)
    known = {id for each in [*execution.earlier(run), run] for id in each.agent.provider_ids}
    new = {id for id, left in state.context.items() if left} - set(before.context if before else ())
    agents = [execution.scenario.agents.get(view.request.agent, AgentSpec()) for view in run.inner_calls]
    return bool(new & ({id for each in agents for id in each.provider_ids} - known))


def _seen(execution: ExecutionView, call: CallView) -> list[Part]:
    return execution.heard([*call.request.held, *call.request.messages])


def _said_on_the_thread(execution: ExecutionView, run: RunView) -> set[Part]:
    """The conversation of a run's own thread."""
    return {part for each in [*execution.earlier(run), run] for part in each.happened()}


def _inner_answers(execution: ExecutionView) -> set[Part]:
    """What the services of inner agents answered, in all runs."""
    answers = [reply.message for run in _on_threads(execution) for reply in _replies(run.inner_calls)]
    return {part for answer in answers for part in execution.heard([answer])}


def _tasks(execution: ExecutionView) -> set[object]:
    """What inner agents were asked: the arguments of calls, in all runs."""
    asking = [reply.message for run in _on_threads(execution) for reply in _replies(run.calls)]
    return {text for message in asking for call in message.calls for text in call.arguments.values()}


def _on_threads(execution: ExecutionView) -> list[RunView]:
    return [run for run in execution.runs if run.thread is not None]


def _replies(calls: Sequence[CallView]) -> list[ServiceReplied]:
    return [view.reply for view in calls if view.reply]

"""What should have happened: by the scenario, by the configuration matrix and by what the implementation declares.

Facts are in `run_view` and `execution_view`; here stands what follows from them: when history is appended, which kind a thread has,
who keeps the conversation, what local history holds, and which runs cannot be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from conformance.rules.execution_view import ExecutionView
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Run, Scenario
from conformance.scenario.specs import AgentSpec
from conformance.trace.harness_events import ConversationExists, ConversationsForgotten, ServiceReplied
from conformance.trace.messages import Call, Part
from conformance.vocabulary import ThreadKind

Timing = Literal["per run", "per call", "incremental", "not"]
"""When local history is appended. incremental: in steps of the implementation's own; `not`: that is the caller's responsibility."""


def persistence_of(agent: AgentSpec) -> Timing:
    """When an agent's local history is appended, by the configuration matrix; `not`: the caller's responsibility."""
    if not agent.per_service_call:
        return "per run"
    return "per call" if not agent.client_as_is or agent.decorated else "not"


def timing_of(run: RunView) -> Timing:
    """When the run's history is appended, by the configuration matrix; a run in the background persists at its end (PER-40).

    The matrix says nothing of an implementation that declares a history of steps of its own (PER-57).
    """
    if "history.incremental" in run.trace.capabilities:
        return "incremental"
    timing = persistence_of(run.agent)
    return "per run" if run.in_background and timing == "per call" else timing


def kind_before(execution: ExecutionView, run: RunView) -> ThreadKind:
    """The kind of the run's thread when the run began: as created, or what an earlier run made of it.

    An adaptive thread is what its first successful run makes of it. A transition makes a local thread hosted, and so does a
    surprising service whose id was not refused as a conflict; but not one that was adaptive: its kind is settled.
    """
    assert run.thread is not None
    return _kind(execution, run.thread, execution.earlier(run))


def kind_after(execution: ExecutionView, run: RunView) -> ThreadKind:
    """The kind of the run's thread when the run is over."""
    assert run.thread is not None
    return _kind(execution, run.thread, [*execution.earlier(run), run])


def _kind(execution: ExecutionView, thread: str, runs: Sequence[RunView]) -> ThreadKind:
    kind = created = execution.scenario.kind_of(thread)
    for other in runs:
        if kind == "adaptive" and other.succeeded:
            kind = "hosted" if other.brought_id else "local"
        elif kind == "local" and (transforms(other) or (created == "local" and _surprised(other))):
            kind = "hosted"
    return kind


def restored_adaptive(execution: ExecutionView, thread: str) -> bool:
    """Whether a restored thread comes from one that was adaptive and had not run when it became data."""
    return execution.scenario.kind_of(thread) == "adaptive" and not execution.inherited(thread)


def transforms(run: RunView) -> bool:
    """Whether a run on a local thread made it hosted, because its options and the declared policy say so."""
    asks = isinstance(run.spec, Run) and (run.spec.store is True or run.spec.conversation_id == "other")
    return asks and run.policies.store_conflict == "transform" and run.succeeded


def _surprised(run: RunView) -> bool:
    refused = run.raised is not None and run.raised[1].kind == "conflict"
    took = run.succeeded or run.agent.per_service_call  # else the id is taken over at the end of the run
    return run.agent.service.surprising and run.brought_id and took and not refused


def home_before(execution: ExecutionView, run: RunView) -> str:
    """The agent whose service has the conversation of a hosted thread when a run begins."""
    assert run.thread is not None
    brought = [other.agent_name for other in execution.earlier(run) if other.brought_id and other.succeeded]
    return brought[-1] if brought else execution.scenario.creation_of(run.thread).agent


def stored_after(run: RunView) -> list[Part]:
    """What local history should have gained from a run.

    What is left of one that failed in steps of the implementation's own is known by what it stored alone: see `stored_by`.
    """
    match timing_of(run):
        case "per run" | "incremental":
            trimmed = run.terminated and run.policies.trailing_result == "trimmed"
            kept = run.ending in ("returned", "waiting")
            return run.happened(trailing=not trimmed) if kept else []
        case "per call":
            return run.happened(trailing=False) if any(view.reply for view in run.calls) else []
        case "not":
            return []


def stored_by(run: RunView, at: int) -> list[Part]:
    """The conversation of a run as far as it had come: all that may be stored of it by a position in the trace.

    What is stored in steps is a prefix of it, and the results of one reply may come in any order (`parts.begins`). All results of
    the last reply are in it, also those of which nothing else shows: of agents that are tools, and of calls that were not run.
    """
    by_then = run.until(at)
    last = [view.reply.message for view in by_then.calls if view.reply is not None][-1:]
    return by_then.happened(trailing=False) + [("result", call.id) for message in last for call in message.calls]


def local_history(execution: ExecutionView, run: RunView) -> list[Part]:
    """What a local thread's history should be when a run begins."""
    return [part for other in execution.earlier(run) for part in stored_after(other)]


def contradicts(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run cannot be: its agent cannot be built, or cannot serve the thread as it is, with these options."""
    served = not (misplaced(execution, run) or unsupported(execution, run) or refuses_reducer(execution, run))
    allowed = not (contradicting_options(execution, run) or interrupts(execution, run))
    return not (served and allowed and buildable(execution.scenario, run.agent_name))


def contradicting_options(execution: ExecutionView, run: RunView) -> bool:
    """Whether the options of the run contradict its thread. Nothing contradicts one that has no kind yet."""
    kind = kind_before(execution, run)
    if not isinstance(run.spec, Run) or kind == "adaptive":
        return False
    return run.spec.store not in (None, kind == "hosted") or run.spec.conversation_id == "other"


def misplaced(execution: ExecutionView, run: RunView) -> bool:
    """Whether the thread's conversation is in the service of another agent."""
    return kind_before(execution, run) == "hosted" and run.agent_name != home_before(execution, run)


def unsupported(execution: ExecutionView, run: RunView) -> bool:
    """Whether the thread is hosted and the agent's service keeps nothing."""
    return kind_before(execution, run) == "hosted" and run.agent.service.keeps == "nothing"


def refuses_reducer(execution: ExecutionView, run: RunView) -> bool:
    """Whether a hosted thread was refused on an agent with a reducer, which may be (THR-34)."""
    refused = run.raised is not None and run.raised[1].kind in ("unsupported", "invalid") and not run.calls
    return refused and run.agent.reduces_to is not None and kind_before(execution, run) == "hosted"


def interrupts(execution: ExecutionView, run: RunView) -> bool:
    """Whether an earlier run of the thread waits for someone's answer when this one begins (PER-42)."""
    return any(other.waits_at(run.at) for other in execution.earlier(run)) if run.thread is not None else False


def overtaken(execution: ExecutionView, run: RunView) -> bool:
    """Whether another run of the thread came before this one, which waited, came to its end."""
    others = [other for other in execution.runs if other.thread == run.thread and other.calls]
    return any(run.at < other.at < run.events[-1][0] for other in others)


def perhaps_open(execution: ExecutionView, run: RunView) -> list[Call]:
    """The calls that earlier runs on the thread may have left open, but for runs that wait."""
    earlier = [other for other in execution.earlier(run) if other.ending not in ("waiting", "unknown")]
    return [call for other in earlier for call in other.perhaps_open]


def kept_without_an_id(execution: ExecutionView, run: RunView) -> bool:
    """Whether the service kept a reply on the thread, in the run or before it, that carried no conversation id."""
    replies = [view.reply for each in [*execution.earlier(run), run] for view in each.calls if view.reply is not None]
    return any(reply.kept and reply.conversation_id is None for reply in replies)


def is_forgotten(execution: ExecutionView, run: RunView, at: int) -> bool:
    """Whether the service of a run has forgotten the conversation of its thread since that was named last."""
    forgotten = [place for place, event in execution.of(ConversationsForgotten) if event.agent == run.agent_name and place < at]
    named = [place for place in _named(execution, run) if place < at]
    return bool(forgotten and named) and max(named) < forgotten[-1]


def _named(execution: ExecutionView, run: RunView) -> list[int]:
    """Where in the trace the conversation of the run's thread is named, by its service or by whoever created the thread."""
    given = execution.id_given(run.thread or "")
    created = [place for place, event in execution.of(ConversationExists) if event.conversation_id == given]
    replies = [found for each in (*execution.earlier(run), run) for found in each.own(ServiceReplied)]
    return [*created, *(place for place, reply in replies if reply.conversation_id is not None)]


def names_an_open_call(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run raised an error that names a call which may be open, and whose result it does not supply."""
    text = run.raised[1].text if run.raised is not None else ""
    supplied = {result.id for result in run.supplied}
    return any(name in text for call in perhaps_open(execution, run) if call.id not in supplied for name in (call.id, call.tool))


def forked(execution: ExecutionView, run: RunView) -> bool:
    """Whether another thread went on with what the run continues: a conversation under one id, or a provider's history.

    What a local thread keeps itself is its own, whatever its service could keep.
    """
    keeps_itself = run.agent.history != "provider" and not run.agent.service.surprising
    return not (keeps_itself and kind_before(execution, run) == "local") and execution.forked(run)


def buildable(scenario: Scenario, agent: str) -> bool:
    """Whether nothing is wrong with an agent: two context providers of one id are (THR-30)."""
    ids = scenario.agents[agent].provider_ids
    return len(set(ids)) == len(ids)


def one_history(run: RunView, other: RunView) -> bool:
    """Whether two runs find the same local history: on one agent, or where the thread itself keeps it."""
    return run.agent_name == other.agent_name or {run.agent.history, other.agent.history} == {"default"}


def accepted(execution: ExecutionView, run: RunView) -> list[RunView]:
    """The earlier runs on the same thread that contradicted it and were let through all the same."""
    return [other for other in execution.earlier(run) if contradicts(execution, other) and other.calls]


def made_local(execution: ExecutionView, run: RunView) -> bool:
    """Whether the run is on a thread that was created local, whatever became of it."""
    return run.thread is not None and execution.scenario.kind_of(run.thread) == "local"

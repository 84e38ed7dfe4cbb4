"""Scenarios for the adapters of agent-framework, and what of their traces tests look at."""

from collections.abc import Iterable

import msgspec

from conformance.adapters.agent_framework.adapter import AgentFramework
from conformance.harness.runner import perform
from conformance.scenario.scenario import CreateThread, Restore, Run, Scenario, Serialize
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.trace.adapter_events import Raised, RequestPending, RunReturned, ThreadDescribed
from conformance.trace.harness_events import HistoryAppended, ServiceCalled, ToolCalled
from conformance.trace.messages import Message, parts

WEATHER = CallSpec(tool="weather", arguments={"city": "Oslo"})
TWICE = ReplySpec(calls=(WEATHER, CallSpec(tool="weather", arguments={"city": "Rome"})))
ONCE = ReplySpec(text="wait", calls=(WEATHER,))
PAY = ReplySpec(calls=(CallSpec(tool="pay"),))
FAILS = ReplySpec(error="overloaded")
CANCELLED = ReplySpec(cancelled=True)
NEW_IDS = ServiceSpec(keeps="new_ids")
BY_DEFAULT = ServiceSpec(keeps="new_ids", stores_by_default=True)
TOOLS = {"weather": ToolSpec(returns="sunny"), "pay": ToolSpec(returns="paid", approval=True)}


def turns(*steps, kind="local", with_id=False, others=None, **agent) -> Scenario:
    spec = AgentSpec(**{"tools": TOOLS, **agent})
    created = CreateThread(thread="t", agent="a", kind=kind, with_id=with_id)
    return Scenario(agents={"a": spec, **(others or {})}, steps=(created, *steps))


def run(text: str, *replies: ReplySpec, on="t", **options) -> Run:
    return Run(thread=on, say=(text,), replies=replies, **options)


def restored(**options) -> tuple[Serialize, Restore]:
    """The thread becomes data, and another thread is made from that."""
    return Serialize(thread="t"), Restore(thread="u", data="t", **options)


def of(scenario: Scenario, *kinds: type, by=AgentFramework) -> list:
    trace = perform(scenario, by)
    assert trace.broken is None
    return [event for event in trace.events if isinstance(event, kinds)]


def happened(scenario: Scenario, implementation) -> list:
    """What the world saw and the caller got, as far as it is the same wherever the same thing happens.

    A request that leaves `store` out asks for what its service does by default. What the caller got stands last, run by run: how
    many turns of the event loop a run takes to come back is nobody's promise. Results by which the reference closes calls that were
    left open are left out: that the framework closes none is a deviation that is declared (PER-46).
    """
    trace = perform(scenario, implementation)
    assert trace.broken is None
    seen, returned, kept = [], [], []
    for event in trace.events:
        match event:
            case ServiceCalled():
                by_default = scenario.agents[event.agent].service.stores_by_default
                store = by_default if event.store is None else event.store
                said = parts(_but_for_repairs(event.messages))
                seen.append(("called", store, event.conversation_id, event.stream, said))
            case HistoryAppended():
                seen.append(("appended", parts(event.messages)))
            case ToolCalled():
                seen.append(("tool", event.id, event.arguments))
            case RunReturned():
                returned.append((event.run, "returned", parts(event.messages)))
            case Raised():
                seen.append(("raised", event.kind, event.text))
            case RequestPending():
                seen.append(("pending", event.tool, event.id))
            case ThreadDescribed() if event.messages:
                kept.append(("kept", event.kind, parts(event.messages)))
                if kept[-1] not in kept[-2:-1]:  # what only approvals make different is no change
                    seen.append(kept[-1])
    return seen + sorted(returned, key=lambda each: each[0])


def _but_for_repairs(messages: Iterable[Message]) -> list[Message]:
    """Messages without results that say that a run was interrupted."""
    found: list[Message] = []
    for each in messages:
        told = tuple(result for result in each.results if not (result.error and result.value == "interrupted"))
        found += [msgspec.structs.replace(each, results=told)] if told or not each.results else []
    return found

"""Random scenarios of the persistence area: the configuration matrix, conflicts, and twins that must keep the same history."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from conformance.needs import of_settings
from conformance.scenario import AgentSpec, OnConflict, Run, Scenario, Step
from conformance.strategies.common import Ending, loop, services, tools
from conformance.strategies.conversation import MOST_RUNS, Conversation
from conformance.strategies.pen import Pen

_OTHERS: tuple[Ending, ...] = ("terminates", "fails")
_TOOLS = (("weather",), ("weather", "stop"), ("weather", "time", "stop"), ("stop",), ("weather", "map", "stop"), ())
_CLEARING = (OnConflict(throw=False), OnConflict(throw=False, warn=False))
_SWITCHES = (
    *(
        OnConflict(throw=throw, warn=warn, clear=clear)
        for throw in (True, False)
        for warn in (True, False)
        for clear in (True, False)
    ),
    *_CLEARING,
    *_CLEARING,
)
_M1 = AgentSpec(history="provider")
_M2 = AgentSpec(history="provider", per_service_call=True)
_M3 = AgentSpec(history="provider", client_as_is=True)
_M4 = AgentSpec(history="provider", client_as_is=True, per_service_call=True, decorated=True)
_M4_BARE = AgentSpec(history="provider", client_as_is=True, per_service_call=True)


def scenario(pen: Pen) -> Scenario:
    """A conversation in some cell of the matrix; or one with conflicts; or twins."""
    if not services(pen):
        return Scenario()
    sorts: list[Callable[[Pen], Scenario]] = [_conversation] * 3
    if services(pen, surprising=True) and _possible(pen, _M1, _M2):
        sorts += [_conflict] * 2
    if services(pen, keeping=True) and _possible(pen, _M2) and pen.can("threads.hosted"):
        sorts.append(_twins)
    return pen.pick(sorts)(pen)


def _conversation(pen: Pen) -> Scenario:
    """Several turns on one to three threads, most of them with a history provider."""
    talk = Conversation(pen)
    for _ in range(1 + pen.rarely(4)):
        talk.add_agent(pen.part(_an_agent(pen)))
    for _ in range(pen.count(MOST_RUNS)):
        talk.steps.append(pen.part(_a_step(pen, talk)))
    return talk.scenario()


@st.composite
def _a_step(draw: st.DrawFn, shared: Pen, talk: Conversation) -> Step:
    pen = shared.used_by(draw)
    thread, together = talk.some_thread(), pen.rarely(4)
    if together and talk.can_interleave():
        return talk.together(talk.threads, () if any(each.agent.service.strict for each in talk.threads) else _OTHERS)
    return talk.run(thread, () if thread.agent.service.strict else _OTHERS)[0]


@st.composite
def _an_agent(draw: st.DrawFn, shared: Pen) -> AgentSpec:
    pen = shared.used_by(draw)
    cells = _possible(pen, _M1, _M1, _M2, _M2, _M3, _M4, _M4_BARE)
    if not cells or pen.rarely(4):
        cells = _possible(pen, AgentSpec(), AgentSpec(per_service_call=True))
    service = msgspec.structs.replace(pen.pick(services(pen)), strict=pen.rarely(8))
    return msgspec.structs.replace(pen.pick(cells), service=service, tools=tools(pen, *_TOOLS))


def _conflict(pen: Pen) -> Scenario:
    """A local thread with a history provider on a service that returns ids nobody asked for, on the first or on a later turn."""
    talk = Conversation(pen)
    switches = pen.pick(_SWITCHES) if pen.can("history.conflict_switches") else OnConflict()
    agent = msgspec.structs.replace(
        pen.pick(_possible(pen, _M1, _M2, _M3, _M4)),
        service=pen.pick(services(pen, surprising=True)),
        tools=tools(pen, (), ("weather",)),
        on_conflict=switches,
    )
    name = talk.add_agent(agent)
    threads = [talk.open_thread(name) for _ in range(1 + pen.rarely(8))]
    if pen.can("service.without_id") and pen.rarely(4):
        talk.steps.append(talk.run(threads[0], without_id=True)[0])
    for _ in range(pen.count(4)):
        talk.steps.append(talk.run(pen.pick(threads))[0])
    return talk.scenario()


def _twins(pen: Pen) -> Scenario:
    """A local thread with per-service-call persistence and a hosted one, with equal runs.

    Where the hosted one follows the id only at the end of a run, a failed run is its last: what comes after would rightly differ.
    """
    talk = Conversation(pen)
    box = tools(pen, *_TOOLS)
    follows_each_call = pen.rarely(2)
    talk.add_agent(msgspec.structs.replace(_M2, service=pen.pick(services(pen)), tools=box))
    talk.add_agent(AgentSpec(service=pen.pick(services(pen, keeping=True)), tools=box, per_service_call=follows_each_call))
    local, hosted = talk.open_thread("a"), talk.open_thread("b", "hosted")
    for _ in range(pen.count(3)):
        replies, ending = loop(pen, local.agent, _OTHERS, explicit=True)
        say, stream = pen.say(), pen.stream()
        talk.steps += [Run(thread=each.name, say=say, stream=stream, replies=replies) for each in (local, hosted)]
        if ending == "fails" and not follows_each_call:
            break
    return talk.scenario()


def _possible(pen: Pen, *agents: AgentSpec) -> list[AgentSpec]:
    """Those settings that the scenario may need, whatever the service."""
    return [agent for agent in agents if pen.can(*of_settings(agent))]

"""Random scenarios of the threads area: local and hosted threads side by side, options that fit or contradict, several agents."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.scenario import AgentSpec, ContextSpec, Scenario, Step
from conformance.strategies.common import services, tools
from conformance.strategies.conversation import MOST_RUNS, PLAIN, Conversation, OpenThread, Options
from conformance.strategies.pen import Pen

_OWN: Options = (None, "own")
_OTHER: Options = (None, "other")


def scenario(pen: Pen) -> Scenario:
    """One to three threads on one or two agents, several turns each."""
    talk = Conversation(pen)
    if not services(pen):
        return talk.scenario()
    with_options = pen.rarely(2)
    for _ in range(1 + pen.rarely(4)):
        talk.add_agent(pen.part(_an_agent(pen)))
    for _ in range(pen.count(MOST_RUNS)):
        talk.steps.append(pen.part(_a_step(pen, talk, with_options)))
    return talk.scenario()


@st.composite
def _an_agent(draw: st.DrawFn, shared: Pen) -> AgentSpec:
    pen = shared.used_by(draw)
    surprising = services(pen, surprising=True)
    if surprising and pen.rarely(16):
        return AgentSpec(service=pen.pick(surprising), tools=tools(pen, (), ("weather",)))
    service = pen.pick(services(pen))
    box = tools(pen, (), ("weather",), ("weather", "time"), ("weather", "map"))
    per_call = pen.can("history.per_service_call") and pen.rarely(4)
    provided = pen.can("history.provider") and (per_call or pen.can("history.per_run")) and pen.rarely(4)
    remembers = pen.can("threads.context_state") and pen.rarely(4)
    return AgentSpec(
        service=service,
        tools=box,
        history="provider" if provided else "default",
        per_service_call=per_call,
        context={"memory": ContextSpec(adds=pen.pick(((), ("remember",))))} if remembers else {},
    )


@st.composite
def _a_step(draw: st.DrawFn, shared: Pen, talk: Conversation, with_options: bool) -> Step:
    pen = shared.used_by(draw)
    thread, together = talk.some_thread(), pen.rarely(4)
    if together and talk.can_interleave():
        return talk.together(talk.threads)
    options = pen.pick(_options(pen, thread)) if with_options else PLAIN
    if options != PLAIN:
        return talk.run(thread, options=options)[0]
    if thread.kind == "hosted" and pen.can("service.without_id") and pen.rarely(16):
        return talk.run(thread, without_id=True)[0]
    fails = not thread.agent.service.surprising and pen.rarely(8)
    return talk.run(thread, ("fails",) if fails else ())[0]


def _options(pen: Pen, thread: OpenThread) -> list[Options]:
    """Options that a run may have, the simplest first: none, some that fit the thread, some that contradict it."""
    service = thread.agent.service
    options = [PLAIN]
    if service.keeps == "nothing" or service.surprising:
        return options
    if thread.has_id and pen.can("runs.conversation_id"):
        options += [_OWN, _OTHER]
    if pen.can("runs.store"):
        options += [(thread.kind == "hosted", None), (thread.kind != "hosted", None)]
    if thread.kind == "local" and pen.can("runs.conversation_id"):
        options.append(_OTHER)
    return options

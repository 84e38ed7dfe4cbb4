"""Who takes part in a conversation of the threads area: agents as the themes of the scenario want them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from conformance.scenario.specs import AgentSpec, ContextSpec, ServiceSpec, ToolSpec
from conformance.strategies.choices import Pen
from conformance.strategies.scripts import services, tools
from conformance.strategies.threads.draft import Talk
from conformance.strategies.threads.features import Theme

_BOXES = ((), ("weather",), ("weather", "time"), ("weather", "map"))
_SIZES = (3, 2, 3, 4, 1)
_CONTEXTS: tuple[dict[str, ContextSpec], ...] = (
    {"memory": ContextSpec(adds=("remember",))},
    {"memory": ContextSpec()},
    {"memory": ContextSpec(adds=("remember",)), "profile": ContextSpec()},
    {"memory": ContextSpec(), "profile": ContextSpec(adds=("be brief", "be kind"))},
    {"memory": ContextSpec(id="notes"), "profile": ContextSpec(id="memory", adds=("be brief",))},
)
_ONE_ID_TWICE: tuple[dict[str, ContextSpec], ...] = (
    {"memory": ContextSpec(), "profile": ContextSpec(id="memory")},
    {"memory": ContextSpec(id="notes"), "profile": ContextSpec(id="notes")},
)


def cast(pen: Pen, talk: Talk) -> None:
    """One agent or two, and one more where an agent is another one's tool."""
    several = "sharing" in talk.themes or pen.rarely(8)
    for _ in range(1 + several):
        talk.speakers.append(talk.add_agent(pen.part(_an_agent(pen, talk.themes))))
    if "inner" in talk.themes:
        asking = talk.agents[talk.speakers[0]]
        box = {**asking.tools, "ask": ToolSpec(agent=talk.add_agent(pen.part(_a_helper(pen))))}
        talk.agents[talk.speakers[0]] = msgspec.structs.replace(asking, tools=box)


@st.composite
def _an_agent(draw: st.DrawFn, shared: Pen, themes: frozenset[Theme]) -> AgentSpec:
    pen = shared.used_by(draw)
    service = _a_service(pen, themes)
    box = tools(pen, *(_BOXES[1:] if themes & {"reducing", "restoring"} else _BOXES))
    stays = "sharing" not in themes  # the history that a provider keeps would stay behind
    per_call = pen.rarely(2 if "options" in themes else 8) and pen.can("history.per_service_call")
    wanted = pen.rarely(2) if "interleaving" in themes else pen.rarely(8)
    provided = wanted and pen.can("history.provider") and (per_call or pen.can("history.per_run")) and stays
    agent = AgentSpec(
        service=service,
        tools=box,
        history="provider" if provided else "default",
        per_service_call=per_call,
        context=_contexts(pen, themes),
        observed=pen.rarely(8) and pen.can("threads.observe"),
        reduces_to=pen.pick(_SIZES) if "reducing" in themes else None,
    )
    return AgentSpec(service=service, tools=box, observed=agent.observed) if service.surprising else agent


def _a_service(pen: Pen, themes: frozenset[Theme]) -> ServiceSpec:
    surprising = services(pen, surprising=True)
    adaptive = "adaptive" in themes
    if surprising and (pen.rarely(4) if adaptive else pen.rarely(16)):
        return pen.pick(surprising)
    keeping = services(pen, keeping=True)
    nothing = pen.number(2) == 2 if "hosting" in themes else pen.rarely(8)
    if themes & {"options", "adaptive", "sharing", "hosting"} and keeping and not nothing:
        return pen.pick(keeping)
    return pen.pick(services(pen)[:1] if nothing else services(pen))


def _contexts(pen: Pen, themes: frozenset[Theme]) -> dict[str, ContextSpec]:
    """Context providers: several where the scenario is about them, rarely two of one id, which is a mistake; else rarely one."""
    rare = pen.rarely(8)
    if not pen.can("threads.context_state"):
        return {}
    if "providers" in themes:
        return pen.pick(_ONE_ID_TWICE if rare and "sharing" not in themes else _CONTEXTS)
    return _CONTEXTS[0] if rare else {}


@st.composite
def _a_helper(draw: st.DrawFn, shared: Pen) -> AgentSpec:
    """An agent that is another one's tool."""
    pen = shared.used_by(draw)
    return AgentSpec(service=pen.pick(services(pen)), tools=tools(pen, (), ("weather",)))

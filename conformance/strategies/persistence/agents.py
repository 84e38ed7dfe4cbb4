"""Agents of the persistence area: a cell of the configuration matrix, a service, tools, and what else the plots want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from hypothesis import strategies as st

from conformance.scenario.requirements import of_settings
from conformance.scenario.specs import AgentSpec, ContextSpec, OnConflict, ServiceSpec, ToolSpec
from conformance.strategies.choices import Pen
from conformance.strategies.persistence.features import FAULTS, Plot
from conformance.strategies.scripts import services, tools
from conformance.vocabulary import ThreadKind

M1 = AgentSpec(history="provider")
M2 = AgentSpec(history="provider", per_service_call=True)
M3 = AgentSpec(history="provider", client_as_is=True)
M4 = AgentSpec(history="provider", client_as_is=True, per_service_call=True, decorated=True)
M4_BARE = AgentSpec(history="provider", client_as_is=True, per_service_call=True)
BY_DEFAULT = AgentSpec()
BY_DEFAULT_PER_CALL = AgentSpec(per_service_call=True)

_CLEARING = (OnConflict(throw=False), OnConflict(throw=False, warn=False))
SWITCHES = (
    OnConflict(),
    *_CLEARING * 3,
    OnConflict(throw=False, clear=False),
    OnConflict(throw=False, clear=False, warn=False),
    OnConflict(clear=False),
    OnConflict(warn=False),
    OnConflict(warn=False, clear=False),
)
"""All eight combinations of the conflict switches, more often those under which the conversation goes on without the provider."""

_PROVIDED = (M1, M2, M1, M2, M1, M2, M1, M2, M3, M4, M4_BARE)
_SWITCHED = (M1, M2, M2)
_ASKING = (("weather",), ("weather", "time"), ("weather", "map"), ("weather", "watch"), ("weather",), ("weather", "time"))
_BOXES = (*_ASKING, ())
_LOOKING = (("watch",), ("weather",), ("weather", "watch"))
_LOOPING: frozenset[Plot] = frozenset({"limiting", "cancelling", "leaving", "failing"})
_WANTED: Mapping[Plot, str] = {"terminating": "stop", "approving": "pay"}
_CONTEXTS: tuple[dict[str, ContextSpec], ...] = (
    {"memory": ContextSpec(adds=("remember",))},
    {"memory": ContextSpec(adds=("remember",)), "profile": ContextSpec(adds=("be brief", "be kind"))},
    {"memory": ContextSpec()},
)


def possible(pen: Pen, *agents: AgentSpec) -> list[AgentSpec]:
    """Those settings that the scenario may need, whatever the service."""
    return [agent for agent in agents if pen.can(*of_settings(agent))]


@st.composite
def an_agent(draw: st.DrawFn, shared: Pen, plots: frozenset[Plot], kind: ThreadKind) -> AgentSpec:
    """An agent for threads of a kind, mostly with a history provider, in some cell of the matrix."""
    pen = shared.used_by(draw)
    cells = possible(pen, *(_SWITCHED if "switching" in plots else _PROVIDED))
    by_default = possible(pen, BY_DEFAULT, BY_DEFAULT_PER_CALL)
    cell = pen.pick(by_default if pen.rarely(16) or not cells else cells)
    agent = msgspec.structs.replace(cell, service=_a_service(pen, plots, cell, kind))
    return furnished(pen, agent, plots, looks=kind == "hosted")


def furnished(pen: Pen, agent: AgentSpec, plots: frozenset[Plot], *, looks: bool = False) -> AgentSpec:
    """An agent with the tools that the plots want, and what goes with them. looks: mostly one of them looks at the thread."""
    limit = pen.number(1) + 1
    return msgspec.structs.replace(
        agent, tools=_toolbox(pen, plots, looks=looks), context=_contexts(pen, plots), limit=limit if "limiting" in plots else None
    )


def _a_service(pen: Pen, plots: frozenset[Plot], cell: AgentSpec, kind: ThreadKind) -> ServiceSpec:
    """A service on which threads of this kind are nothing special for an agent of this cell."""
    fitting: Sequence[ServiceSpec] = services(pen)
    if kind == "hosted":
        surprises = services(pen, surprising=True) if pen.rarely(8) else []
        fitting = surprises or services(pen, keeping=True)
    elif kind == "adaptive" and cell.history == "provider":
        fitting = [each for each in fitting if not each.stores_by_default] or fitting
    # no approval is asked for where the service refuses what a fault, or nobody's history, left behind
    refuses = pen.rarely(16) and not ("approving" in plots and (plots & FAULTS or cell == M4_BARE))
    repeats = pen.rarely(2) if "repeating" in plots else pen.rarely(8)
    return msgspec.structs.replace(pen.pick(fitting), strict=refuses, repeats_call_ids=repeats)


def _toolbox(pen: Pen, plots: frozenset[Plot], *, looks: bool) -> dict[str, ToolSpec]:
    """Tools, among them those without which nothing would come of the plots."""
    box = tools(pen, *(_LOOKING if looks else _ASKING if plots & _LOOPING else _BOXES))
    for plot, name in _WANTED.items():
        if plot in plots:
            box |= tools(pen, (name,))
    return box


def _contexts(pen: Pen, plots: frozenset[Plot]) -> dict[str, ContextSpec]:
    """Context providers: some where the scenario is about them, else rarely one."""
    rare, which = pen.rarely(8), pen.pick(_CONTEXTS)
    if not pen.can("threads.context_state"):
        return {}
    return which if "providers" in plots else _CONTEXTS[0] if rare else {}

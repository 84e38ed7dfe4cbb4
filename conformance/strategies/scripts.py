"""What the strategies of all areas share: services, tools, and the script of one function-invocation loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec

from conformance.scenario.requirements import of_service
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.strategies.choices import Pen
from conformance.vocabulary import Capability

Ending = Literal["answers", "fails", "cancelled", "terminates"]
"""How a run's script ends: with a text, with an error of the service, its caller's cancelling, or a tool that ends the loop."""

_ARGUMENTS: tuple[dict[str, str], ...] = ({}, {"city": "Oslo"}, {"city": "Rome"})
_ANSWERS = ("yes", "no")
_TOOLS: Mapping[str, ToolSpec] = {
    "weather": ToolSpec(returns="sunny"),
    "time": ToolSpec(returns="noon"),
    "map": ToolSpec(raises="no map"),
    "stop": ToolSpec(returns="stopped", terminates=True),
    "pay": ToolSpec(returns="paid", approval=True),
    "watch": ToolSpec(returns="seen", looks=True),
}
_SERVICES = tuple(
    ServiceSpec(keeps=keeps, stores_by_default=by_default, surprising=surprising)
    for surprising in (False, True)
    for keeps in ("nothing", "new_ids", "one_id")
    for by_default in (False, True)
    if keeps != "nothing" or not (surprising or by_default)
)


def services(pen: Pen, *, keeping: bool = False, surprising: bool = False) -> list[ServiceSpec]:
    """The services that a scenario may need, the simplest first. keeping: only those that keep conversations when asked to."""
    fitting = [each for each in _SERVICES if each.surprising == surprising and not (keeping and each.keeps == "nothing")]
    return [each for each in fitting if pen.can(*_needed(each))]


@cache
def _needed(service: ServiceSpec) -> tuple[Capability, ...]:
    return tuple(of_service(service))


def tools(pen: Pen, *choices: Sequence[str]) -> dict[str, ToolSpec]:
    """The tools of an agent: one of these choices of names, the simplest first; none where tools are not to be used."""
    possible = [names for names in choices if all(_possible(pen, _TOOLS[name]) for name in names)]
    names = pen.pick(possible) if possible and pen.can("tools") else ()
    return {name: _TOOLS[name] for name in names}


def _possible(pen: Pen, tool: ToolSpec) -> bool:
    return (not tool.terminates or pen.can("tools.terminate")) and (not tool.approval or pen.can("tools.approval"))


def calls(pen: Pen, names: Sequence[str]) -> tuple[CallSpec, ...]:
    """One function call; sometimes two or three at once."""
    return tuple(
        CallSpec(tool=pen.pick(names), arguments=pen.pick(_ARGUMENTS)) for _ in range(1 + (1 + pen.rarely(4)) * pen.rarely(4))
    )


def loop(
    pen: Pen, agent: AgentSpec, others: Sequence[Ending] = (), *, explicit: bool = False, without_id: bool = False
) -> tuple[tuple[ReplySpec, ...], Ending]:
    """The replies of one run, and how they end: some that ask for tools, then the ending.

    others: the endings that are possible beside an answer. explicit: the last text stands in the script even where the service's
    own would do. without_id: no reply carries an id.
    """
    plain = [name for name, tool in agent.tools.items() if not (tool.terminates or tool.approval or tool.agent)]
    stopping = [name for name, tool in agent.tools.items() if tool.terminates]
    replies: list[ReplySpec] = []
    while plain and len(replies) < 3 and pen.rarely(2):
        replies.append(ReplySpec(text="wait" if pen.rarely(8) else None, calls=calls(pen, plain)))
    possible: list[Ending] = [each for each in others if each != "terminates" or stopping]
    ending = pen.pick(possible) if possible and pen.rarely(2) else "answers"
    match ending:
        case "fails":
            replies.append(ReplySpec(error="overloaded"))
        case "cancelled":
            replies.append(ReplySpec(cancelled=True))
        case "terminates":
            before = calls(pen, plain) if plain and pen.rarely(4) else ()
            replies.append(ReplySpec(calls=(*before, CallSpec(tool=stopping[0]))))
        case "answers":
            if explicit or without_id or pen.rarely(4):
                replies.append(ReplySpec(text=pen.pick(_ANSWERS)))
    if without_id:
        replies = [msgspec.structs.replace(reply, without_id=True) for reply in replies]
    return tuple(replies), ending

"""The record of one performed scenario: its events by kind, and what is heard in messages, so that it compares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import TypeVar, cast

from conformance.scenario import AgentSpec, Respond, Scenario
from conformance.trace import Event, Message, Part, ServiceReplied, ToolRaised, ToolReturned, Trace, parts
from conformance.vocabulary import Capability, Policies

E = TypeVar("E", bound=Event)


class Record:
    """A scenario with its trace."""

    def __init__(self, scenario: Scenario, trace: Trace) -> None:
        self.scenario = scenario
        self.trace = trace

    @property
    def policies(self) -> Policies:
        """What the implementation declared."""
        return self.trace.policies

    def can(self, capability: Capability) -> bool:
        """Whether the implementation declared a capability."""
        return capability in self.trace.capabilities

    def of(self, kind: type[E]) -> list[tuple[int, E]]:
        """All events of one kind with their positions."""
        return cast("list[tuple[int, E]]", self._by_kind.get(kind, []))

    @cached_property
    def _by_kind(self) -> dict[type[Event], list[tuple[int, Event]]]:
        found: dict[type[Event], list[tuple[int, Event]]] = {}
        for at, event in enumerate(self.trace.events):
            found.setdefault(type(event), []).append((at, event))
        return found

    def injected(self, agent: AgentSpec) -> set[Part]:
        """The parts that an agent's context providers add; and those of others, where threads keep what was added."""
        stored = self.policies.injected_messages == "stored"
        agents = self.scenario.agents.values() if stored else (agent,)
        return {("user", text) for each in agents for provider in each.context.values() for text in provider.adds}

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        """What the tools returned under each call id; an id that comes back has several.

        Left out are calls of which nobody can say that this is their result: where a tool raised under the same id, or where equal
        calls waited for approval and one of them was rejected.
        """
        unsure: set[str | None] = {event.id for _, event in self.of(ToolRaised)}
        rejected = any(isinstance(step, Respond) and not step.approve for step in self.scenario.steps)
        for _, reply in self.of(ServiceReplied) if rejected else ():
            tools = self.scenario.agents[reply.agent].tools
            unsure |= {call.id for call in reply.message.calls if call.tool in tools and tools[call.tool].approval}
        found: dict[str, list[str]] = {}
        for _, event in self.of(ToolReturned):
            if event.id is not None and event.id not in unsure:
                found.setdefault(event.id, []).append(event.value)
        return found

    def heard(self, messages: Sequence[Message]) -> list[Part]:
        """The parts of messages as they compare with what happened.

        A result that does not hold what its tool returned is not that result. Results of one reply may come in any order, and an
        empty text beside calls of the same author says nothing.
        """
        found: list[Part] = []
        wrong: dict[Part, Part] = {
            ("result", result.id): ("result", result.id, f"other than {' or '.join(self._values[result.id])!r}: {result.value!r}")
            for message in messages
            for result in message.results
            if result.id in self._values and not any(value in result.value for value in self._values[result.id])
        }
        author: str | None = None
        for message in messages:
            for part in parts([message]):
                if part[0] == "call" and found and found[-1] == ("assistant", "") and author == message.author:
                    found.pop()
                found.append(wrong.get(part, part))
            author = message.author
        return by_number(found)

    def spoken(self, messages: Sequence[Message], agent: AgentSpec) -> list[Part]:
        """What is heard of the conversation in a request or on a thread: without instructions and what context providers added."""
        aside = self.injected(agent)
        return [part for part in self.heard(messages) if part[0] != "system" and part not in aside]


def by_number(said: Sequence[Part]) -> list[Part]:
    """The same with neighbouring results in the order of their calls, which the service numbers."""
    found: list[Part] = []
    for results, neighbours in groupby(said, key=lambda part: part[0] == "result"):
        stretch = list(neighbours)
        found += sorted(stretch, key=lambda part: (len(part[1]), part[1])) if results else stretch
    return found

"""How an agent is set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

import msgspec

from conformance.reference.agent_tool import InnerAgent
from conformance.scenario.specs import AgentSpec
from conformance.vocabulary import Policies
from conformance.world.chat_service import ChatService
from conformance.world.context_provider import ContextProvider
from conformance.world.world import World


@dataclass(frozen=True)
class Setting:
    """What every part of an agent knows. Nothing of a run or of a thread is here, so that runs may interleave.

    inner: the agents that it has as tools, under the names of the tools. numbers: for the threads on which those are called.
    """

    name: str
    spec: AgentSpec
    world: World
    policies: Policies
    inner: Mapping[str, InnerAgent] = field(default_factory=dict[str, InnerAgent])
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def service(self) -> ChatService:
        """The chat service behind it."""
        return self.world.service(self.name)

    @property
    def contexts(self) -> tuple[ContextProvider, ...]:
        """Its context providers, in order."""
        return self.world.contexts(self.name)

    @property
    def decorates(self) -> bool:
        """Whether its client stack has the decorator of per-service-call persistence."""
        return self.spec.per_service_call and (not self.spec.client_as_is or self.spec.decorated)

    def in_background(self) -> Setting:
        """The same for a run in the background, which persists at its end: nobody is there to do it call by call."""
        return replace(self, spec=msgspec.structs.replace(self.spec, per_service_call=False))

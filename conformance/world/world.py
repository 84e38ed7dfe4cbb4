"""The world: every fake that an implementation talks to, and the record of what happens there.

What the harness can see for itself it never asks the adapter for.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from conformance.scenario.scenario import Scenario
from conformance.world.chat_service import ChatService
from conformance.world.context_provider import ContextProvider
from conformance.world.event_log import EventLog
from conformance.world.history_store import HistoryStore
from conformance.world.manager import Manager
from conformance.world.observer import Observer
from conformance.world.tools import Tool

if TYPE_CHECKING:
    from conformance.world.http.face import HttpFace


class World(EventLog):
    """The fakes of one scenario, and the log that they record in."""

    def __init__(self, scenario: Scenario, *, handoff_tool: str = "handoff_to_{agent}") -> None:
        super().__init__()
        self.scenario = scenario
        self.handoff_tool = handoff_tool
        self.manager = Manager(self)
        self._services = {name: ChatService(self, name, spec, handoff_tool) for name, spec in scenario.agents.items()}
        self._histories = {name: HistoryStore(self, name) for name in scenario.agents}

    def service(self, agent: str) -> ChatService:
        """The chat service behind an agent."""
        return self._services[agent]

    def tools(self, agent: str) -> tuple[Tool, ...]:
        """The tools of an agent, without those that are agents."""
        tools = self.scenario.agents[agent].tools
        return tuple(Tool(self, agent, name, spec) for name, spec in tools.items() if spec.agent is None)

    def history(self, agent: str) -> HistoryStore:
        """The store that an explicitly configured history provider of this agent uses."""
        return self._histories[agent]

    def contexts(self, agent: str) -> tuple[ContextProvider, ...]:
        """The context providers of an agent, in order."""
        spec = self.scenario.agents[agent]
        pairs = zip(spec.provider_ids, spec.context.values(), strict=True)
        return tuple(ContextProvider(self, agent, id, provider) for id, provider in pairs)

    def observer(self, agent: str) -> Observer:
        """What looks at the threads of an agent that is observed."""
        return Observer(self, agent)

    def answered(self, among: Collection[str] = ()) -> bool:
        """Whether the latest reply in this run asked for nothing more: by this a handoff knows that it is over.

        among: the participants of the handoff, where others take part in the same run; without it, everybody.
        """
        latest = [final for agent, final in self.script.latest.items() if not among or agent in among]
        return bool(latest) and latest[-1]

    @cached_property
    def http(self) -> HttpFace:
        """The chat services over HTTP, for implementations whose real client is under test."""
        from conformance.world.http.face import HttpFace

        return HttpFace(self, self._services)

    @property
    def over_http(self) -> bool:
        """Whether the chat services are reached over HTTP."""
        return "http" in vars(self)

    async def close(self) -> None:
        """Give back what the fakes hold of the operating system."""
        if self.over_http:
            await self.http.close()

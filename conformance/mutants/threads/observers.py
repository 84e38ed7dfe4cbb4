"""Faults in what those see who look at a thread."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.thread import Thread
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import ThreadState
from conformance.world.chat_service import ChatService, Request


class ObserverSeesNoMessages(Mutant):
    """Middleware that looks at a local thread does not see its messages."""

    imitates = "https://github.com/microsoft/agent-framework/issues/1504"
    expected = frozenset({"THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def shown(self, thread: Thread) -> ThreadState:
            """Show what stands on the outside."""
            return msgspec.structs.replace(await super().shown(thread), messages=None)


class ObserverSeesTheThreadBefore(Mutant):
    """Middleware that looks at a thread after a run sees it as it was before."""

    imitates = "a context object that is filled in when the run begins"
    expected = frozenset({"THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
            """Fill it in once."""
            if moment == "before":
                vars(thread)["seen"] = self.describe(thread)
            await super().look(moment, thread)

        async def shown(self, thread: Thread) -> ThreadState:
            """Show that."""
            return cast("ThreadState", vars(thread)["seen"])


class LookingAsksAModel(Mutant):
    """Middleware that looks at a hosted thread has a model sum up what was said on it."""

    imitates = "a property of a session that fetches what it does not have"
    expected = frozenset({"THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        async def shown(self, thread: Thread) -> ThreadState:
            """Ask for a summary."""
            if thread.kind == "hosted":
                await ChatService(self.world, "summary", AgentSpec(), "").reply(Request(messages=()))
            return await super().shown(thread)

"""Faults in which conversation id a hosted thread has and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL
from conformance.reference.errors import NoConversation
from conformance.reference.loop import Loop, Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message


class FirstIdKept(Mutant):
    """A hosted thread keeps the first conversation id that it got, although the service gives a new one with every reply."""

    imitates = "a session that takes an id only where it has none"
    expected = frozenset({"PER-16", "PER-28", "PER-29", "PER-30", "PER-31", "PER-34", "THR-07", "THR-10", "THR-35"})

    class agent_type(Agent):
        """The faulty agent."""

        def become_hosted(self, thread: Thread, id: str) -> None:
            """Take an id only where there is none."""
            super().become_hosted(thread, thread.conversation_id or id)


class LoopKeepsItsFirstId(Mutant):
    """Within a run on a hosted thread, the loop goes on with the id with which the run began."""

    imitates = "https://github.com/microsoft/agent-framework/pull/3664"
    expected = frozenset({"PER-30", "PER-31", "PER-34", "THR-07", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def request(self, first: Any, sent: Sequence[Message], outcome: Outcome) -> Any:
                """Name the conversation as the run's first request did, where it named one."""
                request = super().request(first, sent, outcome)
                id = first.conversation_id or request.conversation_id
                return msgspec.structs.replace(request, conversation_id=id)


class IdLostAfterAToolCall(Mutant):
    """Within a run on a hosted thread, the requests that follow a tool call name no conversation."""

    imitates = "options that the first request uses up"
    expected = frozenset({"PER-16", "PER-30", "PER-31", "PER-34", "PER-45", "THR-06", "THR-07", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class loop_type(Loop):
            """The faulty loop."""

            def request(self, first: Any, sent: Sequence[Message], outcome: Outcome) -> Any:
                """Name a conversation in the first request only."""
                request = super().request(first, sent, outcome)
                lost = outcome.produced and request.conversation_id != SENTINEL
                return msgspec.structs.replace(request, conversation_id=None) if lost else request


class GivenIdForgotten(Mutant):
    """A hosted thread that is created with a conversation id begins a new conversation."""

    imitates = "https://github.com/microsoft/agent-framework/pull/3136"
    expected = frozenset({"THR-06", "THR-08", "THR-14"})

    class agent_type(Agent):
        """The faulty agent."""

        def continue_conversation(self, key: str, id: str) -> Thread:
            """Make one like any other."""
            return self.create_thread(key, "hosted")


class ConversationPerRun(Mutant):
    """Every run on a hosted thread begins a new conversation."""

    imitates = "https://github.com/microsoft/agent-framework/issues/5285"
    expected = frozenset({"PER-16", "PER-30", "PER-31", "PER-34", "THR-06", "THR-07", "THR-08", "THR-10", "THR-14"})

    class agent_type(Agent):
        """The faulty agent."""

        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Name no conversation."""
            terms = super().terms(thread, turn)
            return Terms(local=terms.local, store=terms.store, moves=terms.moves) if thread.kind == "hosted" else terms


class MissingIdOverlooked(Mutant):
    """A service that was asked to keep the conversation and names none is taken for one that will remember."""

    imitates = "https://github.com/microsoft-foundry/new-foundry-portal/issues/102"
    expected = frozenset({"THR-09", "THR-10", "THR-11"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Go on without an id."""
            try:
                super().adopt(thread, id, adopted, local=local)
            except NoConversation:
                return


class IdOverwrittenWithNothing(Mutant):
    """A reply without a conversation id takes the id from a hosted thread."""

    imitates = "an assignment that does not look at what it assigns"
    expected = frozenset({"THR-06", "THR-07", "THR-09", "THR-10", "THR-11", "THR-19"})

    class agent_type(Agent):
        """The faulty agent."""

        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Write down whatever came."""
            if id is None and not local:
                thread.conversation_id = None
                adopted.clear()
                return
            super().adopt(thread, id, adopted, local=local)

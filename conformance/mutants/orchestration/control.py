"""Faults of what a participant is sent that takes over, gets control back, or speaks again on a storing service."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Handoff, Managed
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class TakesOverEmptyHanded(Mutant):
    """Who takes over after a handoff without a text gets an empty input."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7573"
    expected = frozenset({"ORC-36"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Hand over what was said last."""
                spoke = {message.author for message in self.said}
                silent = bool(spoke) and name not in spoke and not any(message.text for message in self.said)
                return await super().participant(name, () if silent else messages, shown=shown)

    patterns = {**PATTERNS, "handoff": _Handoff}


class TakesOverWithoutTheConversation(Mutant):
    """Who takes over after a handoff gets the last response alone."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4053"
    expected = frozenset({"ORC-36", "ORC-37"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            latest: Sequence[Message] = ()

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Hand over what was said last."""
                response = await super().participant(name, self.latest or messages, shown=shown)
                self.latest = response.messages
                return response

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffWithoutResult(Mutant):
    """An agent that gets control back sees the call by which it handed over without a result."""

    imitates = "https://github.com/openai/openai-agents-js/issues/42"
    expected = frozenset({"ORC-36"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Leave out what a call returned that is no tool's."""
                return await super().participant(name, [each for each in messages if not _of_handoff(each)], shown=shown)

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffResultTwice(Mutant):
    """An agent that gets control back sees the call by which it handed over with two results."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2711"
    expected = frozenset({"ORC-36"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Give the results once more."""
                again = [each for each in messages if _of_handoff(each)]
                return await super().participant(name, [*messages, *again], shown=shown)

    patterns = {**PATTERNS, "handoff": _Handoff}


def _of_handoff(message: Message) -> bool:
    return any(result.value == "handed off" for result in message.results)


class _HostedRun(WorkflowRun):
    """A run in which a participant on a storing service keeps its thread, a hosted one."""

    def __init__(self, workflow: Workflow, *, stream: bool) -> None:
        super().__init__(workflow, stream=stream)
        self.seats: dict[str, Thread] = {}
        self.alone = True

    def start(self, messages: Sequence[Message], history: Sequence[Message] = ()) -> None:
        """Note whether there is a history, which it would be sent again too."""
        self.alone = not history
        super().start(messages, history)

    def thread(self, name: str) -> Thread:
        """Let the service keep the conversation."""
        if name not in self.seats:
            self.seats[name] = super().thread(name)
            member = self.workflow.participants.get(name)
            if isinstance(member, Agent) and member.supports_hosted() and self.alone:
                self.seats[name] = member.create_thread(self.seats[name].key, "hosted")
        return self.seats[name] if self.seats[name].kind == "hosted" else super().thread(name)


class EverythingPlusTheId(Mutant):
    """A participant on a storing service that speaks again is sent the whole conversation, and its id."""

    imitates = "https://github.com/openai/openai-agents-python/pull/1827"
    expected = frozenset({"ORC-37"})

    class _Managed(Managed):
        run_type = _HostedRun

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class IdAndNothingNew(Mutant):
    """An agent on a storing service that gets control back is sent the id and the result of its call, and nothing else."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7384"
    expected = frozenset({"ORC-36"})

    class _Handoff(Handoff):
        class run_type(_HostedRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Take what others said for known."""
                known = name in self.seats and self.seats[name].conversation_id is not None
                handed = [each for each in messages if _of_handoff(each) and each.author == name]
                return await super().participant(name, handed[-1:] if known else messages, shown=shown)

    patterns = {**PATTERNS, "handoff": _Handoff}

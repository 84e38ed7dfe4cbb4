"""Mutants of the orchestration area: each a small, deliberate fault in the reference, imitating real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from conformance.implementation import OutputSeen, Response
from conformance.mutants.mutant import Mutant
from conformance.reference.orchestrations import PATTERNS, Concurrent, Custom, Handoff, Managed, Sequential
from conformance.reference.workflow import WorkflowRun
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.trace import Message


class NothingCompletes(Mutant):
    """A sequential run ends without a run-completed output."""

    imitates = "an author-written end executor that forgets the flag"
    expected = frozenset({"ORC-01", "ORC-04", "ORC-23"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Emit the answer as just another output."""

    patterns = {**PATTERNS, "sequential": _Sequential}


class CompletesTwice(Mutant):
    """A sequential run emits its run-completed output twice."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-23"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete, and complete again."""
            super().complete(run, answer)
            super().complete(run, answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class OutputAfterTheCompletion(Mutant):
    """With intermediate outputs on, the answering participant's response is output after the completion."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-02"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Output the answer once more."""
            super().complete(run, answer)
            if answer is not None and self.spec.intermediate_outputs:
                run.output(self.spec.participants[-1], answer)

    patterns = {**PATTERNS, "sequential": _Sequential}


class CompletesAtTheFirstIdle(Mutant):
    """A run that comes to rest with a pending request emits a run-completed output."""

    imitates = "idle taken for done"
    expected = frozenset({"ORC-04", "ORC-01", "ORC-02", "ORC-13"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            def suspended(self) -> None:
                """Complete with nothing."""
                self.output(self.workflow.name, Response(), completed=True)
                super().suspended()

    patterns = {**PATTERNS, "sequential": _Sequential}


class SeveralCompletionsPassUnnoticed(Mutant):
    """An author-written workflow in which several executors complete goes without a warning."""

    imitates = "a flag that nothing checks"
    expected = frozenset({"ORC-07"})

    class _Custom(Custom):
        def settle(self, run: WorkflowRun, completions: Sequence[tuple[str, Response]]) -> Response | None:
            """Take the last one."""
            return completions[-1][1] if completions else None

    patterns = {**PATTERNS, "custom": _Custom}


class BareMessages(Mutant):
    """The payload of the run-completed output of a concurrent run is a bare list of messages."""

    imitates = "the list of messages with which orchestrations used to end, see the record on their outputs"
    expected = frozenset({"ORC-11"})

    class _Concurrent(Concurrent):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Emit messages instead of a response."""
            messages = answer.messages if answer else ()
            run.events.put_nowait(OutputSeen(executor=self.name, completed=True, payload="messages", messages=messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class ConversationDumped(Mutant):
    """A sequential run answers with the whole conversation, the user's prompt included."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3206"
    expected = frozenset({"ORC-13", "ORC-23"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Prepend the prompt."""
            answer = await super().answer(run, messages)
            if answer is None or run.nested:
                return answer
            return Response(messages=(*messages, *answer.messages))

    patterns = {**PATTERNS, "sequential": _Sequential}


class FinishingOrder(Mutant):
    """A concurrent run answers in the order in which its participants finished."""

    imitates = "an aggregator that appends as results come in"
    expected = frozenset({"ORC-14", "ORC-23"})

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the order of finishing."""
            if run.nested:
                return super().aggregate(run, responses)
            return tuple(message for response in responses.values() for message in response.messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class OneMessageEach(Mutant):
    """A concurrent run answers with the last message of each participant and drops what came before it."""

    imitates = "agent-framework-orchestrations 1.4 does so, see its baseline"
    expected = frozenset({"ORC-14", "ORC-23"})

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take last messages only."""
            if run.nested:
                return super().aggregate(run, responses)
            return tuple(responses[name].messages[-1] for name in self.spec.participants)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class HandoffAnswersOnceMore(Mutant):
    """The run-completed output of a handoff repeats the last participant's response."""

    imitates = "an end executor that every pattern shares"
    expected = frozenset({"ORC-11", "ORC-15"})

    class _Handoff(Handoff):
        def completion(self, last: Response) -> Response:
            """Repeat the last response."""
            return last

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffHidesItsWork(Mutant):
    """A handoff outputs its participants' responses only where `intermediate_outputs` is on."""

    imitates = "one switch for all patterns, in spite of the exception for handoff"
    expected = frozenset({"ORC-15"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Follow the switch."""
                return await super().participant(name, messages, shown=self.workflow.spec.intermediate_outputs)

    patterns = {**PATTERNS, "handoff": _Handoff}


class _LastSpeaker(Managed):
    def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
        """Answer with whatever was said last."""
        return super().conclude(run, conversation) if run.nested else Response(messages=tuple(conversation[-1:]))


class GroupChatAnswersWithTheLastRound(Mutant):
    """A group chat answers with its last round instead of the manager's summary."""

    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-16", "ORC-23"})
    patterns = {**PATTERNS, "group_chat": _LastSpeaker}


class MagenticAnswersWithTheLastRound(Mutant):
    """Magentic answers with a participant's work instead of the manager's synthesis."""

    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-17", "ORC-23"})
    patterns = {**PATTERNS, "magentic": _LastSpeaker}


class IntermediatesAlwaysShown(Mutant):
    """Participants' responses are output although `intermediate_outputs` is off."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4580"
    expected = frozenset({"ORC-20", "ORC-23"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show everything."""
                return await super().participant(name, messages, shown=True)

    patterns = {**PATTERNS, "sequential": _Sequential}


class UserInputEchoed(Mutant):
    """A workflow as an agent echoes the user's input in front of its answer."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3206"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Prepend a message that looks like the input."""
            return (Message(role="user", text="as you said"), *super().messages(outputs))


class EveryoneIsTheWorkflow(Mutant):
    """A workflow as an agent signs every message with its own name."""

    imitates = "authors that are lost on the way out"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Sign with the workflow's name."""
            return tuple(
                Message(role=m.role, text=m.text, calls=m.calls, results=m.results, author=self.workflow.name)
                for m in super().messages(outputs)
            )


class SignedByTheFirst(Mutant):
    """A concurrent run signs every message with the name of its first participant."""

    imitates = "a loop variable that is read too late"
    expected = frozenset({"ORC-14"})

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Sign wrongly."""
            messages = super().aggregate(run, responses)
            if run.nested:
                return messages
            return tuple(msgspec.structs.replace(message, author=self.spec.participants[0]) for message in messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AnswersUnsigned(Mutant):
    """The manager's answer bears no author."""

    imitates = "a message that is made from a text alone"
    expected = frozenset({"ORC-11"})

    class _Managed(Managed):
        def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
            """Leave the author out."""
            answer = super().conclude(run, conversation)
            return Response(messages=tuple(msgspec.structs.replace(message, author=None) for message in answer.messages))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class HiddenWorkStreamed(Mutant):
    """Streaming shows the chunks of every participant although `intermediate_outputs` is off."""

    imitates = "a switch for outputs that nobody asked for chunks"
    expected = frozenset({"ORC-20"})

    class _Sequential(Sequential):
        def streams(self, participant: str) -> bool:
            """Show everybody's."""
            return True

    patterns = {**PATTERNS, "sequential": _Sequential}


class StreamedHandoffIsSilent(Mutant):
    """A streamed handoff shows neither chunks nor responses of its participants."""

    imitates = "a streaming path of its own"
    expected = frozenset({"ORC-15"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show nothing where streaming."""
                return await super().participant(name, messages, shown=shown and not self.stream)

        def streams(self, participant: str) -> bool:
            """Stream nobody."""
            return False

    patterns = {**PATTERNS, "handoff": _Handoff}

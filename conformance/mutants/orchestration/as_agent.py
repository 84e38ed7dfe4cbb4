"""Orchestration, as agent: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import groupby

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import nests
from conformance.mutants.overrides import aside, where
from conformance.reference.patterns import Sequential
from conformance.reference.thread import Thread
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun, is_among
from conformance.trace.exchange import Answer, ChunkSeen, OutputSeen, Pending, Response, Turn
from conformance.trace.messages import Message


class MessagesGlued(Mutant):
    """A workflow as an agent glues neighbouring messages of one participant into one."""

    breaks = "ORC-23/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/3244"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-26", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Glue them."""
            return tuple(self.glued(list(each)) for _, each in groupby(super().messages(outputs), lambda message: message.author))

        def glued(self, messages: Sequence[Message]) -> Message:
            """All of them in one, calls in front of the results."""
            return msgspec.structs.replace(
                messages[-1],
                text="".join(message.text for message in messages),
                calls=tuple(call for message in messages for call in message.calls),
                results=tuple(result for message in messages for result in message.results),
            )


class UpstreamTextMergedIn(Mutant):
    """A sequential workflow as an agent answers with one message, in which the texts of all participants are joined."""

    breaks = "ORC-23/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/6211"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Join them where the run is completed."""
            response = super().response(run, outputs, pending)
            text = "\n".join(message.text for message in run.said if message.text)
            if not isinstance(self.workflow, Sequential) or run.gained is None:
                return response
            last = Message(role="assistant", text=text, author=self.workflow.spec.participants[-1])
            return msgspec.structs.replace(response, messages=(last,))


class UserInputEchoed(Mutant):
    """A workflow as an agent echoes the user's input in front of its answer."""

    breaks = "ORC-23/foreign"
    imitates = "https://github.com/microsoft/agent-framework/issues/4261"
    expected = frozenset({"ORC-23", "ORC-24", "ORC-26", "ORC-44"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Prepend a message that looks like the input."""
            return (Message(role="user", text="as you said"), *super().messages(outputs))


class EveryoneIsTheWorkflow(Mutant):
    """A workflow as an agent signs every message with its own name."""

    breaks = "ORC-23/message author"
    imitates = "authors that are lost on the way out"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Sign with the workflow's name."""
            return tuple(msgspec.structs.replace(message, author=self.workflow.name) for message in super().messages(outputs))


class AgentThreadForgets(Mutant):
    """A workflow as an agent does not look at the thread that it is given."""

    breaks = "ORC-28/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/2754"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: given["thread"] is not None and given["thread"].messages)
        def history(self, thread: Thread | None) -> Sequence[Message]:
            """Begin with the input."""
            return ()


class ThreadKeepsInputsOnly(Mutant):
    """A thread of a workflow as an agent keeps inputs and no answers."""

    breaks = "ORC-28/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/4248"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: given["thread"] is not None and given["run"].gained is not None)
        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep what the user said."""
            run.gained = tuple(message for message in run.gained or () if message.role == "user")
            super().keep(thread, run)


class ThreadKeepsTheWork(Mutant):
    """A thread of a workflow as an agent keeps intermediate messages as if they were answers."""

    breaks = "ORC-28/work as answer"
    imitates = "a thread that keeps the conversation of a run instead of its response"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: given["thread"] is not None and given["run"].gained is not None)
        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep what was said on the way, between the input and the answer."""
            gained = run.gained or ()
            asked = sum(message.role == "user" for message in gained)
            work = tuple(message for message in run.said if not is_among(message, gained))
            run.gained = (*gained[:asked], *work, *gained[asked:])
            super().keep(thread, run)


class NamedAfterTheLastSpeaker(Mutant):
    """The response of a workflow as an agent bears the name of whoever spoke last."""

    breaks = "ORC-23/response author"
    imitates = "https://github.com/agno-agi/agno/issues/3525"
    expected = frozenset({"ORC-23"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Name the last speaker."""
            response = super().response(run, outputs, pending)
            return msgspec.structs.replace(response, author=run.said[-1].author) if run.said else response


class AnswerTwiceThroughTheAgent(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent holds the answering participant's messages twice."""

    breaks = "ORC-24/repeated"
    imitates = "https://github.com/agno-agi/agno/issues/4883"
    expected = frozenset({"ORC-24"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Take every output as it is."""
            return tuple(message for output in outputs for message in output.messages)


class IntermediatesLostThroughTheAgent(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent holds the answer alone."""

    breaks = "ORC-24/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/2813"
    expected = frozenset({"ORC-24"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Take the answer, where there is one."""
            answer = tuple(message for output in outputs if output.completed for message in output.messages)
            return answer or super().messages(outputs)


class AnswerFirst(Mutant):
    """With intermediate outputs on, a response of a workflow as an agent begins with the answer."""

    breaks = "ORC-24/order"
    imitates = "https://github.com/microsoft/agent-framework/issues/5720"
    expected = frozenset({"ORC-24", "ORC-44"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Sort what completes to the front."""
            answer = [message for output in outputs if output.completed for message in output.messages]
            return (*answer, *(message for message in super().messages(outputs) if not is_among(message, answer)))


class AgentDoesNotStream(Mutant):
    """A workflow as an agent has no updates: where it streams, its response comes at the end."""

    breaks = "ORC-25/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/3126"
    expected = frozenset({"ORC-05", "ORC-25"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
            """Wait for the response."""
            async with aclosing(super().run(thread, turn, stream=stream)) as items:
                async for item in items:
                    if isinstance(item, Response):
                        yield item


class AnswerAgainAfterItsChunks(Mutant):
    """A workflow as an agent that streams sends its whole answer as one more update after the answer's updates."""

    breaks = "ORC-25/repeated"
    imitates = "https://github.com/microsoft/agent-framework/pull/7217"
    expected = frozenset({"ORC-25"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def updates(self, run: WorkflowRun, output: OutputSeen) -> Iterator[ChunkSeen]:
            """Send what completes whether or not it was sent before."""
            yield from super().updates(run, output)
            text = "".join(message.text for message in output.messages)
            if run.stream and output.completed and text:
                yield ChunkSeen(text=text, executor=self.workflow.name)


class EmptyMessageAtTheEnd(Mutant):
    """A handoff as an agent ends its response with an empty message, which its empty completion became."""

    breaks = "ORC-26/empty message"
    imitates = "https://github.com/microsoft/agent-framework/issues/5673"
    expected = frozenset({"ORC-24", "ORC-26", "ORC-44"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: any(output.completed and not output.messages for output in given["outputs"]))
        def messages(self, outputs: Sequence[OutputSeen]) -> tuple[Message, ...]:
            """Make a message of the completion."""
            return (*super().messages(outputs), Message(role="assistant", text="", author=self.workflow.name))


class RequestDoesNotSurface(Mutant):
    """A handoff as an agent leaves requests out of its response."""

    breaks = "ORC-27/not asked"
    imitates = "https://github.com/microsoft/agent-framework/issues/5035"
    expected = frozenset({"ORC-24", "ORC-26", "ORC-27"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda wrapper, given: given["pending"] and wrapper.workflow.spec.pattern == "handoff")
        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Answer with messages alone."""
            return super().response(run, outputs, ())


class RejectionIsApproval(Mutant):
    """Through a workflow as an agent, a call that was rejected is made all the same."""

    breaks = "ORC-27/executed without approval"
    imitates = "an answer whose arrival is noted, and not what it says"
    expected = frozenset({"ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        async def resume(
            self, thread: Thread | None, answers: Sequence[Answer], *, stream: bool
        ) -> AsyncGenerator[ChunkSeen | Response]:
            """Approve."""
            approved = [msgspec.structs.replace(answer, approve=True) for answer in answers]
            async for item in super().resume(thread, approved, stream=stream):
                yield item


class RequestTwice(Mutant):
    """A workflow as an agent reports each request under two ids, of which only one can be answered."""

    breaks = "ORC-27/raised"
    imitates = "https://github.com/microsoft/agent-framework/issues/7857"
    expected = frozenset({"ORC-06", "ORC-27", "ORC-30"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: bool(given["pending"]))
        def response(self, run: WorkflowRun, outputs: Sequence[OutputSeen], pending: Sequence[Pending]) -> Response:
            """Report each call, and the request for it."""
            calls = [msgspec.structs.replace(request, id=f"the call of {request.id}") for request in pending]
            return super().response(run, outputs, [*calls, *pending])


class AnswerStartsAnew(Mutant):
    """An answer to a child's request that is given through a workflow as an agent begins a new run, with the input of the old."""

    breaks = "ORC-27/not executed"
    imitates = "https://github.com/microsoft/agent-framework/issues/2276"
    expected = frozenset({"ORC-27", "ORC-30", "ORC-39", "ORC-41"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        turn: Turn | None = None

        @aside
        async def run(self, thread: Thread | None, turn: Turn, *, stream: bool) -> AsyncGenerator[ChunkSeen | Response]:
            """Remember the input of runs without a thread."""
            self.turn = turn if thread is None and nests(self.workflow) else None
            async with aclosing(super().run(thread, turn, stream=stream)) as items:
                async for item in items:
                    yield item

        @where(lambda wrapper, _: nests(wrapper.workflow))
        async def resume(
            self,
            thread: Thread | None,
            answers: Sequence[Answer],
            *,
            stream: bool,
        ) -> AsyncGenerator[ChunkSeen | Response]:
            """Run again."""
            again = super().resume(thread, answers, stream=stream)
            async with aclosing(self.run(thread, self.turn, stream=stream) if self.turn else again) as items:
                async for item in items:
                    yield item

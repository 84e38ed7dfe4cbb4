"""Orchestration, answer: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import Default, Direct, everywhere, signed_by, works
from conformance.mutants.overrides import where
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Handoff, Managed, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Response
from conformance.trace.messages import Message


class AggregatorNotAsked(Mutant):
    """A concurrent run answers with everyone's response although its author gave it an aggregator."""

    breaks = "ORC-14/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/1814"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28", "ORC-44"})

    class _Concurrent(Concurrent):
        @where(lambda workflow, _: workflow.spec.aggregates is not None)
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Aggregate by default."""
            return tuple(message for name in self.spec.participants for message in responses[name].messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AggregateAndAll(Mutant):
    """A concurrent run answers with what its author's aggregator made of the responses, and with the responses."""

    breaks = "ORC-14/foreign"
    imitates = "two end executors, of which both are connected"
    expected = frozenset({"ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-44"})

    class _Concurrent(Concurrent):
        @where(lambda workflow, _: workflow.spec.aggregates is not None)
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Append the responses."""
            aggregate = super().aggregate(run, responses)
            return (*aggregate, *(message for name in self.spec.participants for message in responses[name].messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class BareMessages(Mutant):
    """The payload of the run-completed output of a concurrent run is a bare list of messages."""

    breaks = "ORC-11/no response"
    imitates = "the list of messages with which orchestrations used to end, see the record on their outputs"
    expected = frozenset({"ORC-11"})

    class _Concurrent(Concurrent):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Emit messages instead of a response."""
            messages = answer.messages if answer else ()
            run.events.put_nowait(OutputSeen(executor=self.name, completed=True, payload="messages", messages=messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class LastMessageOnly(Mutant):
    """A sequential run answers with the last message of the last response alone."""

    breaks = "ORC-13/missing"
    imitates = "https://github.com/langchain-ai/langgraph-supervisor-py/issues/185"
    expected = frozenset({"ORC-09", "ORC-13", "ORC-19", "ORC-23", "ORC-25", "ORC-28", "ORC-31"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Keep the last one."""
            answer = await super().answer(run, messages) or Response()
            return answer if run.nested else Response(messages=answer.messages[-1:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Dropping(Workflow):
    @where(lambda _, given: given["answer"] is None or any(works(each) for each in given["answer"].messages))
    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Keep messages that say something."""
        kept = [message for message in (answer or Response()).messages if message.text or not (message.calls or message.results)]
        super().complete(run, Response(messages=tuple(kept)))


class ToolTrafficLost(Mutant):
    """Calls of tools and their results are dropped from the answer of a sequential or concurrent run."""

    breaks = "ORC-19/missing"
    imitates = "https://github.com/microsoft/autogen/issues/5045"
    expected = frozenset({"ORC-13", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-31", "ORC-44"})
    patterns = everywhere(_Dropping, but={"handoff", "group_chat", "magentic", "custom"})


class _Alone(Workflow):
    @where(lambda workflow, _: len(workflow.participants) == 1)
    async def begin(
        self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
    ) -> WorkflowRun:
        """Note what the run is given."""
        run = await super().begin(messages, stream=stream, history=history, key=key)
        run.said.extend(messages)
        return run

    @where(lambda workflow, _: len(workflow.participants) == 1 and workflow.spec.aggregates is None)
    def complete(self, run: WorkflowRun, answer: Response | None) -> None:
        """Answer with the conversation."""
        super().complete(run, Response(messages=tuple(run.said)))


class OneIsASpecialCase(Mutant):
    """A sequential or concurrent workflow of one participant answers with its input and its response."""

    breaks = "ORC-19/foreign"
    imitates = "a branch for lists of one, which returns the conversation"
    expected = frozenset({"ORC-12", "ORC-13", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28"})
    patterns = everywhere(_Alone, but={"handoff", "group_chat", "magentic", "custom"})


class ConversationDumped(Mutant):
    """A sequential run answers with the whole conversation, the user's prompt included."""

    breaks = "ORC-12/prompt"
    imitates = "https://github.com/microsoft/agent-framework/pull/5301"
    expected = frozenset({"ORC-06", "ORC-12", "ORC-13", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31", "ORC-35"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Answer with everything."""
            answer = await super().answer(run, messages)
            return answer if run.nested else Response(messages=(*messages, *run.said))

    patterns = {**PATTERNS, "sequential": _Sequential}


class TrafficInTheAnswer(Mutant):
    """Before the answer of a sequential run stand the calls and results of those who spoke earlier, without what they said."""

    breaks = "ORC-12/work as answer"
    imitates = "a filter of messages that looks at texts alone"
    expected = frozenset({"ORC-12", "ORC-13", "ORC-19", "ORC-23", "ORC-24", "ORC-31"})

    class _Sequential(Sequential):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Prepend calls and results."""
            answer = await super().answer(run, messages)
            if answer is None or run.nested:
                return answer
            earlier = [each for each in run.said if (each.calls or each.results) and each.author != self.spec.participants[-1]]
            traffic = tuple(msgspec.structs.replace(each, text="") for each in earlier)
            return Response(messages=(*traffic, *answer.messages))

    patterns = {**PATTERNS, "sequential": _Sequential}


class RoundsInTheAnswer(Mutant):
    """The rounds of a group chat stand before its manager's answer, and so does the work of Magentic."""

    breaks = "ORC-12/work as answer"
    imitates = "https://github.com/microsoft/agent-framework/issues/2272"
    expected = frozenset({"ORC-12", "ORC-16", "ORC-17", "ORC-19", "ORC-23", "ORC-25", "ORC-28"})

    class _Managed(Managed):
        def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
            """Prepend the rounds."""
            answer = super().conclude(run, conversation)
            return answer if run.nested else Response(messages=(*run.said, *answer.messages))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class HandoffAnswersOnceMore(Mutant):
    """The run-completed output of a handoff repeats the last participant's response."""

    breaks = "ORC-15/not empty"
    imitates = "an end executor that every pattern shares"
    expected = frozenset({"ORC-11", "ORC-12", "ORC-15", "ORC-19"})

    class _Handoff(Handoff):
        def completion(self, last: Response) -> Response:
            """Repeat the last response."""
            return last

    patterns = {**PATTERNS, "handoff": _Handoff}


class LimitSaysNothing(Mutant):
    """A run that a limit ends has no run-completed output."""

    breaks = "ORC-18/no completion"
    imitates = "https://github.com/microsoft/autogen/issues/706"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-06", "ORC-18", "ORC-38", "ORC-50"})

    class _Managed(Managed):
        nothing = Response()

        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Give no answer."""
            return self.nothing

        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Complete where there is an answer."""
            if answer is not self.nothing:
                super().complete(run, answer)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LimitReached(Exception):
    """What a faulty run raises at a limit."""


class LimitIsAnError(Mutant):
    """A limit raises."""

    breaks = "ORC-18/raised"
    imitates = "https://github.com/openai/openai-agents-python/issues/844"
    expected = frozenset({"ORC-06", "ORC-18", "ORC-27", "ORC-38"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Raise."""
            raise LimitReached(f"the limit of {limit} is reached")

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LimitAnswersWithTheLastRound(Mutant):
    """A run that a limit ends answers with what was said last."""

    breaks = "ORC-18/another answer"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12687"
    expected = frozenset({"ORC-12", "ORC-18", "ORC-28", "ORC-31"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Answer with the last round."""
            return Response(messages=tuple(run.said[-1:]))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LimitAndAnswerBoth(Mutant):
    """At a limit a run completes with the notice of it, and then with the manager's answer, too."""

    breaks = "ORC-18/several completions"
    imitates = "a loop with two ends, of which the first does not return"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-18", "ORC-21", "ORC-29"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Complete, and go on to the end."""
            self.complete(run, super().limited(run, course, limit))
            return self.conclude(run, course.conversation)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class ResetsUnbounded(Mutant):
    """Magentic begins anew as often as it likes."""

    breaks = "ORC-18/another answer"
    imitates = "https://github.com/microsoft/agent-framework/issues/7595"
    expected = frozenset({"ORC-18", "ORC-39"})

    class _Managed(Managed):
        def out_of_resets(self, course: Course) -> bool:
            """Never."""
            return False

    patterns = {**PATTERNS, "magentic": _Managed}


class OneRoundTooMany(Mutant):
    """One participant more than the limit on rounds allows speaks, and only then does the run end."""

    breaks = "ORC-18/more rounds"
    imitates = "https://github.com/microsoft/agent-framework/issues/1560"
    expected = frozenset({"ORC-18", "ORC-39"})

    class _Managed(Managed):
        def out_of_rounds(self, course: Course) -> bool:
            """Compare wrongly."""
            return self.spec.max_rounds is not None and course.rounds > self.spec.max_rounds

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class _LastSpeaker(Managed):
    def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
        """Answer with whatever was said last."""
        return super().conclude(run, conversation) if run.nested else Response(messages=tuple(run.said[-1:]))


class GroupChatAnswersWithTheLastRound(Mutant):
    """A group chat answers with its last round instead of the manager's summary."""

    breaks = "ORC-16/missing"
    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-16", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28", "ORC-44"})
    patterns = {**PATTERNS, "group_chat": _LastSpeaker}


class MagenticAnswersWithTheLastRound(Mutant):
    """Magentic answers with a participant's work instead of the manager's synthesis."""

    breaks = "ORC-17/missing"
    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-17", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28"})
    patterns = {**PATTERNS, "magentic": _LastSpeaker}


class HandoffSignedByTheFirst(Mutant):
    """In a handoff every response is signed by the participant that began."""

    breaks = "ORC-15/another author"
    imitates = "https://github.com/microsoft/agent-framework/pull/1427"
    expected = frozenset({"ORC-15", "ORC-21", "ORC-25"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            def output(self, executor: str, response: Response, *, completed: bool = False) -> None:
                """Sign for the first one."""
                signed = response if completed else signed_by(response, self.workflow.spec.participants[0])
                super().output(executor, signed, completed=completed)

    patterns = {**PATTERNS, "handoff": _Handoff}


class SequentialAnswerSignedByTheFirst(Mutant):
    """The answer of a sequence is signed by its first participant."""

    breaks = "ORC-11/another author"
    imitates = "a name that is taken from where the run began"
    expected = frozenset({"ORC-11", "ORC-23", "ORC-24", "ORC-25"})

    class _Sequential(Sequential):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Sign for the first one."""
            super().complete(run, signed_by(answer, self.spec.participants[0]) if answer else None)

    patterns = {**PATTERNS, "sequential": _Sequential}


class ManagerSignedByAParticipant(Mutant):
    """The manager's answer is signed by a participant."""

    breaks = "ORC-11/another author"
    imitates = "https://github.com/agno-agi/agno/issues/3525"
    expected = frozenset({"ORC-11", "ORC-23"})

    class _Managed(Managed):
        def complete(self, run: WorkflowRun, answer: Response | None) -> None:
            """Sign for a participant."""
            super().complete(run, signed_by(answer, self.spec.participants[0]) if answer else None)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class SignedByTheFirst(Mutant):
    """In a concurrent run everything that participants say is signed with the name of the first one, chunks too."""

    breaks = "ORC-14/another author"
    imitates = "a loop variable that is bound too early"
    expected = frozenset({"ORC-09", "ORC-11", "ORC-14", "ORC-19", "ORC-21", "ORC-23"})

    class _Concurrent(Concurrent):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def agent(self, name: str, agent: Agent, messages: Sequence[Message], *, chunks: bool) -> Response:
                """Run each as the first."""
                first = self.workflow.spec.participants[0]
                own = name in self.workflow.participants
                return await super().agent(first if own else name, agent, messages, chunks=chunks)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AnswersUnsigned(Mutant):
    """The manager's answer bears no author."""

    breaks = "ORC-11/no author"
    imitates = "a message that is made from a text alone"
    expected = frozenset({"ORC-11", "ORC-41"})

    class _Managed(Managed):
        def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
            """Leave the author out."""
            answer = super().conclude(run, conversation)
            return Response(messages=tuple(msgspec.structs.replace(message, author=None) for message in answer.messages))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class HandoffHidesItsWork(Mutant):
    """A handoff outputs its participants' responses only where `intermediate_outputs` is on."""

    breaks = "ORC-15/missing"
    imitates = "one switch for all patterns, in spite of the exception for handoff"
    expected = frozenset({"ORC-10", "ORC-15", "ORC-19", "ORC-26", "ORC-27"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Follow the switch."""
                return await super().participant(name, messages, shown=self.workflow.spec.intermediate_outputs)

    patterns = {**PATTERNS, "handoff": _Handoff}


class StreamedHandoffIsSilent(Mutant):
    """A streamed handoff shows neither chunks nor responses of its participants."""

    breaks = "ORC-15/missing"
    imitates = "a streaming path of its own"
    expected = frozenset({"ORC-05", "ORC-10", "ORC-15", "ORC-19", "ORC-21", "ORC-25", "ORC-26", "ORC-27"})

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


class PlainHandoffIsSilent(Mutant):
    """A handoff that is not streamed does not output the responses of its participants."""

    breaks = "ORC-15/missing"
    imitates = "https://github.com/microsoft/agent-framework/pull/4745"
    expected = frozenset({"ORC-10", "ORC-15", "ORC-19", "ORC-21", "ORC-24", "ORC-25", "ORC-26", "ORC-27"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Show them where streaming."""
                return await super().participant(name, messages, shown=shown and self.stream)

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffCallTwice(Mutant):
    """The call by which a participant hands over is output twice."""

    breaks = "ORC-15/repeated"
    imitates = "https://github.com/openai/openai-agents-python/issues/4144"
    expected = frozenset({"ORC-15", "ORC-19", "ORC-21", "ORC-24", "ORC-26"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Output the call once more."""
                response = await super().participant(name, messages, shown=shown)
                handing = [message for message in response.messages if self.hands_over(message)]
                if handing:
                    self.output(name, Response(messages=tuple(handing), author=name))
                return response

            def hands_over(self, message: Message) -> bool:
                """Whether it calls somebody else."""
                tools = {self.workflow.world.handoff_tool.format(agent=name) for name in self.workflow.participants}
                return any(call.tool in tools for call in message.calls)

    patterns = {**PATTERNS, "handoff": _Handoff}


class FiledUnderTheWrongName(Mutant):
    """A concurrent run answers with texts in the order of finishing, signed in the order of the participants."""

    breaks = "ORC-14/order"
    imitates = "https://github.com/kyegomez/swarms/issues/1788"
    expected = frozenset({"ORC-11", "ORC-14", "ORC-19", "ORC-32"})

    class _Concurrent(Direct, Concurrent):
        @where(
            lambda workflow, given: (
                workflow.spec.aggregates is None and list(given["responses"]) != list(workflow.spec.participants)
            )
        )
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Put results and names together by position."""
            single = all(len(each.messages) == 1 for each in responses.values())
            if not (single and self.direct and self.flat):
                return super().aggregate(run, responses)
            found = zip(self.spec.participants, responses.values(), strict=False)
            return tuple(msgspec.structs.replace(response.messages[0], author=name) for name, response in found)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class OneMessageEach(Mutant):
    """A concurrent run answers with the last message of each participant and drops what came before it."""

    breaks = "ORC-14/missing"
    imitates = "agent-framework-orchestrations 1.4 does so, see its baseline"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take last messages only."""
            return tuple(message for name in self.spec.participants for message in responses[name].messages[-1:])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class LastResultWins(Mutant):
    """A concurrent run answers with the response of its last participant alone."""

    breaks = "ORC-14/missing"
    imitates = "https://github.com/agno-agi/agno/issues/5634"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take the last one."""
            return responses[self.spec.participants[-1]].messages

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class SameTextOnce(Mutant):
    """Of equal texts of several participants, a concurrent run answers with one."""

    breaks = "ORC-14/missing"
    imitates = "https://github.com/microsoft/agent-framework/pull/4716"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-31"})

    class _Concurrent(Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the first of each."""
            every = [message for name in self.spec.participants for message in responses[name].messages]
            seen = [message.text for message in every]
            return tuple(each for at, each in enumerate(every) if not each.text or each.text not in seen[:at])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class PromptInFront(Mutant):
    """The answer of a concurrent run begins with the user's prompt."""

    breaks = "ORC-12/prompt"
    imitates = "https://github.com/microsoft/agent-framework/pull/4799"
    expected = frozenset({"ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31", "ORC-35", "ORC-44"})

    class _Concurrent(Concurrent):
        async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
            """Prepend the prompt."""
            answer = await super().answer(run, messages)
            return answer if answer is None or run.nested else Response(messages=(*messages[-1:], *answer.messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}

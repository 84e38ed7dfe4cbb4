"""Orchestration, participation: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import nests, works
from conformance.reference.patterns import PATTERNS, Concurrent, Course, Managed, Sequential
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import Work, WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class _Recast(Workflow):
    """Asks others than it was told to, where three or more agents take part."""

    def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
        """Whom it asks."""
        return participants

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """Answer as if these were its participants."""
        spec = self.spec
        if len(spec.participants) > 2 and not any(isinstance(each, Workflow) for each in self.participants.values()):
            self.spec = msgspec.structs.replace(spec, participants=self.cast(spec.participants))
        try:
            return await super().answer(run, messages)
        finally:
            self.spec = spec


class SecondIsSkipped(Mutant):
    """A sequence of three or more never asks its second participant."""

    breaks = "ORC-39/not asked"
    imitates = "an edge that is drawn from the first participant to the last one"
    expected = frozenset({"ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Leave out the second."""
            return (*participants[:1], *participants[2:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class OneIsNotInvited(Mutant):
    """A concurrent run of three or more asks all but the second of them."""

    breaks = "ORC-39/not asked"
    imitates = "a fan-out over the neighbours of the first participant and of the last one"
    expected = frozenset({"ORC-39"})

    class _Concurrent(_Recast, Concurrent):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Leave out the second."""
            return (*participants[:1], *participants[2:])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class FirstTwoSwapped(Mutant):
    """A sequence of three or more begins with its second participant, and asks its first one then."""

    breaks = "ORC-39/order"
    imitates = "participants that are kept in a set until the workflow is built"
    expected = frozenset({"ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Begin with the second."""
            return (participants[1], participants[0], *participants[2:])

    patterns = {**PATTERNS, "sequential": _Sequential}


class FirstIsAskedAgain(Mutant):
    """A sequence of three or more asks its first participant again before it asks its last."""

    breaks = "ORC-39/not due"
    imitates = "a participant that gets its own output back by a second edge"
    expected = frozenset({"ORC-31", "ORC-39"})

    class _Sequential(_Recast, Sequential):
        def cast(self, participants: tuple[str, ...]) -> tuple[str, ...]:
            """Ask the first one twice."""
            return (*participants[:-1], participants[0], participants[-1])

    patterns = {**PATTERNS, "sequential": _Sequential}


class _Impatient(Managed):
    async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
        """Pass over who has just spoken; where rounds are limited, that would change who is the last one."""
        if self.latest(course) != name or self.spec.max_rounds is not None:
            await super().round(run, course, name)

    def latest(self, course: Course) -> str | None:
        """Who spoke last."""
        return next((message.author for message in reversed(course.conversation) if message.role == "assistant"), None)


class PickedAgainIsPassedOver(Mutant):
    """A group chat or Magentic run does not ask whom the manager picks twice in a row a second time."""

    breaks = "ORC-39/not asked"
    imitates = "https://github.com/microsoft/agent-framework-go/pull/601"
    expected = frozenset({"ORC-39"})
    patterns = {**PATTERNS, "group_chat": _Impatient, "magentic": _Impatient}


class _Telling(Workflow):
    """A workflow that tells its participants something else than it was told to; what its children tell theirs is right."""

    class run_type(WorkflowRun):
        """The faulty run."""

        async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
            """Run one participant on what it is told."""
            assert isinstance(self.workflow, _Telling)
            return await super().participant(name, self.workflow.told(name, messages), shown=shown)

    def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
        """What a participant is told of a conversation."""
        return messages

    @property
    def many(self) -> bool:
        """Whether three or more agents take part in it, and nobody else."""
        return len(self.spec.participants) > 2 and not nests(self)


class PickedAgainHearsNothing(Mutant):
    """Who is picked twice in a row by the manager of a group chat is sent nothing the second time."""

    breaks = "ORC-41/nothing"
    imitates = "a participant that is sent what is new since it spoke, and is asked although nothing is"
    expected = frozenset({"ORC-37", "ORC-41"})

    class _GroupChat(_Telling, Managed):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """Nothing, where it spoke last."""
            return () if messages and messages[-1].author == name else messages

    patterns = {**PATTERNS, "group_chat": _GroupChat}


class OthersWordsAsOnesOwn(Mutant):
    """In a sequence of three or more the last one hears what the others said without their names: as if it had said all of it."""

    breaks = "ORC-41/own words"
    imitates = "a conversation that is passed on as it is, roles and all, to a service that knows no names"
    expected = frozenset({"ORC-41"})

    class _Sequential(_Telling, Sequential):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """The same without names."""
            if not self.many or name != self.spec.participants[-1]:
                return messages
            return [msgspec.structs.replace(message, author=None) for message in messages]

    patterns = {**PATTERNS, "sequential": _Sequential}


class ResultsWithoutTheirCalls(Mutant):
    """In a sequence of three or more, results of calls are passed on and the calls are not."""

    breaks = "ORC-41/calls"
    imitates = "a filter for messages without text that lets results pass"
    expected = frozenset({"ORC-41"})

    class _Sequential(_Telling, Sequential):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """The same without calls."""
            if not self.many:
                return messages
            without = [msgspec.structs.replace(message, calls=()) for message in messages]
            return [message for message in without if message.text or message.results]

    patterns = {**PATTERNS, "sequential": _Sequential}


class LastHearsTheInputAlone(Mutant):
    """In a sequence of three or more the last one is sent the input, and not what was said to it."""

    breaks = "ORC-41/missing"
    imitates = "https://github.com/alibaba/spring-ai-alibaba/issues/3108"
    expected = frozenset({"ORC-41"})

    class _Sequential(_Telling, Sequential):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """Of what the others said nothing."""
            last = self.many and name == self.spec.participants[-1]
            return [message for message in messages if message.author not in self.participants] if last else messages

    patterns = {**PATTERNS, "sequential": _Sequential}


class ChildIsOverheard(Mutant):
    """Who follows a group chat in a sequence of three or more hears all that was said in it, not its answer alone."""

    breaks = "ORC-41/not due"
    imitates = "a child that is an agent to its parent, and answers with its intermediate outputs too"
    expected = frozenset({"ORC-29", "ORC-31", "ORC-41"})

    class _Sequential(Sequential):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def child(self, workflow: Work, messages: Sequence[Message]) -> Response:
                """Run a child; the last one is nobody's to overhear."""
                last = self.workflow.spec.participants[-1] == workflow.name
                if last or workflow.spec.pattern != "group_chat" or len(self.workflow.spec.participants) < 3:
                    return await super().child(workflow, messages)
                run = self.inside(workflow)
                answer = await workflow.answer(run, messages)
                return Response(messages=(*run.said, *workflow.response(run, answer).messages))

    patterns = {**PATTERNS, "sequential": _Sequential}


class OwnWordsTwice(Mutant):
    """Who is picked again by the manager of a group chat is sent twice what it said last, beside what the others said."""

    breaks = "ORC-41/twice"
    imitates = "a participant that remembers its response, and gets it from the conversation once more"
    expected = frozenset({"ORC-41"})

    class _GroupChat(_Telling, Managed):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """Its last words once more, unless there are calls among what it said."""
            own = [message for message in messages if message.author == name]
            return messages if any(map(works, own)) else [*messages, *own[-1:]]

    patterns = {**PATTERNS, "group_chat": _GroupChat}


class InputComesLast(Mutant):
    """In a sequence of three or more the last one is sent the input after what the others said to it."""

    breaks = "ORC-41/order"
    imitates = "a task that is set anew at the end of a conversation that holds it"
    expected = frozenset({"ORC-41"})

    class _Sequential(_Telling, Sequential):
        def told(self, name: str, messages: Sequence[Message]) -> Sequence[Message]:
            """What the others said, and then the input."""
            last = self.many and name == self.spec.participants[-1]
            return sorted(messages, key=lambda message: message.author not in self.participants) if last else messages

    patterns = {**PATTERNS, "sequential": _Sequential}

"""Orchestration, threads: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.faulty_parts import abandons, everywhere, runs_in
from conformance.mutants.overrides import aside, where
from conformance.reference.agent import Agent
from conformance.reference.patterns import PATTERNS, Handoff, Managed
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.trace.messages import Message


class _Lasting(Managed):
    late: WorkflowSeen | None = None

    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Begin with what came late."""
        if self.late is not None:
            late, self.late = self.late, None
            yield late
        async with aclosing(super().start(turn, stream=stream)) as events:
            async for event in events:
                yield event

    class run_type(WorkflowRun):
        """The faulty run."""

        async def follow(self) -> AsyncGenerator[WorkflowSeen]:
            """Go on without a consumer when that one leaves."""
            left = False
            while (event := await self.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                if left and isinstance(event, OutputSeen) and event.completed and isinstance(self.workflow, _Lasting):
                    self.workflow.late = event
                try:
                    if not left:
                        yield event
                except GeneratorExit:
                    left = True
                self.events.task_done()
            self.events.task_done()


class AbandonedGoesOn(Mutant):
    """A group chat or Magentic run whose stream was abandoned goes on, and what completes it comes out of the next run."""

    breaks = "ORC-38/leaked"
    imitates = "https://github.com/google/adk-python/pull/6564"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-09", "ORC-16", "ORC-17", "ORC-18", "ORC-19", "ORC-21", "ORC-38"})
    patterns = {**PATTERNS, "group_chat": _Lasting, "magentic": _Lasting}


class _Leaving(Workflow):
    """A workflow that remembers that a consumer left its stream."""

    left = False

    @aside
    async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
        """Note it when that happens."""
        async with aclosing(super().start(turn, stream=stream)) as events:
            try:
                async for event in events:
                    yield event
            except GeneratorExit:
                self.left = True
                raise


class AbandonedIsBusyForEver(Mutant):
    """A sequential or concurrent workflow whose stream was abandoned stays busy: later runs end with no output and no error."""

    breaks = "ORC-38/no completion"
    imitates = "https://github.com/run-llama/llama-agents/pull/199"
    expected = frozenset({"ORC-01", "ORC-09", "ORC-38", "ORC-39", "ORC-50"})

    class _Workflow(_Leaving):
        @where(lambda workflow, _: abandons(workflow.world.scenario))
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Come to rest."""
            if self.left:
                yield IdleSeen()
                return
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class LateCleanup(Mutant):
    """What an abandoned sequential or concurrent run leaves to be cleaned up ends the next run: that one does not complete."""

    breaks = "ORC-38/no completion"
    imitates = "https://github.com/microsoft/agent-framework/pull/6407"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-09", "ORC-38", "ORC-50"})

    class _Workflow(_Leaving):
        @where(lambda workflow, _: abandons(workflow.world.scenario))
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Clean up when the run is about to complete."""
            late, self.left = self.left, False
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    if not (late and isinstance(event, OutputSeen) and event.completed):
                        yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class LeftOverWhileItWaits(Mutant):
    """What was said in a sequential or concurrent run that its consumer left is output when the next run comes to wait."""

    breaks = "ORC-38/leaked"
    imitates = "a buffer of outputs that only an end of the run clears"
    expected = frozenset({"ORC-38"})

    class _Workflow(_Leaving):
        @where(lambda workflow, _: abandons(workflow.world.scenario))
        async def start(self, turn: Turn, *, stream: bool) -> AsyncGenerator[WorkflowSeen]:
            """Bring out what is left before a request."""
            before = self.runs.get(None) if self.left else None
            async with aclosing(super().start(turn, stream=stream)) as events:
                async for event in events:
                    if isinstance(event, Pending) and before is not None:
                        yield OutputSeen(executor=self.name, messages=tuple(before.said))
                    yield event

    patterns = everywhere(_Workflow, but={"handoff", "group_chat", "magentic", "custom"})


class TakesOverEmptyHanded(Mutant):
    """Who takes over after a handoff without a text gets an empty input."""

    breaks = "ORC-36/empty"
    imitates = "https://github.com/microsoft/agent-framework/issues/7573"
    expected = frozenset({"ORC-36", "ORC-41"})

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

    breaks = "ORC-36/missing"
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

    breaks = "ORC-36/own handoff"
    imitates = "https://github.com/openai/openai-agents-js/issues/42"
    expected = frozenset({"PER-54", "ORC-36", "ORC-37", "ORC-41"})

    class _Handoff(Handoff):
        class run_type(WorkflowRun):
            """The faulty run."""

            async def participant(self, name: str, messages: Sequence[Message], *, shown: bool) -> Response:
                """Leave out what a call returned that is no tool's."""
                return await super().participant(name, [each for each in messages if not _of_handoff(each)], shown=shown)

    patterns = {**PATTERNS, "handoff": _Handoff}


class HandoffResultTwice(Mutant):
    """An agent that gets control back sees the call by which it handed over with two results."""

    breaks = "ORC-36/own handoff"
    imitates = "https://github.com/microsoft/agent-framework/issues/2711"
    expected = frozenset({"PER-54", "ORC-36", "ORC-41"})

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
            if isinstance(member, Agent) and member.threads.supports_hosted() and self.alone:
                self.seats[name] = member.create_thread(self.seats[name].key, "hosted")
        return self.seats[name] if self.seats[name].kind == "hosted" else super().thread(name)


class EverythingPlusTheId(Mutant):
    """A participant on a storing service that speaks again is sent the whole conversation, and its id."""

    breaks = "ORC-37/repeated"
    imitates = "https://github.com/openai/openai-agents-python/pull/1827"
    expected = frozenset({"ORC-37", "ORC-41"})

    class _Managed(Managed):
        run_type = _HostedRun

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class EverythingPlusTheIdElsewhere(Mutant):
    """The same as an agent, once another thread has had a run: there the same words were said too."""

    breaks = "ORC-37/repeated"
    imitates = "messages that are told apart by their texts, over all threads"
    expected = frozenset({"ORC-37", "ORC-41"})

    class _Managed(Managed):
        class run_type(_HostedRun):
            """The faulty run."""

            def start(self, messages: Sequence[Message], history: Sequence[Message] = ()) -> None:
                """Note whether there is another thread."""
                super().start(messages, history)
                self.alone = self.alone and isinstance(self.workflow, Workflow) and len(self.workflow.runs) > 1

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class IdAndNothingNew(Mutant):
    """An agent on a storing service that gets control back is sent the id and the result of its call, and nothing else."""

    breaks = "ORC-36/missing"
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


class FirstInputAgain(Mutant):
    """The second run of a group chat or of Magentic sends its participants the input of the first."""

    breaks = "ORC-35/repeated"
    imitates = "https://github.com/microsoft/agent-framework/issues/567"
    expected = frozenset({"ORC-28", "ORC-35", "ORC-41"})

    class _Managed(Managed):
        first: Sequence[Message] | None = None

        async def begin(
            self, messages: Sequence[Message], *, stream: bool, history: Sequence[Message] = (), key: str | None = None
        ) -> WorkflowRun:
            """Begin with what it was given first."""
            self.first = messages if self.first is None else self.first
            return await super().begin(self.first, stream=stream, history=history, key=key)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


def _several_threads(workflow: Workflow) -> bool:
    return len({run.thread for run in runs_in(workflow.world.scenario)} - {None}) > 1


class OneConversationForAllThreads(Mutant):
    """A workflow as an agent has one history, whatever thread it is given."""

    breaks = "ORC-35/another thread"
    imitates = "https://github.com/microsoft/agent-framework/issues/5472"
    expected = frozenset({"ORC-35"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda wrapper, _: _several_threads(wrapper.workflow))
        def history(self, thread: Thread | None) -> Sequence[Message]:
            """Go on with what any thread said."""
            return super().history(self._known(thread))

        @where(lambda wrapper, _: _several_threads(wrapper.workflow))
        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep it for all of them."""
            super().keep(self._known(thread), run)

        def _known(self, thread: Thread | None) -> Thread | None:
            return None if thread is None else vars(self).setdefault("known", thread)


class EarlierTurnsTwice(Mutant):
    """On one thread the earlier turns reach participants twice."""

    breaks = "ORC-35/repeated"
    imitates = "https://github.com/microsoft/agent-framework/issues/7756"
    expected = frozenset({"ORC-35"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        @where(lambda _, given: given["thread"] is not None and given["thread"].messages)
        def history(self, thread: Thread | None) -> Sequence[Message]:
            """Tell it once from the thread, and once from a history of its own."""
            return (*super().history(thread), *super().history(thread))


class _RememberingRun(WorkflowRun):
    def thread(self, name: str) -> Thread:
        """Keep a participant's seat as long as the workflow lives."""
        seats: dict[str, Thread] = vars(self.workflow).setdefault("seats", {})
        if name not in seats or seats[name].waiting:
            seats[name] = super().thread(name)
        return seats[name]


class SeatsRemember(Mutant):
    """A participant's thread lives as long as the workflow: later runs go on with it, whatever thread they are on."""

    breaks = "ORC-35/another thread"
    imitates = "https://github.com/microsoft/agent-framework/issues/797"
    expected = frozenset({"ORC-22", "ORC-35", "ORC-41"})

    class _Workflow(Workflow):
        run_type = _RememberingRun

    patterns = everywhere(_Workflow, but={"handoff"})

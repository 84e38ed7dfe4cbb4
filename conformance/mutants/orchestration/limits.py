"""Faults of group chats and Magentic at a limit on rounds, stalls or resets."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Course, Managed
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import Response
from conformance.trace.messages import Message


class LimitSaysNothing(Mutant):
    """A run that a limit ends has no run-completed output."""

    imitates = "https://github.com/microsoft/autogen/issues/706"
    expected = frozenset({"ORC-01", "ORC-03", "ORC-04", "ORC-06", "ORC-18", "ORC-38"})

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

    imitates = "https://github.com/openai/openai-agents-python/issues/844"
    expected = frozenset({"ORC-06", "ORC-18", "ORC-27", "ORC-38"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Raise."""
            raise LimitReached(f"the limit of {limit} is reached")

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LimitAnswersWithTheLastRound(Mutant):
    """A run that a limit ends answers with what was said last."""

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12687"
    expected = frozenset({"ORC-12", "ORC-18"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Answer with the last round."""
            return Response(messages=tuple(run.said[-1:]))

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class LimitAndAnswerBoth(Mutant):
    """At a limit a run completes with the notice of it, and then with the manager's answer, too."""

    imitates = "a loop with two ends, of which the first does not return"
    expected = frozenset({"ORC-01", "ORC-02", "ORC-04", "ORC-18", "ORC-21"})

    class _Managed(Managed):
        def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
            """Complete, and go on to the end."""
            self.complete(run, super().limited(run, course, limit))
            return self.conclude(run, course.conversation)

    patterns = {**PATTERNS, "group_chat": _Managed, "magentic": _Managed}


class ResetsUnbounded(Mutant):
    """Magentic begins anew as often as it likes."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7595"
    expected = frozenset({"ORC-18"})

    class _Managed(Managed):
        def out_of_resets(self, course: Course) -> bool:
            """Never."""
            return False

    patterns = {**PATTERNS, "magentic": _Managed}


class OneRoundTooMany(Mutant):
    """One participant more than the limit on rounds allows speaks, and only then does the run end."""

    imitates = "https://github.com/microsoft/agent-framework/issues/1560"
    expected = frozenset({"ORC-18"})

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

    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-16", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28"})
    patterns = {**PATTERNS, "group_chat": _LastSpeaker}


class MagenticAnswersWithTheLastRound(Mutant):
    """Magentic answers with a participant's work instead of the manager's synthesis."""

    imitates = "an orchestrator without a word of its own"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-17", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28"})
    patterns = {**PATTERNS, "magentic": _LastSpeaker}

"""Faults of what a concurrent run makes of the responses of its participants."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.mutants.mutant import Mutant
from conformance.reference.patterns import PATTERNS, Concurrent
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace.exchange import OutputSeen, Response
from conformance.trace.messages import Message


class _Default(Concurrent):
    """A concurrent workflow whose default aggregation is at fault, but not that of a child."""

    def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """Leave what an author's aggregator answers, and what children do, alone."""
        if run.nested or self.spec.aggregates is not None:
            return super().aggregate(run, responses)
        return self.by_default(responses)

    def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
        """The answer; `responses`: in the order of finishing."""
        raise NotImplementedError


class FinishingOrder(Mutant):
    """A concurrent run answers in the order in which its participants finished."""

    imitates = "an aggregator that appends as results come in"
    expected = frozenset({"ORC-10", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-31", "ORC-32"})

    class _Concurrent(_Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the order of finishing."""
            return tuple(message for response in responses.values() for message in response.messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class OneMessageEach(Mutant):
    """A concurrent run answers with the last message of each participant and drops what came before it."""

    imitates = "agent-framework-orchestrations 1.4 does so, see its baseline"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(_Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take last messages only."""
            return tuple(message for name in self.spec.participants for message in responses[name].messages[-1:])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class LastResultWins(Mutant):
    """A concurrent run answers with the response of its last participant alone."""

    imitates = "https://github.com/agno-agi/agno/issues/5634"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28", "ORC-31"})

    class _Concurrent(_Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Take the last one."""
            return responses[self.spec.participants[-1]].messages

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class SameTextOnce(Mutant):
    """Of equal texts of several participants, a concurrent run answers with one."""

    imitates = "https://github.com/microsoft/agent-framework/pull/4716"
    expected = frozenset({"ORC-09", "ORC-14", "ORC-19", "ORC-31"})

    class _Concurrent(_Default):
        def by_default(self, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Keep the first of each."""
            every = [message for name in self.spec.participants for message in responses[name].messages]
            seen = [message.text for message in every]
            return tuple(each for at, each in enumerate(every) if not each.text or each.text not in seen[:at])

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AggregatorNotAsked(Mutant):
    """A concurrent run answers with everyone's response although its author gave it an aggregator."""

    imitates = "https://github.com/microsoft/agent-framework/issues/1814"
    expected = frozenset({"ORC-09", "ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-27", "ORC-28"})

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Aggregate by default."""
            return tuple(message for name in self.spec.participants for message in responses[name].messages)

    patterns = {**PATTERNS, "concurrent": _Concurrent}


class AggregateAndAll(Mutant):
    """A concurrent run answers with what its author's aggregator made of the responses, and with the responses."""

    imitates = "two end executors, of which both are connected"
    expected = frozenset({"ORC-12", "ORC-14", "ORC-19", "ORC-23", "ORC-24", "ORC-25", "ORC-28"})

    class _Concurrent(Concurrent):
        def aggregate(self, run: WorkflowRun, responses: Mapping[str, Response]) -> tuple[Message, ...]:
            """Append the responses."""
            aggregate = super().aggregate(run, responses)
            if self.spec.aggregates is None:
                return aggregate
            return (*aggregate, *(message for name in self.spec.participants for message in responses[name].messages))

    patterns = {**PATTERNS, "concurrent": _Concurrent}


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

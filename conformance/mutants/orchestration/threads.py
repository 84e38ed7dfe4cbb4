"""Faults of threads: what those of a workflow as an agent keep, and what participants are sent of other runs."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.orchestration.everywhere import everywhere
from conformance.reference.thread import Thread
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.reference.workflow_run import WorkflowRun, is_among
from conformance.trace.messages import Message


class AgentThreadForgets(Mutant):
    """A workflow as an agent does not look at the thread that it is given."""

    imitates = "https://github.com/microsoft/agent-framework/issues/2754"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def history(self, thread: Thread | None) -> Sequence[Message]:
            """Begin with the input."""
            return ()


class ThreadKeepsInputsOnly(Mutant):
    """A thread of a workflow as an agent keeps inputs and no answers."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4248"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep what the user said."""
            if run.gained is not None:
                run.gained = tuple(message for message in run.gained if message.role == "user")
            super().keep(thread, run)


class OneConversationForAllThreads(Mutant):
    """A workflow as an agent has one history, whatever thread it is given."""

    imitates = "https://github.com/microsoft/agent-framework/issues/5472"
    expected = frozenset({"ORC-35"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def history(self, thread: Thread | None) -> Sequence[Message]:
            """Go on with what any thread said."""
            return super().history(self._known(thread))

        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep it for all of them."""
            super().keep(self._known(thread), run)

        def _known(self, thread: Thread | None) -> Thread | None:
            return None if thread is None else vars(self).setdefault("known", thread)


class EarlierTurnsTwice(Mutant):
    """On one thread the earlier turns reach participants twice."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7756"
    expected = frozenset({"ORC-35"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

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

    imitates = "https://github.com/microsoft/agent-framework/issues/797"
    expected = frozenset({"ORC-35"})

    class _Workflow(Workflow):
        run_type = _RememberingRun

    patterns = everywhere(_Workflow, but={"handoff"})


class ThreadKeepsTheWork(Mutant):
    """A thread of a workflow as an agent keeps intermediate messages as if they were answers."""

    imitates = "a thread that keeps the conversation of a run instead of its response"
    expected = frozenset({"ORC-28"})

    class agent_wrapper(WorkflowAgent):
        """The faulty wrapper."""

        def keep(self, thread: Thread | None, run: WorkflowRun) -> None:
            """Keep what was said on the way, between the input and the answer."""
            if run.gained is not None:
                asked = sum(message.role == "user" for message in run.gained)
                work = tuple(message for message in run.said if not is_among(message, run.gained))
                run.gained = (*run.gained[:asked], *work, *run.gained[asked:])
            super().keep(thread, run)

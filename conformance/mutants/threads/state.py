"""Faults in threads as state: as data, restored, restored twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.reference.thread_json import CallData, MessageData, ResultData, ThreadForm
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message


def _object(data: Any) -> dict[str, Any] | None:
    """Data as an object that may be written to, where it is one."""
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


class LiveObjectInTheData(Mutant):
    """A serialized thread holds the thread itself, which is no JSON data."""

    imitates = "https://github.com/google/adk-python/pull/4748"
    expected = frozenset({"THR-21"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def write(self, thread: Thread) -> dict[str, Any]:
                """Add what is alive."""
                return {**super().write(thread), "thread": thread}

            def own(self, data: Any) -> Any:
                """Leave it out again."""
                entries = _object(data)
                return super().own(data if entries is None else {key: each for key, each in entries.items() if key != "thread"})


class ContextStateNotWritten(Mutant):
    """The state of context providers is not in the data of a thread."""

    imitates = "https://github.com/JetBrains/koog/issues/1944"
    expected = frozenset({"THR-22", "THR-29"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def write(self, thread: Thread) -> dict[str, Any]:
                """Write messages and ids."""
                return {**super().write(thread), "context": {}}


class CallIdsNotRead(Mutant):
    """The ids of tool calls are lost when a thread is restored."""

    imitates = "https://github.com/microsoft/agent-framework/issues/4672"
    expected = frozenset({"THR-05", "THR-10", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        def restore(self, data: Any) -> Thread:
            """Lose them where nobody else comes across the thread."""
            alone = len(self.world.scenario.agents) == 1 and not self.spec.observed
            return (_WithoutIds() if alone else self.form_type()).read(data)


class _WithoutIds(ThreadForm):
    def message(self, form: MessageData) -> Message:
        """Read calls and results without their ids."""
        calls = [CallData(id="", tool=call.tool, arguments=call.arguments) for call in form.calls]
        results = [ResultData(id="", value=each.value, error=each.error) for each in form.results]
        return super().message(MessageData(role=form.role, text=form.text, author=form.author, calls=calls, results=results))


class CallArgumentsNotWritten(Mutant):
    """The arguments of tool calls are not in the data of a thread."""

    imitates = "https://github.com/microsoft/semantic-kernel/pull/4358"
    expected = frozenset({"THR-05", "THR-10", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        def serialize(self, thread: Thread) -> Any:
            """Leave them out where nobody else comes across the thread."""
            alone = len(self.world.scenario.agents) == 1 and not self.spec.observed
            return (_WithoutArguments() if alone else self.form_type()).write(thread)


class _WithoutArguments(ThreadForm):
    def message_data(self, message: Message) -> MessageData:
        """Write calls without what they are called with."""
        form = super().message_data(message)
        calls = [CallData(id=call.id, tool=call.tool, arguments={}) for call in form.calls]
        return MessageData(role=form.role, text=form.text, author=form.author, calls=calls, results=form.results)


class HostedIdNotRead(Mutant):
    """A thread that was created hosted loses its conversation id when it is restored."""

    imitates = "an id that is read from replies only"
    expected = frozenset({"PER-34", "THR-06", "THR-07", "THR-08", "THR-10", "THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def read(self, data: Any) -> Thread:
                """Read the id of one that was adaptive."""
                thread = super().read(data)
                thread.conversation_id = thread.conversation_id if thread.fixed else None
                return thread


class OptionsNotWritten(Mutant):
    """A restored local thread leaves `store` unset where the original says not to store."""

    imitates = "a setting that is made when a thread is created, and is not in its data"
    expected = frozenset({"THR-22"})

    class agent_type(Agent):
        """The faulty agent."""

        def restore(self, data: Any) -> Thread:
            """Note what is missing."""
            thread = super().restore(data)
            vars(thread)["bare"] = not self.service.spec.stores_by_default
            return thread

        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Say nothing of storing; where that is the client's default, it means the same."""
            terms = super().terms(thread, turn)
            bare = thread.kind == "local" and terms.local and vars(thread).get("bare", False)
            return replace(terms, store=None) if bare and not self.service.spec.stores_by_default else terms


class HistoryKeyNotRead(Mutant):
    """A restored thread has another name in its history provider than the original."""

    imitates = "https://github.com/microsoft/agent-framework/issues/3364"
    expected = frozenset({"PER-43", "THR-05", "THR-10"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def read(self, data: Any) -> Thread:
                """Let the provider begin anew."""
                thread = super().read(data)
                thread.key += ", restored"
                return thread


class RestoredStateIsTheData(Mutant):
    """The context state of a restored thread is part of the data that it was restored from, and of every other thread that was."""

    imitates = "https://github.com/google-deepmind/concordia/issues/331"
    expected = frozenset({"THR-22", "THR-23"})

    class agent_type(Agent):
        """The faulty agent."""

        def restore(self, data: Any) -> Thread:
            """Take the state over as it is, where there is only one provider's."""
            thread = super().restore(data)
            if len(thread.context) == 1:
                thread.context = data["context"]
            return thread


class DataIsTheThreadsState(Mutant):
    """The context state in the data of a thread is the thread's own, which goes on changing."""

    imitates = "a snapshot that copies the outermost level only"
    expected = frozenset({"THR-22", "THR-23"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def write(self, thread: Thread) -> dict[str, Any]:
                """Hand the state out as it is, where there is only one provider's."""
                data = super().write(thread)
                return {**data, "context": thread.context} if len(thread.context) == 1 else data


class RestoringEatsTheData(Mutant):
    """Restoring a thread takes fields out of the data, so that it cannot be restored again."""

    imitates = "https://github.com/ohdearquant/lionagi/issues/2423"
    expected = frozenset({"THR-23"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def read(self, data: Any) -> Thread:
                """Take out what was read."""
                thread = super().read(data)
                data.pop("messages")
                return thread

"""Faults in what becomes of a run whose history store fails, or whose consumer leaves."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front
from conformance.reference.agent import Agent
from conformance.reference.client import PersistingClient
from conformance.trace import Message
from conformance.world.errors import ProviderError


class LoadErrorSwallowed(Mutant):
    """A history store that fails to load is taken for an empty one."""

    imitates = "https://github.com/better-auth/better-hub/pull/85"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that never fails to load."""

            async def load(self) -> tuple[Message, ...]:
                """Load nothing, if need be."""
                try:
                    return await super().load()
                except ProviderError:
                    return ()


class LoadErrorRaisedLate(Mutant):
    """That a history store failed to load is raised when the run is appended, after the service was called."""

    imitates = "a load that runs beside the request, and is awaited at the end"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that remembers its failure."""

            failure: ProviderError | None = None

            async def load(self) -> tuple[Message, ...]:
                """Keep the failure."""
                try:
                    return await super().load()
                except ProviderError as error:
                    self.failure = error
                    return ()

            async def append(self, messages: Sequence[Message]) -> None:
                """Raise it."""
                if self.failure is not None:
                    raise self.failure
                await super().append(messages)


class AppendErrorSwallowed(Mutant):
    """A run is returned as if it were stored although the history store failed to append it at its end."""

    imitates = "https://github.com/Gitlawb/zero/issues/471"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M1",)

        class front_type(Front):
            """The store that never fails to append."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Go on."""
                try:
                    await super().append(messages)
                except ProviderError:
                    return


class AppendErrorBetweenCallsSwallowed(Mutant):
    """Per-service-call persistence goes on although the history store failed to append."""

    imitates = "https://github.com/librefang/librefang/pull/2079"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The store that never fails to append."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Go on."""
                try:
                    await super().append(messages)
                except ProviderError:
                    return


class AppendErrorReplaced(Mutant):
    """A history store that fails to append ends the run with an error that says nothing of the store's."""

    imitates = "a wrapper that makes every error its own"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that hides why."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Hide the cause."""
                try:
                    await super().append(messages)
                except ProviderError:
                    raise RuntimeError("the run failed") from None


class InputRescued(Mutant):
    """Where the history store fails to append a run, its input is appended in a second attempt, and the run raises."""

    imitates = "https://github.com/openai/openai-agents-python/issues/3348"
    expected = frozenset({"PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that saves what it can."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append a part after all."""
                try:
                    await super().append(messages)
                except ProviderError:
                    await super().append([each for each in messages if each.role == "user"])
                    raise


class UnstoredRunAppendedWithTheNext(Mutant):
    """What the history store failed to append is appended with the next run."""

    imitates = "https://github.com/mastra-ai/mastra/pull/18437"
    expected = frozenset({"PER-01", "PER-24"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that makes up for it."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what is late first."""
                late: tuple[Message, ...] = vars(self.thread).pop("late", ())
                try:
                    await super().append([*late, *messages])
                except ProviderError:
                    vars(self.thread)["late"] = tuple(messages)
                    raise


class AbandonedInputLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence loses the input of the call in flight."""

    imitates = "https://github.com/run-llama/llama_index/issues/20895"
    expected = frozenset({"PER-25"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Append nothing."""


class AbandonedResultsLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence keeps what a user said, and loses results of earlier calls."""

    imitates = "https://github.com/charmbracelet/crush/issues/529"
    expected = frozenset({"PER-25"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Append what a user said."""
                if said := [each for each in new if each.role == "user"]:
                    await super().keep_input(said)


class AbandonedInputStoredTwice(Mutant):
    """Where a consumer leaves a stream, the input of the call in flight is appended at once, and with the next call once more."""

    imitates = "https://github.com/aipoch/open-science/pull/936"
    expected = frozenset({"PER-09", "PER-25"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M2",)

        class front_type(Front):
            """The store that makes sure."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what was abandoned again."""
                again: tuple[Message, ...] = vars(self.thread).pop("again", ())
                await super().append([*again, *messages])

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            async def keep_input(self, new: Sequence[Message]) -> None:
                """Remember what is kept."""
                await super().keep_input(new)
                if isinstance(self._store, Front):
                    vars(self._store.thread)["again"] = tuple(new)

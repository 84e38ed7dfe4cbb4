"""Faults in what becomes of a run whose history store fails."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import FailingAgent, Front
from conformance.trace.messages import Message
from conformance.world.errors import ProviderError


class LoadErrorSwallowed(Mutant):
    """A history store that fails to load is taken for an empty one."""

    imitates = "https://github.com/better-auth/better-hub/pull/85"
    expected = frozenset({"PER-08", "PER-24", "PER-27"})

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
    expected = frozenset({"PER-08", "PER-24", "PER-27"})

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
    expected = frozenset({"PER-01", "PER-06", "PER-10", "PER-24", "PER-37"})

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
    expected = frozenset({"PER-02", "PER-06", "PER-10", "PER-13", "PER-24", "PER-37"})

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
    expected = frozenset({"PER-01", "PER-22"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M1",)

        class front_type(Front):
            """The store that makes up for it."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what is late behind it."""
                late: tuple[Message, ...] = vars(self.thread).pop("late", ())
                try:
                    await super().append([*messages, *late])
                except ProviderError:
                    vars(self.thread)["late"] = tuple(messages)
                    raise

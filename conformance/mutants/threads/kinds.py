"""Threads, kinds: faults that the rules of this section are the first to name."""

from __future__ import annotations

from dataclasses import replace

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.reference.errors import Unsupported
from conformance.reference.implementation import Runnable
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.reference.threads import Threads
from conformance.trace.exchange import Turn
from conformance.vocabulary import ThreadKind


class LocalThreadNeedsPlainClient(Mutant):
    """Creating a local thread raises on a client that stores by default."""

    breaks = "THR-01/refused"
    imitates = "one method for every kind of thread, which asks the client what it would rather have"
    expected = frozenset({"THR-01"})

    class _Threads(Threads):
        @where(lambda threads, given: given["kind"] == "local" and threads.setting.service.spec.stores_by_default)
        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Refuse a local thread where the service keeps conversations anyway."""
            raise Unsupported("this client keeps conversations in the service")

    parts = Parts(threads=_Threads)


class LocalInstead(Mutant):
    """Whoever asks for a hosted thread on a client without hosted support gets a local one, and is not told."""

    breaks = "THR-02/not refused"
    imitates = "a factory that falls back to what it can make"
    expected = frozenset({"THR-02", "THR-35"})

    class _Threads(Threads):
        @where(lambda threads, given: given["kind"] == "hosted" and not threads.supports_hosted())
        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Make what can be made."""
            return super().create_thread(key, "local")

    parts = Parts(threads=_Threads)


class RefusedByTheService(Mutant):
    """A hosted thread on a client without hosted support fails only after its first request was sent."""

    breaks = "THR-02/not refused"
    imitates = "https://github.com/microsoft/agent-framework/issues/4315"
    expected = frozenset({"THR-02", "THR-03"})

    class _Threads(Threads):
        @where(lambda threads, _: not threads.supports_hosted())
        def check_supported(self) -> None:
            """Leave it to the service."""

    parts = Parts(threads=_Threads)


class RefusalWithoutNames(Mutant):
    """The refusal of a hosted thread names neither the client nor the kind of thread."""

    breaks = "THR-02/not named"
    imitates = "an error that says that something was not possible"
    expected = frozenset({"THR-02"})

    class _Threads(Threads):
        @where(lambda threads, _: not threads.supports_hosted())
        def check_supported(self) -> None:
            """Say less."""
            raise Unsupported("this is not possible here")

    parts = Parts(threads=_Threads)


class FlagAlwaysTrue(Mutant):
    """The client's flag says of every client that it supports hosted threads."""

    breaks = "THR-03/refused"
    imitates = "a flag that is written down once for a class of clients, whatever service they talk to"
    expected = frozenset({"THR-03"})

    @where(lambda _, given: not given["agent"].threads.supports_hosted())
    async def supports_hosted(self, agent: Runnable) -> bool:
        """Say yes."""
        return True


class AdaptiveAsksToStore(Mutant):
    """The first run on an adaptive thread asks the service to store, whether the client can or not."""

    breaks = "THR-03/stores"
    imitates = "an option that is on unless somebody says no"
    expected = frozenset({"THR-03"})

    class _Options(Options):
        @where(lambda _, given: given["thread"].kind == "adaptive" and given["turn"].store is None)
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Say what the caller did not say."""
            return replace(super().terms(thread, turn), store=True)

    parts = Parts(options=_Options)


class ForeignConversation(Mutant):
    """A hosted thread runs on any agent: a service is asked to go on with a conversation that another one keeps."""

    breaks = "THR-04/after a request"
    imitates = "https://github.com/chenhg5/cc-connect/issues/128"
    expected = frozenset({"THR-04"})

    class _Options(Options):
        @where(lambda options, given: given["thread"].service not in (None, options.setting.service.agent))
        def check_service(self, thread: Thread) -> None:
            """Ask only whether the client can have hosted threads at all."""
            if thread.kind == "hosted":
                self.threads.check_supported()

    parts = Parts(options=_Options)

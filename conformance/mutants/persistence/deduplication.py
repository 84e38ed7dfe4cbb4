"""Persistence, deduplication: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, where
from conformance.mutants.persistence.faulty_homes import Copying, Front, ResumingAgent, behind
from conformance.mutants.persistence.ordinary_runs import ASKING, ORDINARY, PER_CALL, PER_RUN, calling
from conformance.reference.client import Client, LeafClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.reference.threads import Threads
from conformance.trace.messages import Call, Message

_CALLING_PER_RUN = replace(PER_RUN, having=calling)
_CALLING_PER_CALL = replace(PER_CALL, having=calling)


class ApprovedResultStoredTwice(Mutant):
    """The results of calls that were approved are stored when they are there, and with the run that sends them."""

    breaks = "PER-09/within a run"
    imitates = "https://github.com/ag-ui-protocol/ag-ui/issues/1074"
    expected = frozenset({"PER-01", "PER-02", "PER-09", "PER-13", "PER-17", "PER-31", "PER-46"})

    class _Agent(ResumingAgent):
        """The agent that notes that calls were decided."""

        runs = replace(ASKING, cells=("M1", "M2"), built=True)

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Note it."""
            vars(thread)["decided"] = True
            return [decided]

    class _End(RunEnd):
        @aside
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            provider = thread.kind == "local" and self.setting.spec.history == "provider"
            if vars(thread).pop("decided", False) and new[0].results and provider:
                await self.home.store(thread).append(new[:1])
            await super().succeeded(thread, new, outcome)

    agent_type = _Agent
    parts = Parts(end=_End)


class ApprovedResultNotStored(Mutant):
    """Per-run persistence stores what follows on an approval without the results that it led to."""

    breaks = "PER-10/missing result"
    imitates = "https://github.com/vercel/eve/issues/460"
    expected = frozenset({"PER-10", "PER-13", "PER-18", "PER-31", "PER-49"})

    class _Front(Front):
        """The store that takes results for a part of the response to an input."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without the results that came first."""
            await super().append(messages[1:] if messages[0].results else messages)

    parts = behind(_Front, replace(ASKING, cells=("M1",), built=True))


class WaitingRunNotStored(Mutant):
    """Per-run persistence stores nothing of a run that waits: the results that follow on the approval have no call."""

    breaks = "PER-13/result without a call"
    imitates = "https://github.com/microsoft/agent-framework/issues/7862"
    expected = frozenset({"PER-06", "PER-10", "PER-13", "PER-18", "PER-31", "PER-46"})

    class _Front(Front):
        """The store of what came to its end."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what ends in words."""
            await super().append(() if messages[-1].calls else messages)

    parts = behind(_Front, replace(ASKING, cells=("M1",), built=True))


class UngatedSiblingsForgotten(Mutant):
    """Where one of parallel calls needs an approval, the others are not run, and have no result."""

    breaks = "PER-13/call without a result"
    imitates = "https://github.com/microsoft/agent-framework/issues/6910"
    expected = frozenset({"PER-08", "PER-10", "PER-13", "PER-31", "PER-49", "PER-50", "PER-51"})

    class _Agent(ResumingAgent):
        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was asked for."""
            asked = {call.id for call in waited if self.approvals.needs_approval(call) or thread.kind == "hosted"}
            return [msgspec.structs.replace(decided, results=tuple(each for each in decided.results if each.id in asked))]

    agent_type = _Agent


class _Remembering(Front):
    """A store that remembers what was loaded last."""

    loaded: tuple[Message, ...] = ()

    async def load(self) -> tuple[Message, ...]:
        """Keep what is loaded."""
        self.loaded = await super().load()
        return self.loaded


class HistoryAppendedAgain(Mutant):
    """Per-service-call persistence appends a loaded message once more with every call."""

    breaks = "PER-09/within a run"
    imitates = "https://github.com/microsoft/agent-framework/issues/7211"
    expected = frozenset({"THR-05", "THR-10", "PER-06", "PER-08", "PER-09", "PER-11", "PER-12", "PER-13", "PER-17", "PER-18"})

    class _Front(_Remembering):
        """The store that takes what was sent for new."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a part of it with the rest."""
            await super().append([*self.loaded[-1:], *messages])

    parts = behind(_Front, PER_CALL)


class EarlierTurnsAppendedAgain(Mutant):
    """Per-run persistence appends what was sent, the loaded history among it, on every later turn."""

    breaks = "PER-09/across runs"
    imitates = "https://github.com/openai/openai-agents-python/issues/1699"
    expected = frozenset({"THR-05", "THR-10", "PER-01", "PER-09", "PER-11", "PER-18"})

    class _Front(_Remembering):
        """The store that takes the past for new."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append it with the rest."""
            await super().append([*self.loaded, *messages])

    parts = behind(_Front, PER_RUN)


class AnswerAppendedAsRequestAgain(Mutant):
    """Per-service-call persistence appends a reply once more, in front of the results that answer it."""

    breaks = "PER-12/appended again"
    imitates = "https://github.com/camunda/connectors/pull/8319"
    expected = frozenset({"THR-05", "THR-10", "PER-06", "PER-08", "PER-09", "PER-12", "PER-13", "PER-17", "PER-18"})

    class _Front(Front):
        """The store that is told of everything that stands in front of a reply."""

        latest: tuple[Message, ...] = ()

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the latest reply as part of the next request."""
            await super().append([*self.latest, *messages])
            self.latest = (msgspec.structs.replace(messages[-1], text=""),)

    parts = behind(_Front, _CALLING_PER_CALL)


class DeduplicatedByText(Mutant):
    """A user's message is not stored where one with the same text is stored already."""

    breaks = "PER-10/missing input"
    imitates = "https://github.com/microsoft/agent-framework/pull/4716"
    expected = frozenset({"THR-09", "PER-01", "PER-10", "PER-18"})

    class _Front(Front):
        """The store that knows texts."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what was never said."""
            known = {each.text for each in await self.inner.load() if each.role == "user"}
            await super().append([each for each in messages if each.role != "user" or each.text not in known])

    parts = behind(_Front, PER_RUN)


class DeduplicatedByCallId(Mutant):
    """A result is not stored per service call where one with its call id is stored already, although some services count anew."""

    breaks = "PER-10/missing result"
    imitates = "https://github.com/sipeed/picoclaw/pull/2528"
    expected = frozenset({"PER-08", "PER-10", "PER-13", "PER-17"})

    class _Front(Front):
        """The store that knows call ids."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append results of calls that were never answered."""
            known = {result.id for each in await self.inner.load() for result in each.results}
            cut = [
                msgspec.structs.replace(each, results=tuple(result for result in each.results if result.id not in known))
                for each in messages
            ]
            await super().append([each for each in cut if each.results or each.role != "tool"])

    parts = behind(_Front, _CALLING_PER_CALL)


class RepeatedRequestAppendedAgain(Mutant):
    """A run that says what the last user message of the history says stores its input twice."""

    breaks = "PER-09/within a run"
    imitates = "https://github.com/openai/openai-agents-python/issues/4069"
    expected = frozenset({"PER-01", "PER-09", "PER-18"})

    class _Front(Front):
        """The store that is confused by equal texts."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a repeated text once for each occurrence."""
            known = [each.text for each in await self.inner.load() if each.role == "user"]
            again = [each for each in messages if each.role == "user" and each.text in known]
            await super().append([*again, *messages])

    parts = behind(_Front, PER_RUN)


class CopyWrittenTwice(Copying, Mutant):
    """Of the copy that a provider receives while the service manages the history, the input is written twice."""

    breaks = "PER-09/within a run"
    imitates = "one copy by the decorator and one by the agent"
    expected = frozenset({"PER-09"})

    class _Home(HistoryHome):
        async def copy(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Copy the input again."""
            await super().copy(store, new, outcome)
            if not outcome.terminated:
                await super().copy(store, [each for each in new if each.role == "user"], Outcome())

    parts = Parts(home=_Home)


class OnlyTheLastReplyStored(Mutant):
    """Per-run persistence stores the input and the last reply, and loses the tool traffic between them."""

    breaks = "PER-10/missing reply"
    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-01", "PER-10", "PER-18"})

    class _Front(Front):
        """The store of question and answer."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what was said first and last."""
            await super().append([*(each for each in messages[:-1] if each.role == "user"), messages[-1]])

    parts = behind(_Front, _CALLING_PER_RUN)


class ParallelResultsDropped(Mutant):
    """Per-service-call persistence stores the first result of parallel calls only."""

    breaks = "PER-10/missing result"
    imitates = "https://github.com/coze-dev/coze-studio/issues/2765"
    expected = frozenset(
        {"THR-05", "THR-09", "THR-10", "PER-06", "PER-08", "PER-10", "PER-13", "PER-17", "PER-18", "PER-50", "PER-51"}
    )

    class _Front(Front):
        """The store of one result a message."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Cut every tool message to its first result."""
            await super().append([msgspec.structs.replace(each, results=each.results[:1]) for each in messages])

    parts = behind(_Front, _CALLING_PER_CALL)


class StoredValuesLost(Mutant):
    """The history provider stores results without their values."""

    breaks = "PER-10/missing result"
    imitates = "a serialization that keeps what it has a column for"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-01", "PER-03", "PER-06", "PER-10", "PER-17"})

    class _Front(Front):
        """The store that strips."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without values."""
            bare = [
                msgspec.structs.replace(each, results=tuple(msgspec.structs.replace(result, value="") for result in each.results))
                for each in messages
            ]
            await super().append(bare)

    parts = behind(_Front, replace(ORDINARY, having=calling))


class InputNotStored(Mutant):
    """Per-run persistence stores the response, and not the input that it answers."""

    breaks = "PER-10/missing input"
    imitates = "https://github.com/joslat/agent-memory-dotnet/issues/89"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-01", "PER-10", "PER-18"})

    class _Front(Front):
        """The store of what was said by the agent."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without the user's messages."""
            await super().append([each for each in messages if each.role != "user"])

    parts = behind(_Front, PER_RUN)


class OnlyTheLastInputStored(Mutant):
    """Of an input of several messages, per-service-call persistence stores the last."""

    breaks = "PER-10/missing input"
    imitates = "https://github.com/swisnl/agents-sdk/pull/34"
    expected = frozenset({"PER-06", "PER-10", "PER-17", "PER-18"})

    class _Front(Front):
        """The store that takes an input for one message."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a user's message only where none follows on it."""
            pairs = zip(messages, [*messages[1:], None], strict=True)
            cut = [each for each, after in pairs if after is None or (each.role, after.role) != ("user", "user")]
            await super().append(cut)

    parts = behind(_Front, PER_CALL)


class ToolResultsNotStored(Mutant):
    """Per-service-call persistence stores calls without their results."""

    breaks = "PER-13/call without a result"
    imitates = "https://github.com/HKUDS/nanobot/pull/3045"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-06", "PER-08", "PER-10", "PER-13", "PER-17", "PER-18"})

    class _Front(Front):
        """The store of what model and user say."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without the tools' messages."""
            await super().append([each for each in messages if each.role != "tool"])

    parts = behind(_Front, _CALLING_PER_CALL)


class ToolTrafficNotStored(Mutant):
    """Per-service-call persistence stores neither calls nor results."""

    breaks = "PER-10/missing reply"
    imitates = "https://github.com/spring-projects/spring-ai/issues/2101"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-02", "PER-06", "PER-10", "PER-17", "PER-18"})

    class _Front(Front):
        """The store of what is said in words."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append texts."""
            await super().append([each for each in messages if not (each.calls or each.results)])

    parts = behind(_Front, _CALLING_PER_CALL)


class CallsNotStored(Mutant):
    """Where a reply holds a text and calls, per-run persistence stores the text, and the results of calls that nobody made."""

    breaks = "PER-13/result without a call"
    imitates = "https://github.com/Cloudgeni-ai/opengeni/pull/61"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-01", "PER-10", "PER-13", "PER-18", "PER-46"})

    class _Front(Front):
        """The store that takes a message for its text."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a message that has a text without its calls."""
            await super().append([msgspec.structs.replace(each, calls=()) if each.text else each for each in messages])

    parts = behind(_Front, _CALLING_PER_RUN)


class TextBesideCallsLost(Mutant):
    """Where a reply holds a text and calls, per-run persistence stores the calls."""

    breaks = "PER-10/missing reply"
    imitates = "https://github.com/pydantic/pydantic-ai/issues/2914"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-01", "PER-10", "PER-18"})

    class _Front(Front):
        """The store that takes a message for its calls."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a message that has calls without its text."""
            await super().append([msgspec.structs.replace(each, text="") if each.calls else each for each in messages])

    parts = behind(_Front, _CALLING_PER_RUN)


class ProvidersToldOfEveryCall(Mutant):
    """With per-service-call persistence, context providers are told of every append, and of the whole run at its end."""

    breaks = "PER-12/told again"
    imitates = "https://github.com/microsoft/agent-framework/pull/4762"
    expected = frozenset({"THR-31", "PER-12"})

    class _Home(HistoryHome):
        @where(lambda home, given: home.setting.contexts and home.setting.decorates and given["local"])
        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Tell of what is appended."""
            return super().client(thread, _Telling(self, thread, store), adds, adopted, local=local)

    parts = Parts(home=_Home)


class _Telling:
    def __init__(self, home: HistoryHome, thread: Thread, inner: Store) -> None:
        self._listeners = Listeners(home.setting, Threads(home.setting, LeafClient, ThreadForm))
        self._thread = thread
        self._inner = inner

    async def load(self) -> tuple[Message, ...]:
        """Load."""
        return await self._inner.load()

    async def append(self, messages: Sequence[Message]) -> None:
        """Append and tell."""
        await self._inner.append(messages)
        await self._listeners.invoked(self._thread, messages, None)


class ReplyStoredBeforeItsRequest(Mutant):
    """Per-service-call persistence stores the reply in front of the messages that it answers."""

    breaks = "PER-11/order"
    imitates = "history sorted by the time of arrival of its parts"
    expected = frozenset({"THR-05", "THR-10", "PER-06", "PER-11", "PER-17", "PER-18"})

    class _Front(Front):
        """The store that is told of replies first."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the reply, then what it answers."""
            await super().append([messages[-1], *messages[:-1]])

    parts = behind(_Front, PER_CALL)


class ResultsStoredBeforeTheirCalls(Mutant):
    """Per-run persistence stores the results of tools in front of the reply that calls them."""

    breaks = "PER-11/result before its call"
    imitates = "https://github.com/pydantic/pydantic-ai/issues/234"
    expected = frozenset({"THR-05", "THR-10", "PER-01", "PER-11", "PER-13", "PER-18", "PER-46"})

    class _Front(Front):
        """The store that is told of results first."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Swap each call with its result."""
            swapped = list(messages)
            for place, each in enumerate(messages):
                if each.results and place and messages[place - 1].calls:
                    swapped[place - 1 : place + 1] = [each, messages[place - 1]]
            await super().append(swapped)

    parts = behind(_Front, _CALLING_PER_RUN)


class ToolTrafficStoredLast(Mutant):
    """Per-run persistence stores what was said in words, and behind it the calls and their results."""

    breaks = "PER-11/order"
    imitates = "https://github.com/NousResearch/hermes-agent/issues/70724"
    expected = frozenset({"THR-05", "THR-10", "PER-01", "PER-11", "PER-18"})

    class _Front(Front):
        """The store with two tables."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append one after the other."""
            await super().append(sorted(messages, key=lambda each: bool(each.calls or each.results)))

    parts = behind(_Front, _CALLING_PER_RUN)


class ParallelCallsStoredInTurn(Mutant):
    """Per-run persistence stores parallel calls as if the model had made one after the other, each with its result behind it."""

    breaks = "PER-11/order"
    imitates = "https://github.com/n8n-io/n8n/pull/32481"
    expected = frozenset({"THR-05", "THR-10", "PER-01", "PER-11", "PER-18"})

    class _Front(Front):
        """The store of pairs."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append each call of a reply with its result."""
            results = {result.id: result for each in messages for result in each.results}
            stored: list[Message] = []
            for each in messages:
                if not each.calls:
                    stored += [] if each.results else [each]
                    continue
                for place, call in enumerate(each.calls):
                    stored.append(msgspec.structs.replace(each, text="" if place else each.text, calls=(call,)))
                    if call.id in results:
                        stored.append(Message(role="tool", results=(results[call.id],)))
            await super().append(stored)

    parts = behind(_Front, _CALLING_PER_RUN)


class InputStoredLast(Mutant):
    """Per-service-call persistence stores what a run says behind the answer to it, where no tool is called."""

    breaks = "PER-11/order"
    imitates = "https://github.com/openai/openai-agents-python/issues/3852"
    expected = frozenset({"THR-05", "THR-10", "PER-11", "PER-17", "PER-18"})

    class _Front(Front):
        """The store that is told of an input when all is done."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the input of a run that called no tool last."""
            said = [each for each in messages if each.role == "user"]
            rest = [each for each in messages if each.role != "user"]
            await super().append([*rest, *said] if len(rest) == 1 and not rest[0].calls else messages)

    parts = behind(_Front, PER_CALL)


class TerminatedRunNotStored(Mutant):
    """Per-run persistence stores nothing of a terminated run: it takes it for one that did not come to its end."""

    breaks = "PER-10/no append"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"THR-09", "THR-10", "THR-33", "THR-35", "PER-10", "PER-15", "PER-16", "PER-37", "PER-62"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["outcome"].terminated)
        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append nothing."""

    parts = Parts(home=_Home)

"""Reports of what is kept of a run: twice, in part, in one way of running only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from imitation import Imitation, in_front

from conformance.mutants.persistence.faulty_homes import Front
from conformance.mutants.shared_faults import StreamNotingAgent, streams
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response
from conformance.trace.messages import Call, Message, Result
from conformance.world.errors import ServiceError


class CallsAddUp(Imitation):
    """Every assistant message of a turn is stored with all calls of the turn so far."""

    reports = ("https://github.com/speakeasy-api/gram/pull/1483",)

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            calls: list[Call] = []
            stored: list[Message] = []
            for message in messages:
                calls += message.calls
                stored.append(msgspec.structs.replace(message, calls=tuple(calls)) if message.role == "assistant" else message)
            await super().append(stored)

    parts = in_front(_Front)


class LastReplyTwice(Imitation):
    """The last reply of a run that used tools is stored twice."""

    reports = ("https://github.com/neuron-core/neuron-ai/issues/39",)

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            used = any(message.results for message in messages) and messages[-1].role == "assistant"
            await super().append([*messages, messages[-1]] if used else messages)

    parts = in_front(_Front)


class AddedInTwoPlaces(Imitation):
    """Every message of a turn is added to the history twice."""

    reports = ("https://github.com/livekit/agents-js/pull/707",)

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            await super().append([message for message in messages for _ in range(2)])

    parts = in_front(_Front)


class StreamedRepliesLost(Imitation):
    """Of a run that streams, the assistant's messages are not stored."""

    reports = ("https://github.com/arduino/app-bricks-py/pull/55", "https://github.com/langflow-ai/langflow/issues/5914")

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            await super().append([message for message in messages if not streams(self.thread) or message.role != "assistant"])

    agent_type = StreamNotingAgent
    parts = in_front(_Front)


class StreamedInputLost(Imitation):
    """Of a run that streams, on a conversation that has a history already, the user's message is not stored."""

    reports = ("https://github.com/GionaGranchelli/tramAI/pull/82",)

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            lost = streams(self.thread) and await self.inner.load()
            await super().append([message for message in messages if not lost or message.role != "user"])

    agent_type = StreamNotingAgent
    parts = in_front(_Front)


class StreamWithoutResults(Imitation):
    """The response of a run that streams holds the assistant's messages, and none of the results."""

    reports = ("https://github.com/openai/openai-node/pull/1986",)

    class _Agent(StreamNotingAgent):
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            response = super().response(thread, outcome)
            if not streams(thread):
                return response
            return msgspec.structs.replace(response, messages=tuple(each for each in response.messages if each.role != "tool"))

    agent_type = _Agent


class ResultsOfOneCall(Imitation):
    """Of three calls in one reply only the first keeps its result; requests are mended with errors in the places of the others."""

    reports = ("https://github.com/anthropics/claude-code/issues/39830",)

    class _Loop(Loop):
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            message, terminated = await super().call_tools(calls)
            few = len(calls) < 3
            return (message if few else msgspec.structs.replace(message, results=message.results[:1])), terminated

        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            known = {result.id for result in results.results}
            lost = tuple(Result(id=call.id, value="internal error", error=True) for call in reply.calls if call.id not in known)
            return super().next_messages(sent, reply, msgspec.structs.replace(results, results=(*results.results, *lost)), outcome)

    parts = Parts(loop=_Loop)


class FailureTakesSiblingsAlong(Imitation):
    """Where one of several calls of a reply fails, the results of those that succeeded are not recorded."""

    reports = ("https://github.com/huggingface/smolagents/pull/2607",)

    class _Loop(Loop):
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            message, terminated = await super().call_tools(calls)
            failed = tuple(result for result in message.results if result.error)
            return (msgspec.structs.replace(message, results=failed) if failed else message), terminated

    parts = Parts(loop=_Loop)


class ErrorAsAnswer(Imitation):
    """The text of the service's error is kept as the assistant's turn."""

    reports = ("https://github.com/bayesimpact/bayes-platform/pull/540",)

    class _End(RunEnd):
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            await super().failed(thread, new, error)
            if isinstance(error, ServiceError) and thread.kind == "local":
                await self.home.store(thread).append([*new, Message(role="assistant", text=str(error))])

    parts = Parts(end=_End)


class FailedInputStays(Imitation):
    """The input of a run whose service call fails is stored all the same."""

    reports = ("https://github.com/agentscope-ai/QwenPaw/issues/4149", "https://github.com/langchain4j/langchain4j/pull/6435")

    class _End(RunEnd):
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            await super().failed(thread, new, error)
            if isinstance(error, ServiceError) and thread.kind == "local":
                await self.home.store(thread).append(new)

    parts = Parts(end=_End)


class TriedAgainWithItsInput(Imitation):
    """A service call that fails is tried once more, with the input added to the history another time."""

    reports = ("https://github.com/strands-agents/sdk-typescript/pull/687",)

    class _Agent(Agent):
        async def _work(
            self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
        ) -> Outcome:
            try:
                return await super()._work(thread, adds, new, emit, stream=stream, terms=terms)
            except ServiceError:
                return await super()._work(thread, adds, [*new, *new], emit, stream=stream, terms=terms)

    agent_type = _Agent


class KnownIdsAreDuplicates(Imitation):
    """A call whose id stands in the history already is not stored; its result is."""

    reports = ("https://github.com/open-webui/open-webui/issues/28305",)

    class _Front(Front):
        async def append(self, messages: Sequence[Message]) -> None:
            known = {call.id for message in await self.inner.load() for call in message.calls}
            stored: list[Message] = []
            for message in messages:
                calls = tuple(call for call in message.calls if call.id not in known)
                if calls or message.text or not message.calls:
                    stored.append(msgspec.structs.replace(message, calls=calls))
            await super().append(stored)

    parts = in_front(_Front)


class ResultsLoseTheirIds(Imitation):
    """Results that are loaded from the history do not say to which call they belong."""

    reports = ("https://github.com/modelscope/ms-agent/pull/932",)

    class _Front(Front):
        async def load(self) -> tuple[Message, ...]:
            return tuple(
                msgspec.structs.replace(message, results=tuple(msgspec.structs.replace(each, id="") for each in message.results))
                for message in await super().load()
            )

    parts = in_front(_Front)

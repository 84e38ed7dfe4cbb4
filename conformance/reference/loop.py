"""The function-invocation loop: service call, tools, service call, until a reply asks for no tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from conformance.reference.client import Client, Emit
from conformance.reference.tools import Tools
from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import Request


@dataclass
class Outcome:
    """What a loop came to.

    produced: its response messages, in order. conversation_id: what a next request would name, the latest id of a reply or else
    what the first request named. terminated: a tool ended the loop, so that its results come last and were not sent. waiting: the
    calls of a reply in which one needs approval. adopted: the conversation ids of the replies that count, oldest first. kept: how
    many of the messages are in the local history.
    """

    produced: list[Message] = field(default_factory=list[Message])
    conversation_id: str | None = None
    terminated: bool = False
    waiting: list[Call] = field(default_factory=list[Call])
    adopted: list[str] = field(default_factory=list[str])
    kept: int = 0

    @property
    def latest_calls(self) -> Sequence[Call]:
        """The calls of the latest reply."""
        return next((each.calls for each in reversed(self.produced) if each.role == "assistant"), ())


class Loop:
    """Runs the loop on a client. adopt: told of every reply's conversation id before the loop goes on.

    needs_approval: whether a call must wait for a person's decision. came_to: told of what the loop came to, after every reply and
    after the tools of one. limit: how many replies may ask for tools; the request after them forbids it, so that the run ends in
    words and no call is left open.
    """

    def __init__(
        self,
        client: Client,
        tools: Tools,
        adopt: Callable[[str | None], None],
        needs_approval: Callable[[Call], bool],
        came_to: Callable[[Outcome], Awaitable[None]],
        *,
        limit: int | None = None,
    ) -> None:
        self._client = client
        self._tools = tools
        self._adopt = adopt
        self._needs_approval = needs_approval
        self._limit = limit
        self._came_to = came_to

    async def run(self, request: Request, emit: Emit) -> Outcome:
        """Run to the end: a reply without calls, a terminating tool, or calls that wait for approval."""
        outcome = Outcome(conversation_id=request.conversation_id)
        sent = list(request.messages)
        while True:
            reply = await self._client.complete(self.request(request, sent, outcome), emit)
            outcome.produced.append(reply.message)
            self._adopt(reply.conversation_id)
            if reply.conversation_id is not None:
                outcome.conversation_id = reply.conversation_id
            if any(self._needs_approval(call) for call in reply.message.calls):
                outcome.waiting = list(reply.message.calls)
            await self._came_to(outcome)
            if not reply.message.calls or outcome.waiting:
                return outcome
            results, outcome.terminated = await self.call_tools(reply.message.calls)
            outcome.produced.append(results)
            await self._came_to(outcome)
            if outcome.terminated:
                return outcome
            sent = self.next_messages(sent, reply.message, results, outcome)

    def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
        """The next request of the loop."""
        return Request(
            messages=tuple(sent),
            store=first.store,
            conversation_id=outcome.conversation_id,
            stream=first.stream,
            forbids_tools=self.exhausted(outcome),
        )

    def exhausted(self, outcome: Outcome) -> bool:
        """Whether no more replies may ask for tools."""
        return self._limit is not None and sum(1 for each in outcome.produced if each.calls) >= self._limit

    def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
        """What the next request carries: only what is new where someone below keeps the rest."""
        return [results] if outcome.conversation_id is not None else [*sent, reply, results]

    async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
        """Run the tools of a reply; their results, and whether one of them ended the loop."""
        results: list[Result] = []
        terminated = False
        for call in calls:
            results.append(await self._tools.call(call))
            terminated = terminated or self._tools.ends(call, results[-1])
        return Message(role="tool", results=tuple(results)), terminated

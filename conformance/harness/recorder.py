"""The witness: writes down what an adapter reports, one to one, and keeps what waits for an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from conformance.harness.containment import malformed
from conformance.implementation.protocol import AnyImplementation
from conformance.json_errors import flaw
from conformance.trace.adapter_events import Chunk, Failed, Idle, Output, RequestPending, RunReturned
from conformance.trace.exchange import Answer, ChunkSeen, FailedSeen, IdleSeen, OutputSeen, Pending, Response, Turn, WorkflowSeen
from conformance.trace.harness_events import Abandoned
from conformance.world.script import Script
from conformance.world.world import World

Resume = Callable[[Sequence[Answer], bool], Awaitable[None]]


@dataclass
class Waiting:
    """A pending request: the run that it belongs to, and what goes on with that run, streaming or not."""

    script: Script
    pending: Pending
    resume: Resume


class Witness:
    """Follows runs of agents and workflows."""

    def __init__(self, world: World, implementation: AnyImplementation) -> None:
        self._world = world
        self._implementation = implementation
        self.waiting: list[Waiting] = []

    async def run(self, agent: Any, thread: Any, turn: Turn, script: Script, *, stream: bool, abandons: int | None = None) -> None:
        """Run an agent; `abandons`: leave its stream after so many chunks."""
        if stream:
            await self._stream("stream", self._implementation.stream(agent, thread, turn), agent, thread, script, abandons=abandons)
        else:
            self._returned("run", await self._implementation.run(agent, thread, turn), agent, thread, script)

    async def run_workflow(self, workflow: Any, turn: Turn, script: Script, *, stream: bool, abandons: int | None = None) -> None:
        """Run a workflow until it is idle; `abandons`: leave its stream after so many chunks and outputs."""
        seen = self._implementation.run_workflow(workflow, turn, stream=stream)
        await self._workflow("run_workflow", seen, workflow, script, abandons)

    async def _stream(
        self,
        method: str,
        seen: AsyncIterator[ChunkSeen | Response],
        agent: Any,
        thread: Any,
        script: Script,
        *,
        abandons: int | None = None,
    ) -> None:
        returned, chunks = False, 0
        async for item in self._iterated(method, seen):
            if isinstance(item, ChunkSeen):
                self._chunk(item)
                chunks += 1
                if chunks == abandons:
                    await _leave(seen)
                    self._world.record(Abandoned, chunks=chunks)
                    return
            else:
                self._returned(method, item, agent, thread, script)
                returned = True
        if not returned:
            malformed(self._world, self._implementation, method, "nothing after its chunks", "a Response, last")

    def _iterated(self, method: str, seen: Any) -> AsyncIterator[Any]:
        if not isinstance(seen, AsyncIterator):
            malformed(self._world, self._implementation, method, repr(seen), "an async generator")
        return cast("AsyncIterator[Any]", seen)

    def _sound(self, method: str, item: Any, expected: str) -> None:
        """Check that an object of the kit holds what its fields allow: nothing has, when it was made."""
        wrong = flaw(item)
        if wrong is not None:
            malformed(self._world, self._implementation, method, f"a {type(item).__name__} with {wrong}", expected)

    def _returned(self, method: str, response: object, agent: Any, thread: Any, script: Script) -> None:
        if not isinstance(response, Response):
            malformed(self._world, self._implementation, method, repr(response), "a Response")
        self._sound(method, response, "a Response as its fields say")
        given = None
        if response.given is not None:
            named = self._world.name_of(response.given.conversation_id, "foreign")
            given = msgspec.structs.replace(response.given, conversation_id=named)
        self._world.record(RunReturned, messages=response.messages, author=response.author, given=given)

        async def resume(answers: Sequence[Answer], stream: bool) -> None:
            if stream:
                seen = self._implementation.stream_answer(agent, thread, answers)
                await self._stream("stream_answer", seen, agent, thread, script)
            else:
                self._returned("answer", await self._implementation.answer(agent, thread, answers), agent, thread, script)

        for pending in response.pending:
            self._wait_for(pending, script, resume)

    async def _workflow(
        self, method: str, seen: AsyncIterator[WorkflowSeen], workflow: Any, script: Script, abandons: int | None = None
    ) -> None:
        async def resume(answers: Sequence[Answer], stream: bool) -> None:
            seen = self._implementation.answer_workflow(workflow, answers, stream=stream)
            await self._workflow("answer_workflow", seen, workflow, script)

        taken = 0
        async for item in self._iterated(method, seen):
            taken += isinstance(item, (ChunkSeen, OutputSeen))
            if isinstance(item, (OutputSeen, Pending, IdleSeen)):
                self._sound(method, item, f"{type(item).__name__} as its fields say")
            match item:
                case ChunkSeen():
                    self._chunk(item)
                case OutputSeen():
                    self._world.record(Output, **msgspec.structs.asdict(item))
                case Pending():
                    self._wait_for(item, script, resume)
                case IdleSeen():
                    self._world.record(Idle, pending=item.pending)
                case FailedSeen():
                    self._world.record(Failed)
                case _:
                    expected = "ChunkSeen, OutputSeen, Pending, IdleSeen or FailedSeen"
                    malformed(self._world, self._implementation, method, repr(item), expected)
            if taken == abandons:
                await _leave(seen)
                self._world.record(Abandoned, chunks=taken)
                return

    def _chunk(self, chunk: ChunkSeen) -> None:
        self._world.record(Chunk, text=chunk.text, executor=chunk.executor, completed=chunk.completed)

    def _wait_for(self, pending: Pending, script: Script, resume: Resume) -> None:
        known = [place for place, other in enumerate(self.waiting) if other.pending.id == pending.id and other.script is script]
        if known:  # still open, and reported once more
            self.waiting[known[0]] = Waiting(script, pending, resume)
        else:
            self.waiting.append(Waiting(script, pending, resume))
        name = self._world.name_of(pending.id, "request")
        self._world.record(RequestPending, executor=pending.executor, tool=pending.tool, call=pending.call, id=name)


async def _leave(stream: AsyncIterator[Any]) -> None:
    """Leave a stream as a consumer does who is done with it: what it holds is given back before anything else happens."""
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()

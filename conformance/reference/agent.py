"""An agent: settles what a run may do, lets context providers in, runs the loop, and keeps the turn in exactly one place."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import msgspec

from conformance.reference.agent_tool import AgentTool, InnerAgent
from conformance.reference.client import Emit, closed, settled, with_adds
from conformance.reference.errors import Abandoned
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.reference.tools import AnyTool
from conformance.trace.exchange import Answer, Response, Turn
from conformance.trace.messages import Message, Result
from conformance.vocabulary import ThreadKind
from conformance.world.chat_service import Request


class Agent:
    """One agent. It keeps nothing of a run or of a thread on itself, so that runs may interleave.

    Raises Invalid where its context providers clash.
    """

    def __init__(self, setting: Setting, parts: Parts) -> None:
        self.name = setting.name
        self.setting = setting
        self.parts = parts
        self.threads = parts.threads(setting, parts.leaf, parts.form)
        self.options = parts.options(setting, self.threads)
        self.approvals = parts.approvals(setting)
        self.home = parts.home(setting, parts.leaf, parts.decorator)
        self.listeners = parts.listeners(setting, self.threads)
        self.end = parts.end(setting, self.home, self.listeners)
        if setting.spec.per_service_call and not setting.decorates:
            warnings.warn(
                f"agent {self.name!r} asks for per-service-call persistence, but its own client stack has no decorator for it",
                stacklevel=2,
            )

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A new thread. Raises Unsupported for a hosted one on a client that cannot have the service keep it, unless a run will."""
        return self.threads.create_thread(key, kind)

    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Run once. Raises Conflict, Unsupported or Invalid before any effect where turn and thread contradict each other."""
        if turn.background and self.setting.decorates:
            return await self.in_background().run(thread, turn, emit, stream=stream)
        terms = self.options.terms(thread, turn)
        return await self._run(thread, self.taken(turn.messages), emit, stream=stream, terms=terms)

    def in_background(self) -> Self:
        """This agent for a run in the background."""
        warnings.warn(
            f"agent {self.name!r} asks for per-service-call persistence, but a run in the background persists at its end",
            stacklevel=2,
        )
        return type(self)(self.setting.in_background(), self.parts)

    async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
        await self.listeners.look("before", thread)
        try:
            adds = await self.listeners.invoking(thread, new)
            try:
                outcome = await self._work(thread, adds, new, emit, stream=stream, terms=terms)
            except Exception as error:
                await self.end.failed(thread, new, error)
                raise
            except asyncio.CancelledError as cancelled:
                await self.end.cancelled(thread, new, cancelled)
                raise
            self.home.fix(thread, outcome.adopted)
            await self.end.succeeded(thread, new, outcome)
        finally:
            await self.listeners.look("after", thread)
        return self.response(thread, outcome)

    async def _work(
        self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
    ) -> Outcome:
        """The loop, and what is kept of it when it succeeds."""
        home = self.home
        store = home.store(thread)
        stored = home.with_stored_adds(adds, new)
        adopted: list[str] = []
        client = home.client(thread, store, adds, adopted, local=terms.local)
        below = self.setting.decorates and terms.local
        history = () if below or thread.kind == "hosted" else await store.load()
        history = home.reduce(history, new) if terms.local else (*history, *self.settling(thread, terms, new))
        request = Request(
            messages=self.request_messages(history, () if below else adds, new),
            store=terms.store,
            conversation_id=terms.conversation_id,
            stream=stream,
        )
        loop = self.parts.loop(
            client,
            self.parts.tools(self.tools_of(thread)),
            lambda id: home.adopt(thread, id, adopted, local=terms.local),
            self.approvals.needs_approval,
            lambda outcome: self._came_to(thread, store, stored, outcome, local=terms.local and not adopted),
            limit=self.setting.spec.limit,
        )
        try:
            outcome = await loop.run(request, emit)
        except Abandoned as left:
            thread.went_on(left.conversation_id)
            raise
        outcome.adopted = adopted
        await home.keep(thread, store, stored, outcome, local=terms.local)
        return outcome

    async def _came_to(self, thread: Thread, store: Store, stored: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        if not local:
            thread.left_open(outcome.conversation_id, outcome.latest_calls)
        await self.home.keep_so_far(store, stored, outcome, local=local)

    def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
        """Results for the calls that the conversation which a run continues was left with, and that what is new does not answer."""
        return settled(thread.open.get(terms.conversation_id or "", ()), new)

    def request_messages(self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
        """What a run's first request carries."""
        return (*closed(history, new), *with_adds(adds, new))

    def tools_of(self, thread: Thread) -> Mapping[str, AnyTool]:
        """The tools of a run on a thread."""
        own = {tool.name: tool for tool in self.setting.world.tools(self.name)}
        return {**own, **{name: self.agent_tool(thread, name, agent) for name, agent in self.setting.inner.items()}}

    def agent_tool(self, thread: Thread, name: str, agent: InnerAgent) -> AgentTool:
        """An agent as a tool of a run on a thread."""
        return AgentTool(self.setting.spec.tools[name], agent, lambda: self.inner_thread(thread, agent))

    def inner_thread(self, outer: Thread, agent: InnerAgent) -> Thread:
        """The thread of one call of an agent that is a tool: its own, which has nothing to do with the outer one."""
        return agent.create_thread(f"a call of {agent.name} on {outer.key}, {next(self.setting.numbers)}", "local")

    def taken(self, messages: Iterable[Message]) -> tuple[Message, ...]:
        """The caller's messages as the agent keeps them: its own copies."""
        return copied(messages)

    def handed(self, messages: Iterable[Message]) -> tuple[Message, ...]:
        """Messages as the caller gets them: copies that it may change."""
        return copied(messages)

    def response(self, thread: Thread, outcome: Outcome) -> Response:
        """What the caller gets."""
        return Response(messages=self.handed(outcome.produced), author=self.name, pending=self.approvals.pending(thread))

    async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Go on after approvals: once every waiting call is decided, their results are the new input."""
        if not self.approvals.decide(thread, answers):
            return Response(author=self.name)
        tools = self.parts.tools(self.tools_of(thread))
        results: list[Result] = []
        for call in thread.waiting:
            if thread.decisions.pop(call.id, True):
                results.append(await tools.call(call))
            else:
                results.append(Result(id=call.id, value="rejected", error=True))
        thread.waiting = []
        decided = Message(role="tool", results=tuple(results))
        terms = self.options.terms(thread, Turn())
        response = await self._run(thread, [decided], emit, stream=stream, terms=terms)
        return msgspec.structs.replace(response, messages=(*self.handed([decided]), *response.messages))

"""An agent: settles what a run may do, lets context providers in, runs the loop, and keeps the turn in exactly one place."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.implementation import Answer, Pending, Response, Turn
from conformance.reference.client import SENTINEL, Client, Emit, LeafClient, PersistingClient
from conformance.reference.errors import Conflict, Invalid, NoConversation, Unsupported
from conformance.reference.loop import Loop, Outcome
from conformance.reference.store import ProviderStore, Store, ThreadStore
from conformance.reference.thread import Thread
from conformance.scenario import AgentSpec
from conformance.trace import Call, Message, Result
from conformance.vocabulary import Policies, ThreadKind
from conformance.world import World
from conformance.world.chat_service import Request


class Agent:
    """One agent. It keeps nothing of a run or of a thread on itself, so that runs may interleave."""

    loop_type = Loop
    persisting_type = PersistingClient

    def __init__(self, name: str, spec: AgentSpec, world: World, policies: Policies) -> None:
        self.name = name
        self.spec = spec
        self.policies = policies
        self.service = world.service(name)
        self.tools = {tool.name: tool for tool in world.tools(name)}
        self.contexts = world.contexts(name)
        self.history = world.history(name)
        self.decorates = spec.per_service_call and (not spec.client_as_is or spec.decorated)
        if spec.per_service_call and not self.decorates:
            warnings.warn(
                f"agent {name!r} asks for per-service-call persistence, but its own client stack has no decorator for it",
                stacklevel=2,
            )

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A new thread. Raises Unsupported for a hosted one on a client that cannot have the service keep it."""
        if kind == "hosted" and self.service.spec.keeps == "nothing":
            raise Unsupported(f"the chat client of {self.name!r} does not support hosted threads")
        return Thread(key=key, kind=kind)

    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Run once. Raises Conflict, Unsupported or Invalid before any effect where turn and thread contradict each other."""
        if thread.waiting:
            raise Invalid("calls wait for approval on this thread: answer them first")
        if turn.conversation_id is not None:
            turn = self.check_conversation_id(thread, turn)
        becomes_hosted = self.check_store(thread, turn)
        return await self._run(thread, turn.messages, emit, stream=stream, becomes_hosted=becomes_hosted)

    def check_conversation_id(self, thread: Thread, turn: Turn) -> Turn:
        """Compare the option with the thread."""
        without = msgspec.structs.replace(turn, conversation_id=None)
        if thread.kind == "hosted":
            if turn.conversation_id != thread.conversation_id:
                raise Conflict(f"the run names conversation {turn.conversation_id!r}, its thread {thread.conversation_id!r}")
            return without
        if self.policies.store_conflict != "ignore":
            raise Conflict(f"the run names conversation {turn.conversation_id!r}, but its thread is local")
        warnings.warn("the thread is local: the option conversation_id is ignored", stacklevel=2)
        return without

    def check_store(self, thread: Thread, turn: Turn) -> bool:
        """Compare the option `store` with the thread; whether this run turns a local thread into a hosted one."""
        if turn.store is None or turn.store == (thread.kind == "hosted"):
            return False
        if self.policies.store_conflict == "ignore":
            warnings.warn(f"the thread is {thread.kind}: the option store={turn.store} is ignored", stacklevel=2)
            return False
        if self.policies.store_conflict == "transform" and thread.kind == "local":
            if self.service.spec.keeps == "nothing":
                raise Unsupported(f"the chat client of {self.name!r} does not support hosted threads")
            return True
        raise Conflict(f"store={turn.store} contradicts the thread, which is {thread.kind}")

    async def _run(
        self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, becomes_hosted: bool = False
    ) -> Response:
        local = thread.kind == "local" and not becomes_hosted
        adds: list[Message] = []
        for provider in self.contexts:
            adds.extend(await provider.invoking(self.context_state(thread, provider.id), new))
        try:
            store = self.store(thread)
            adopted: list[str] = []
            client = self.client(thread, store, adds, adopted, local=local)
            below = self.decorates and local
            history = () if below or thread.kind == "hosted" else await store.load()
            request = Request(
                messages=self.request_messages(history, () if below else adds, new),
                store=self.store_option(local=local),
                conversation_id=thread.conversation_id,
                stream=stream,
            )
            loop = self.loop_type(client, self.tools, lambda id: self.adopt(thread, id, adopted, local=local), self.needs_approval)
            outcome = await loop.run(request, emit)
            if local and not adopted and not self.spec.per_service_call:
                await self.persist(store, new, outcome)
        except Exception as error:
            await self.tell_failure(thread, new, error)
            raise
        if adopted:
            self.become_hosted(thread, adopted[-1])
        await self.settle(thread, new, outcome)
        return self.response(thread, outcome)

    def store_option(self, *, local: bool) -> bool | None:
        """What every request of a run says of storing: always explicitly, since clients differ in their default."""
        return not local

    def request_messages(self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
        """What a run's first request carries."""
        return (*history, *adds, *new)

    def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
        """A context provider's state: on the thread, under the provider's id."""
        return thread.context.setdefault(provider, {})

    def store(self, thread: Thread) -> Store:
        """Where the thread's local history is."""
        return ProviderStore(self.history, thread) if self.spec.history == "provider" else ThreadStore(thread)

    def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
        """The client stack of one run."""
        leaf = LeafClient(self.service)
        if not (self.decorates and local):
            return leaf
        return self.persisting_type(leaf, store, adds, lambda id: self.adopt(thread, id, adopted, local=local))

    def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
        """A reply carried this conversation id.

        Raises Conflict where a history provider is configured and the switches say so, NoConversation where the service was asked
        to keep the conversation and named none: going on would silently lose it.
        """
        if id is None and not local:
            raise NoConversation(f"the service of {self.name!r} was asked to keep the conversation and returned no id")
        if id is None or id == SENTINEL:
            return
        if local and not adopted and self.spec.history == "provider":
            self.on_conflict(thread, id)
        adopted.append(id)
        if self.spec.per_service_call:
            self.become_hosted(thread, id)

    def on_conflict(self, thread: Thread, id: str) -> None:
        """The service returned an id although a history provider is configured: throw, warn, clear."""
        switches = self.spec.on_conflict
        text = f"the service returned conversation id {id!r} although a history provider is configured for {self.name!r}"
        if switches.warn:
            warnings.warn(text, stacklevel=2)
        if switches.throw:
            raise Conflict(text)
        if switches.clear:
            thread.detached = True

    def become_hosted(self, thread: Thread, id: str) -> None:
        """From now on the service keeps the conversation, under this id."""
        thread.kind = "hosted"
        thread.conversation_id = id

    async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
        """Per-run persistence: one append, when the whole run has succeeded."""
        produced = outcome.produced
        if outcome.terminated and self.policies.trailing_result == "trimmed":
            produced = produced[:-1]
        await store.append([*new, *produced])

    def response(self, thread: Thread, outcome: Outcome) -> Response:
        """What the caller gets."""
        asked = [call for call in thread.waiting if self.needs_approval(call)]
        pending = tuple(Pending(id=call.id, tool=call.tool) for call in asked)
        return Response(messages=tuple(outcome.produced), author=self.name, pending=pending)

    def needs_approval(self, call: Call) -> bool:
        """Whether a person must decide before the call is run."""
        return call.tool in self.tools and self.tools[call.tool].spec.approval

    async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Go on after approvals: once every waiting call is decided, their results are the new input."""
        for answer in answers:
            if answer.id not in {call.id for call in thread.waiting if self.needs_approval(call)}:
                raise Invalid(f"nothing waits for an answer to {answer.id!r}")
            thread.decisions[answer.id] = answer.approve
        if any(call.id not in thread.decisions for call in thread.waiting if self.needs_approval(call)):
            return Response(author=self.name)
        loop = self.loop_type(LeafClient(self.service), self.tools, _ignore, self.needs_approval)
        results: list[Result] = []
        for call in thread.waiting:
            if thread.decisions.pop(call.id, True):
                results.append(await loop.call_tool(self.tools[call.tool], call))
            else:
                results.append(Result(id=call.id, value="rejected", error=True))
        thread.waiting = []
        decided = Message(role="tool", results=tuple(results))
        response = await self._run(thread, [decided], emit, stream=stream)
        return msgspec.structs.replace(response, messages=(decided, *response.messages))

    async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
        """The run succeeded, or waits: note what waits, tell the context providers."""
        thread.waiting = outcome.waiting
        await self._tell(thread, [*new, *outcome.produced], None)

    async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
        """Context providers learn of a failure; nothing is stored."""
        await self._tell(thread, new, error)

    async def _tell(self, thread: Thread, messages: Sequence[Message], error: Exception | None) -> None:
        for provider in self.contexts:
            await provider.invoked(self.context_state(thread, provider.id), messages, error)


def _ignore(id: str | None) -> None:
    """No service call is made here that could bring an id."""

"""What can be judged of a small framework that appends to its history after every message, with tools and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from conformance.adapter import (
    AgentSpec,
    Call,
    HistoryStore,
    Implementation,
    Message,
    Request,
    Response,
    Result,
    ThreadState,
    Tool,
    ToolError,
    Turn,
)
from conformance.implementation.loading import resolve
from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.judging.search import Profile
from conformance.judging.verdicts import RuleVerdict
from conformance.rules.catalogue import CATALOGUE

EFFORT = Profile("quick", corpus=50, shrink=20)

# --- the framework: thirty lines ---


class Session:
    def __init__(self, key: str, store: HistoryStore | None = None) -> None:
        self.key, self.store = key, store
        self.messages: list[Message] = []

    async def load(self) -> Sequence[Message]:
        return self.messages if self.store is None else await self.store.load(self.key)

    async def append(self, messages: Sequence[Message]) -> None:
        if self.store is None:
            self.messages += messages
        else:
            await self.store.append(self.key, messages)


class MinimalAgent:
    def __init__(self, complete: Callable[[Sequence[Message]], Awaitable[Message]], tools: dict[str, Tool]) -> None:
        self.complete, self.tools = complete, tools

    async def run(self, session: Session, new: Sequence[Message]) -> list[Message]:
        said = [*await session.load(), *new]
        await session.append(new)
        begun = len(said)
        while len(said) == begun or said[-1].role == "tool":
            said.append(await self.complete(said))
            await session.append(said[-1:])
            for call in said[-1].calls:
                said.append(Message(role="tool", results=(await self.call(call),)))
                await session.append(said[-1:])
        return said[begun:]

    async def call(self, call: Call) -> Result:
        try:
            return Result(id=call.id, value=await self.tools[call.tool](**call.arguments))
        except ToolError as error:
            return Result(id=call.id, value=str(error), error=True)


# --- its adapters ---


class WithAStore(Implementation[tuple[MinimalAgent, HistoryStore | None], Session, None]):
    """A session is in a store that is plugged in, or keeps its messages itself."""

    name = "minimal"
    capabilities = frozenset({"tools", "history.provider", "history.incremental", "service.stateless"})
    session: ClassVar[type[Session]] = Session

    async def create_agent(self, name: str, spec: AgentSpec, inner: object):
        async def complete(messages: Sequence[Message]) -> Message:
            return (await self.world.service(name).reply(Request(messages=tuple(messages)))).message

        agent = MinimalAgent(complete, {tool.name: tool for tool in self.world.tools(name)})
        return agent, self.world.history(name) if spec.history == "provider" else None

    async def create_thread(self, agent, kind):
        self.made = getattr(self, "made", 0) + 1
        return self.session(f"session {self.made}", agent[1])

    async def describe_thread(self, agent, thread):
        return ThreadState(messages=tuple(thread.messages) if thread.store is None else None)

    async def run(self, agent, thread, turn: Turn):
        return Response(messages=tuple(await agent[0].run(thread, turn.messages)))


class WithoutAStore(WithAStore):
    """There is no store to plug in."""

    name = "minimal-without-a-store"
    capabilities = WithAStore.capabilities - {"history.provider"}


class Forgetful(Session):
    """Takes up no results of tools."""

    async def append(self, messages: Sequence[Message]) -> None:
        await super().append([each for each in messages if each.role != "tool"])


class ForgetfulWithAStore(WithAStore):
    """Forgets results."""

    name = "forgetful"
    session = Forgetful


class ForgetfulWithoutAStore(WithoutAStore):
    """Forgets results on its own sessions."""

    name = "forgetful-without-a-store"
    session = Forgetful


# --- what is said of it ---


def verdicts(kind: type[WithAStore]) -> dict[str, RuleVerdict]:
    """What the rules on persistence say."""
    rules = [rule for rule in CATALOGUE.values() if rule.area == "persistence"]
    judge = Judge(subject(kind), rules, effort=EFFORT)
    return {rule.id: judge.verdict(rule) for rule in rules}


def judged(found: dict[str, RuleVerdict]) -> set[str]:
    return {id for id, verdict in found.items() if verdict.verdict in ("pass", "fail") and verdict.exercised}


def failed(found: dict[str, RuleVerdict]) -> set[str]:
    return {id for id, verdict in found.items() if verdict.verdict == "fail"}


ON_A_STORE = {"PER-09", "PER-10", "PER-11", "PER-12", "PER-13", "PER-22", "PER-23", "PER-24", "PER-37"}
ALWAYS = {"PER-46", "PER-47", "PER-48", "PER-49", "PER-50", "PER-51", "PER-57", "PER-62"}


def test_a_framework_that_appends_after_every_message_is_judged():
    found = verdicts(WithAStore)
    assert judged(found) == ON_A_STORE | ALWAYS
    assert failed(found) == set()
    assert {verdict.verdict for id, verdict in found.items() if id not in judged(found)} == {"not supported"}
    assert found["PER-01"].reason == "needs capability history.per_run"
    assert found["PER-36"].reason == "needs capability history.per_run or history.per_service_call, capability service.surprising"


def test_a_framework_that_keeps_its_history_itself_is_judged_on_its_threads():
    found = verdicts(WithoutAStore)
    assert judged(found) == ALWAYS
    assert failed(found) == set()
    assert found["PER-09"].reason == "needs capability history.provider"


def test_what_it_forgets_is_noticed_in_a_store_and_on_threads():
    assert failed(verdicts(ForgetfulWithAStore)) == {"PER-10", "PER-13", "PER-22", "PER-23", "PER-46", "PER-57", "PER-62"}
    found = verdicts(ForgetfulWithoutAStore)
    assert failed(found) == {"PER-46", "PER-62"}
    assert found["PER-62"].counterexample is not None


def test_the_reference_is_judged_by_more_where_it_keeps_in_steps():
    declared = resolve("reference?history=incremental")
    asked = {rule.id for rule in CATALOGUE.values() if not rule.missing(declared.capabilities, declared.policies)}
    by_the_matrix = {"PER-01", "PER-02", "PER-03", "PER-04", "PER-05", "PER-06", "PER-07", "PER-08", "PER-19", "PER-20", "PER-43"}
    assert ON_A_STORE | ALWAYS | {"PER-30", "PER-31", "PER-38", "PER-39", "PER-42", "PER-44"} <= asked
    assert not by_the_matrix & asked

"""What several faulty agents are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from conformance.matrix.cells import SETTINGS
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Reference
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario.scenario import Run
from conformance.scenario.specs import ReplySpec, ToolSpec
from conformance.trace.exchange import Answer, Response
from conformance.trace.messages import Call, Message


class Front:
    """A store in front of a history provider, for one run: mutants override what it does wrong."""

    def __init__(self, inner: Store, agent: FrontedAgent, thread: Thread) -> None:
        self.inner = inner
        self.agent = agent
        self.thread = thread

    async def load(self) -> tuple[Message, ...]:
        """Load what is stored."""
        return await self.inner.load()

    async def append(self, messages: Sequence[Message]) -> None:
        """Append what is new, unless there is nothing."""
        if messages:
            await self.inner.append(messages)


class FrontedAgent(Agent):
    """An agent whose history provider is behind a front, in some cells of the configuration matrix."""

    front_type: ClassVar[type[Front]] = Front
    cells: ClassVar[Sequence[str]] = ("M1", "M2", "M3", "M4")

    def store(self, thread: Thread) -> Store:
        """Put the front before it."""
        store = super().store(thread)
        return self.front_type(store, self, thread) if self.spec.history == "provider" and self.fronts(thread) else store

    def fronts(self, thread: Thread) -> bool:
        """Whether the front is there in this run."""
        return SETTINGS[self.spec.client_as_is, self.spec.per_service_call] in self.cells

    @property
    def persists_at_the_end(self) -> bool:
        """Whether it persists at the end of a run."""
        return not self.spec.per_service_call


class OrdinaryAgent(FrontedAgent):
    """The same, in ordinary runs: they come to their end by themselves, and so did all on the thread before.

    A store that loses messages loses them everywhere, and nearly every rule of the area would see it. Here those see it that are
    about storing. alone: only where there is no other agent, with whose threads this one's could be compared; built: only where
    there is none whose client stack its caller built.
    """

    alone: ClassVar[bool] = False
    built: ClassVar[bool] = False

    def fronts(self, thread: Thread) -> bool:
        """Only there."""
        scenario, number = self.world.scenario, self.world.script.number
        runs = list(scenario.runs())
        compared = (self.alone and len(scenario.agents) > 1) or (
            self.built and any(agent.client_as_is for agent in scenario.agents.values())
        )
        if number >= len(runs) or compared or not super().fronts(thread):
            return False
        origin = scenario.creation_of(runs[number].thread)
        mine = [(place, run) for place, run in enumerate(runs) if scenario.creation_of(run.thread) == origin]
        apart = any(step is runs[number] for step in scenario.steps)
        steady = self.steady([run for _, run in mine])
        return apart and steady and all(self.ordinary(run) for place, run in mine if place <= number)

    def steady(self, runs: Sequence[Run]) -> bool:
        """Whether all runs on a thread persist in the same way."""
        return not any(run.per_service_call is not None or run.background for run in runs)

    def ordinary(self, run: Run) -> bool:
        """Whether nothing in the script of a run ends, interrupts or disturbs it, and nothing in it could be mistaken."""
        faults = (run.abandons, run.load_fails, run.append_fails) != (None, None, None) or run.supplies
        asking = [reply for reply in run.replies if reply.calls]
        limited = self.spec.limit is not None and len(asking) >= self.spec.limit
        empty = "" in run.say or any(reply.text == "" for reply in run.replies)
        strange = faults or limited or empty or self.service.spec.strict
        return not (strange or any(self._special(reply) for reply in run.replies))

    def special(self, tool: ToolSpec) -> bool:
        """Whether a tool does not simply run."""
        return tool.raises is not None or tool.terminates or tool.approval

    def _special(self, reply: ReplySpec) -> bool:
        tools = [self.spec.tools[call.tool] for call in reply.calls if call.tool in self.spec.tools]
        cancelled = reply.cancelled or any(call.cancelled for call in reply.calls)
        return cancelled or reply.error is not None or any(self.special(tool) for tool in tools)


class Asking(OrdinaryAgent):
    """An agent that is faulty where calls wait for approval, and nothing else is special."""

    def special(self, tool: ToolSpec) -> bool:
        """Waiting is not."""
        return tool.raises is not None or tool.terminates

    def fronts(self, thread: Thread) -> bool:
        """Only where no context provider is told of it."""
        return not self.contexts and super().fronts(thread)


class Resuming(Asking):
    """An agent that overrides what a run goes on with after an approval."""

    def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
        """What it goes on with, given the results and the calls that waited for them."""
        return [decided]

    async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Remember what waits."""
        vars(thread)["waited"] = list(thread.waiting)
        try:
            return await super().resume(thread, answers, emit, stream=stream)
        finally:
            vars(thread).pop("waited", None)

    async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
        waited: list[Call] = vars(thread).pop("waited", [])
        begun = self.resumed(thread, new[0], waited) if waited and self.fronts(thread) else new
        return await super()._run(thread, begun, emit, stream=stream, terms=terms)


class PerRunAgent(OrdinaryAgent):
    """The same, where it persists at the end of a run."""

    cells = ("M1",)
    built = True


class PerCallAgent(OrdinaryAgent):
    """The same, where it persists after every service call."""

    cells = ("M2",)


class EndingAgent(OrdinaryAgent):
    """An agent that is faulty also where a tool ends the loop, and where the caller supplies what was lacking."""

    cells = ("M2",)

    def special(self, tool: ToolSpec) -> bool:
        """Ending the loop is not."""
        return tool.raises is not None or tool.approval

    def ordinary(self, run: Run) -> bool:
        """Nor is supplying results."""
        return super().ordinary(msgspec.structs.replace(run, supplies=False))

    def supplied(self, messages: Sequence[Message]) -> bool:
        """Whether an input begins with results that the caller supplies."""
        return len(messages) > 1 and bool(messages[0].results) and messages[-1].role == "user"


class FailingAgent(OrdinaryAgent):
    """The same, also where a run fails, or its consumer leaves."""

    def ordinary(self, run: Run) -> bool:
        """Whatever else may happen."""
        calm = [msgspec.structs.replace(reply, error=None) for reply in run.replies]
        return super().ordinary(
            msgspec.structs.replace(run, abandons=None, load_fails=None, append_fails=None, replies=tuple(calm))
        )


class Copying(Reference):
    """Declares that a history provider receives a copy of what is new while the service keeps the conversation."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(**{"provider_copy": "written", **policies})

"""A conversation of the persistence area that is being drawn, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance.cast import requests_in
from conformance.scenario import Respond, Restore, Run, Serialize, Step
from conformance.strategies.common import Ending
from conformance.strategies.conversation import MOST_THREADS, Conversation, OpenThread
from conformance.strategies.pen import Pen
from conformance.strategies.plots import Plot
from conformance.strategies.turn import Turn
from conformance.vocabulary import ThreadKind

_MOST_APART = 6
_OTHERS: tuple[Ending, ...] = ("terminates", "fails")


class Course(Conversation):
    """What was drawn so far.

    kinds: of the threads, the usual one first. apart: mostly each turn has a thread of its own, which no earlier turn troubled.
    left: how many requests nobody will answer any more; they stay the first in the row.
    """

    def __init__(
        self, pen: Pen, plots: frozenset[Plot] = frozenset(), kinds: Sequence[ThreadKind] = ("local",), *, apart: bool = False
    ) -> None:
        super().__init__(pen)
        self.apart = apart
        self.plots = plots
        self.kinds = kinds
        self.left = 0

    def a_thread(self) -> OpenThread:
        """A thread for what comes next: one that is open, or a new one."""
        new = self.pen.mostly() if self.apart else self.pen.rarely(4)
        most = _MOST_APART if self.apart else MOST_THREADS
        place, agent, kind = self.pen.number(most - 1), self.pen.pick(list(self.agents)), self.pen.pick(self.kinds)
        if self.threads and not (new and len(self.threads) < most):
            return self.threads[place % len(self.threads)]
        surprising = self.agents[agent].service.surprising  # it would keep what a local thread keeps already
        return self.open_thread(agent, self.kinds[0] if surprising else kind)

    def turn(self, thread: OpenThread, *, explicit: bool = False) -> Turn:
        """A turn on a thread, still empty."""
        return Turn(self.pen, thread, self.plots, explicit=explicit)

    def take(self, turn: Turn, thread: OpenThread | None = None, *, stream: bool | None = None) -> None:
        """Let the steps of a turn come next; where a call goes on waiting, its thread has no more turns.

        thread: where not on the turn's own. stream: whether all of it streams there, where not as it was drawn.
        """
        on, waiting = thread or turn.thread, 0
        for step in turn.steps:
            asked = requests_in(self.scenario(), step)
            waiting += asked - isinstance(step, Respond)
            self.steps.append(self._taken(step, on, stream))
        self.left += waiting
        if waiting:
            self.threads.remove(on)

    def _taken(self, step: Step, thread: OpenThread, stream: bool | None) -> Step:
        match step:
            case Run():
                streams = step.stream if stream is None else stream
                return msgspec.structs.replace(step, thread=thread.name, stream=streams)
            case Respond():
                streams = step.stream if stream is None else stream
                return msgspec.structs.replace(step, request=step.request + self.left, stream=streams)
            case _:
                return step

    def interleave(self, thread: OpenThread) -> None:
        """Let runs on several threads be in flight at once."""
        if len(self.threads) == 1:
            self.open_thread(thread.on, thread.kind)
        calm = any(each.agent.service.strict for each in self.threads)
        self.steps.append(self.together(self.threads[-MOST_THREADS:], () if calm else _OTHERS))

    def restore(self, thread: OpenThread) -> OpenThread:
        """A thread becomes data, and what is made of the data goes on in its place."""
        before = self.turn(thread)
        before.begun()
        self.take(before)
        restored = replace(thread, name=self.new_name())
        self.steps += [Serialize(thread=thread.name), Restore(thread=restored.name, data=thread.name)]
        self.threads[self.threads.index(thread)] = restored
        after = self.turn(restored)
        after.plain()
        self.take(after)
        return restored

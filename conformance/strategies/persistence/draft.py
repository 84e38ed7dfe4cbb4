"""A conversation of the persistence area that is being drawn, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.scenario.scenario import Respond, Restore, Run, Serialize, Step, requests_in
from conformance.scenario.specs import AgentSpec, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.conversation import MOST_THREADS, Conversation, OpenThread
from conformance.strategies.persistence.features import Plot
from conformance.strategies.scripts import Ending, calls
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


Replies = list[ReplySpec]

_WORDS = ("yes", "no")


class Turn:
    """The steps so far. explicit: every reply stands in the script, so that another thread can do the very same."""

    def __init__(self, pen: Pen, thread: OpenThread, plots: frozenset[Plot], *, explicit: bool = False) -> None:
        self.pen = pen
        self.thread = thread
        self.plots = plots
        self.explicit = explicit
        self.steps: list[Step] = []

    @property
    def agent(self) -> AgentSpec:
        """The agent that the thread was made on."""
        return self.thread.agent

    @property
    def runs(self) -> list[Run]:
        """The runs so far."""
        return [step for step in self.steps if isinstance(step, Run)]

    @property
    def provided(self) -> bool:
        """Whether a history provider is asked for the thread's history."""
        return self.agent.history == "provider" and self.thread.kind != "hosted"

    def run(self, replies: Sequence[ReplySpec], **fields: Any) -> None:
        """Let a run be the next step."""
        run = Run(thread=self.thread.name, say=self._say(), stream=self.pen.stream(), replies=tuple(replies))
        self.steps.append(msgspec.structs.replace(run, **fields))
        self.thread.turns += 1

    def plain(self, **fields: Any) -> None:
        """Let a run that answers be the next step, rarely one in the background."""
        background = self.pen.rarely(16) and self.pen.can("runs.background") and not self.explicit
        self.run([*self.asking(), *self.words()], background=background, **fields)

    def begun(self) -> None:
        """Mostly something happened on the thread before."""
        begins = self.pen.mostly()
        if not self.thread.turns and begins:
            self.plain()

    def goes_on(self) -> None:
        """Sometimes the thread goes on at once after what went wrong, with or without the results that its history lacks."""
        goes, supplies = self.pen.rarely(2), self.pen.rarely(2)
        if goes:
            self.plain(supplies=supplies and self.pen.can("runs.results"))

    def tools(self) -> list[str]:
        """The tools that simply run."""
        return [name for name, tool in self.agent.tools.items() if not (tool.terminates or tool.approval)]

    def asking(self) -> Replies:
        """The replies that ask for tools, mostly one or a few, and too many for the agent's limit."""
        names, limit = self.tools(), self.agent.limit
        replies: Replies = []
        while names and len(replies) < 3 and (self.pen.mostly() if limit is not None or not replies else self.pen.rarely(2)):
            replies.append(ReplySpec(text="wait" if self.pen.rarely(4) else None, calls=calls(self.pen, names)))
        return replies

    def words(self) -> Replies:
        """The reply that ends a run in words; mostly the service's own, which are never the same."""
        scripted, empty, text = self.pen.rarely(4), self.pen.rarely(16), self.pen.pick(_WORDS)
        return [ReplySpec(text="" if empty else text)] if scripted or self.explicit else []

    def _say(self) -> tuple[str, ...]:
        said, again, empty = self.pen.say(), self.pen.rarely(2), self.pen.rarely(8)
        if "repeating" not in self.plots:
            return said
        return ("",) if empty else ("again",) if again else said

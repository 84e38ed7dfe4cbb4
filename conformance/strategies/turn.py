"""A turn that is being drawn: what a caller does on one thread, a run or a few steps that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.scenario import AgentSpec, ReplySpec, Run, Step
from conformance.strategies.common import calls
from conformance.strategies.conversation import OpenThread
from conformance.strategies.pen import Pen
from conformance.strategies.plots import Plot

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

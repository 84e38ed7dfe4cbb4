"""A conversation that is being drawn: agents, the threads that are open on them, and the steps so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.scenario import AgentSpec, CreateThread, ReplySpec, Run, Scenario, Step, Together
from conformance.strategies.common import Ending, loop
from conformance.strategies.pen import Pen

Kind = Literal["local", "hosted"]
Options = tuple[bool | None, Literal["own", "other"] | None]
"""`store` and `conversation_id` of a run."""

PLAIN: Options = (None, None)
MOST_RUNS = 6
MOST_THREADS = 3


@dataclass
class OpenThread:
    """A thread that exists at this point. has_id: it surely has a conversation id; turns: how many runs it had."""

    name: str
    agent: AgentSpec
    kind: Kind
    has_id: bool = False
    turns: int = 0

    def contradicted_by(self, options: Options) -> bool:
        """Whether the options of a run contradict the thread."""
        store, conversation_id = options
        return store not in (None, self.kind == "hosted") or conversation_id == "other"


class Conversation:
    """What was drawn so far; every step refers only to what exists before it."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self.agents: dict[str, AgentSpec] = {}
        self.threads: list[OpenThread] = []
        self.steps: list[Step] = []

    def add_agent(self, agent: AgentSpec) -> str:
        """Let an agent take part; its name."""
        name = "abcd"[len(self.agents)]
        self.agents[name] = agent
        return name

    def open_thread(self, agent: str, kind: Kind = "local") -> OpenThread:
        """Create a thread on an agent."""
        thread = OpenThread("tuvw"[len(self.threads)], self.agents[agent], kind)
        self.threads.append(thread)
        self.steps.append(CreateThread(thread=thread.name, agent=agent, kind=kind))
        return thread

    def some_thread(self) -> OpenThread:
        """A thread for the next run: one that is open, or a new one on some agent."""
        pen = self._pen
        new, place, agent, hosted = pen.rarely(4), pen.number(MOST_THREADS - 1), pen.pick(list(self.agents)), pen.number(2) > 0
        if self.threads and not (new and len(self.threads) < MOST_THREADS):
            return self.threads[place % len(self.threads)]
        return self.open_thread(agent, "hosted" if hosted and self._can_be_hosted(self.agents[agent]) else "local")

    def _can_be_hosted(self, agent: AgentSpec) -> bool:
        """Whether a hosted thread on this agent is nothing special: its service keeps conversations, and nobody else does."""
        keeps = agent.service.keeps != "nothing" and not agent.service.surprising
        return keeps and agent.history == "default" and self._pen.can("threads.hosted")

    def can_interleave(self) -> bool:
        """Whether runs on several threads may be in flight at once."""
        return len(self.threads) > 1 and self._pen.can("runs.interleaved")

    def run(
        self,
        thread: OpenThread,
        others: Sequence[Ending] = (),
        *,
        options: Options = PLAIN,
        without_id: bool = False,
    ) -> tuple[Run, Ending]:
        """Draw a run on a thread, and how its script ends, where it may end otherwise than with an answer. It is not a step yet."""
        replies, ending = loop(self._pen, thread.agent, others, without_id=without_id)
        store, conversation_id = options
        run = Run(
            thread=thread.name,
            say=self._pen.say(),
            stream=self._pen.stream(),
            store=store,
            conversation_id=conversation_id,
            replies=replies,
        )
        thread.turns += 1
        if thread.kind == "hosted" and ending != "fails" and not without_id and not thread.contradicted_by(options):
            thread.has_id = True
        return run, ending

    def together(self, threads: Sequence[OpenThread], others: Sequence[Ending] = ()) -> Together:
        """Draw runs on several threads that are in flight at once, and any order in which their service calls are answered."""
        runs = [self.run(thread, others)[0] for thread in threads]
        turns = [place for place, run in enumerate(runs) for _ in range(service_calls(run.replies))]
        return Together(runs=tuple(runs), order=tuple(self._pen.shuffled(turns)))

    def scenario(self) -> Scenario:
        """Everything that was drawn."""
        return Scenario(agents=self.agents, steps=tuple(self.steps))


def service_calls(replies: Sequence[ReplySpec]) -> int:
    """How many service calls a script leads to: one more where it does not end in a text or an error."""
    return len(replies) + (not replies or bool(replies[-1].calls))

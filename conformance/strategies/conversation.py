"""A conversation that is being drawn: agents, the threads that are open on them, and the steps so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.scenario.scenario import CreateThread, Run, Scenario, Step, Together
from conformance.scenario.specs import AgentSpec, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.scripts import Ending, loop
from conformance.vocabulary import ThreadKind

Options = tuple[bool | None, Literal["own", "other"] | None]
"""`store` and `conversation_id` of a run."""

PLAIN: Options = (None, None)
MOST_THREADS = 3
_NAMES = "tuvwxyz"


@dataclass
class OpenThread:
    """A thread that exists at this point. on: the name of its agent. has_id: it surely has a conversation id; turns: its runs."""

    name: str
    on: str
    agent: AgentSpec
    kind: ThreadKind
    has_id: bool = False
    turns: int = 0

    def contradicted_by(self, options: Options) -> bool:
        """Whether the options of a run contradict the thread; nothing contradicts one that has no kind yet."""
        store, conversation_id = options
        return self.kind != "adaptive" and (store not in (None, self.kind == "hosted") or conversation_id == "other")

    def had_run(self, options: Options, ending: Ending, *, without_id: bool = False) -> None:
        """Note what a run made of it, as far as that is the same under every policy."""
        self.turns += 1
        if ending in ("fails", "cancelled") or self.contradicted_by(options):
            return
        if self.kind == "adaptive":
            service, store = self.agent.service, options[0]
            asked = service.surprising or (service.stores_by_default if store is None else store)
            self.kind = "hosted" if asked and service.keeps != "nothing" and not without_id else "local"
        self.has_id = self.has_id or (self.kind == "hosted" and not without_id)


class Conversation:
    """What was drawn so far; every step refers only to what exists before it."""

    def __init__(self, pen: Pen) -> None:
        self.pen = pen
        self.agents: dict[str, AgentSpec] = {}
        self.threads: list[OpenThread] = []
        self.steps: list[Step] = []
        self._named = 0

    def add_agent(self, agent: AgentSpec) -> str:
        """Let an agent take part; its name."""
        name = "abcd"[len(self.agents)]
        self.agents[name] = agent
        return name

    def new_name(self) -> str:
        """The name of a new thread."""
        round, place = divmod(self._named, len(_NAMES))
        self._named += 1
        return _NAMES[place] + (str(round + 1) if round else "")

    def open_thread(self, agent: str, kind: ThreadKind = "local", *, with_id: bool = False) -> OpenThread:
        """Create a thread on an agent."""
        thread = OpenThread(self.new_name(), agent, self.agents[agent], kind, has_id=with_id)
        self.threads.append(thread)
        self.steps.append(CreateThread(thread=thread.name, agent=agent, kind=kind, with_id=with_id))
        return thread

    def can_be_hosted(self, agent: AgentSpec) -> bool:
        """Whether a hosted thread on this agent is nothing special: its service keeps conversations, and nobody else does."""
        keeps = agent.service.keeps != "nothing" and not agent.service.surprising
        return keeps and agent.history == "default" and self.pen.can("threads.hosted")

    def run(
        self,
        thread: OpenThread,
        others: Sequence[Ending] = (),
        *,
        options: Options = PLAIN,
        without_id: bool = False,
    ) -> tuple[Run, Ending]:
        """Draw a run on a thread, and how its script ends, where it may end otherwise than with an answer. It is not a step yet."""
        replies, ending = loop(self.pen, thread.agent, others, without_id=without_id)
        store, conversation_id = options
        run = Run(
            thread=thread.name,
            say=self.pen.say(),
            stream=self.pen.stream(),
            store=store,
            conversation_id=conversation_id,
            replies=replies,
        )
        thread.had_run(options, ending, without_id=without_id)
        return run, ending

    def together(self, threads: Sequence[OpenThread], others: Sequence[Ending] = ()) -> Together:
        """Draw runs on several threads that are in flight at once, and any order in which their service calls are answered."""
        runs = [self.run(thread, others)[0] for thread in threads]
        turns = [place for place, run in enumerate(runs) for _ in range(service_calls(run.replies))]
        return Together(runs=tuple(runs), order=tuple(self.pen.shuffled(turns)))

    def scenario(self) -> Scenario:
        """Everything that was drawn."""
        return Scenario(agents=self.agents, steps=tuple(self.steps))


def service_calls(replies: Sequence[ReplySpec]) -> int:
    """How many service calls a script leads to: one more where it does not end in a text, an error or the caller's cancelling."""
    return len(replies) + (not replies or bool(replies[-1].calls))

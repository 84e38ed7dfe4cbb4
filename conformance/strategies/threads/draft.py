"""A conversation of the threads area that is being drawn: with threads that become data, move to other agents and fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance.scenario.scenario import Damage, Restore, Run, Serialize
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.conversation import MOST_THREADS, PLAIN, Conversation, OpenThread, Options
from conformance.strategies.scripts import Ending, loop
from conformance.strategies.threads.features import Theme
from conformance.vocabulary import ThreadKind

Replies = tuple[ReplySpec, ...]

_OFTEN_LOCAL: frozenset[Theme] = frozenset({"options", "restoring", "sharing", "tampering", "interleaving", "reducing"})


class Talk(Conversation):
    """What was drawn so far. themes: of the scenario; speakers: the agents that have threads."""

    def __init__(self, pen: Pen, themes: frozenset[Theme]) -> None:
        super().__init__(pen)
        self.themes = themes
        self.speakers: list[str] = []

    def thread(self) -> OpenThread:
        """A thread for what comes next: one that is open, or a new one on some agent."""
        new, place = self.pen.rarely(4), self.pen.number(MOST_THREADS - 1)
        agent, kind = self._agent_and_kind()
        if self.threads and not (new and len(self.threads) < MOST_THREADS):
            return self.threads[place % len(self.threads)]
        return self.open_thread(agent, self.fitting(kind, agent))

    def new_thread(self) -> OpenThread:
        """A new thread on some agent."""
        agent, kind = self._agent_and_kind()
        return self.open_thread(agent, self.fitting(kind, agent))

    def _agent_and_kind(self) -> tuple[str, ThreadKind]:
        kinds: Sequence[ThreadKind] = ("local", "hosted", "hosted")
        if "adaptive" in self.themes:
            kinds = ("adaptive", "adaptive", "adaptive", "local")
        elif self.themes & _OFTEN_LOCAL:
            kinds = ("local", "hosted", "hosted", "local", "hosted")
        return self.pen.pick(self.speakers), self.pen.pick(kinds)

    def fitting(self, kind: ThreadKind, agent: str) -> ThreadKind:
        """This kind, where it is nothing special on the agent; else local."""
        spec = self.agents[agent]
        settles = spec.history == "default" or spec.service.keeps == "nothing"
        return kind if (settles if kind == "adaptive" else self.can_be_hosted(spec)) else "local"

    def say(
        self,
        thread: OpenThread,
        *,
        options: Options = PLAIN,
        without_id: bool = False,
        explicit: bool = False,
        answers: bool = False,
        agent: str | None = None,
    ) -> Run:
        """Draw a run on a thread. It is not a step yet.

        explicit: every reply stands in the script. answers: it comes to a good end. agent: not the thread's own.
        """
        spec = self.agents[agent or thread.on]
        bad_ends = self._bad_ends(spec)
        others = () if answers or options != PLAIN or without_id else bad_ends
        replies, ending = loop(self.pen, spec, others, explicit=explicit, without_id=without_id)
        replies, inner = self._asking(spec, replies, without_id=without_id)
        run = Run(
            thread=thread.name,
            agent=agent,
            say=self.pen.say(),
            stream=self.pen.stream(),
            store=options[0],
            conversation_id=options[1],
            replies=replies,
            inner=inner,
        )
        thread.had_run(options, ending, without_id=without_id)
        return run

    def _bad_ends(self, agent: AgentSpec) -> Sequence[Ending]:
        """How the next run may end beside an answer: half of the runs that may end so do."""
        often = self.pen.rarely(4) or bool(self.themes & {"failing", "providers"})
        if not often or agent.service.surprising:
            return ()
        return ("fails", "cancelled") if self.pen.can("runs.cancel") else ("fails",)

    def _asking(self, agent: AgentSpec, replies: Replies, *, without_id: bool) -> tuple[Replies, dict[str, Replies]]:
        """A run's replies where its agent first asks another one that it has as a tool, and what that one replies."""
        tools = {name: tool.agent for name, tool in agent.tools.items() if tool.agent is not None}
        if not tools or not self.pen.mostly():
            return replies, {}
        inner: dict[str, Replies] = {}
        for name, asked in tools.items():
            call = CallSpec(tool=name, arguments={"task": self.pen.text()})
            replies = (ReplySpec(calls=(call,), without_id=without_id), *replies)
            said = loop(self.pen, self.agents[asked], ("fails",) if self.pen.rarely(8) else (), explicit=True)[0]
            # texts of its own: what both say nobody could tell apart
            inner[asked] = tuple(msgspec.structs.replace(reply, text=reply.text and f"{asked}: {reply.text}") for reply in said)
        return replies, inner

    def run_on(self, thread: OpenThread, *, options: Options = PLAIN, without_id: bool = False, answers: bool = False) -> None:
        """Let a run on a thread be the next step."""
        self.steps.append(self.say(thread, options=options, without_id=without_id, answers=answers))

    def again(self, run: Run, thread: OpenThread, *, stream: bool | None = None) -> None:
        """Let a run with explicit replies on one thread be the next step on another one too."""
        last = run.replies[-1]
        ending: Ending = "cancelled" if last.cancelled else "fails" if last.error is not None else "answers"
        thread.had_run((run.store, run.conversation_id), ending, without_id=last.without_id)
        streams = run.stream if stream is None else stream
        self.steps.append(msgspec.structs.replace(run, thread=thread.name, stream=streams))

    def serialize(self, thread: OpenThread) -> OpenThread:
        """Turn a thread into data; the thread as the data has it."""
        self.steps.append(Serialize(thread=thread.name))
        return replace(thread)

    def restore(self, data: OpenThread, agent: str | None = None) -> OpenThread:
        """Make a thread from data, on its own agent or on another one. It is not among those that later steps choose from."""
        on = agent or data.on
        restored = replace(data, name=self.new_name(), on=on, agent=self.agents[on])
        self.steps.append(Restore(thread=restored.name, data=data.name, agent=agent))
        return restored

    def restore_damaged(self, data: OpenThread, damage: Damage) -> None:
        """Try to make a thread from malformed data."""
        self.steps.append(Restore(thread=self.new_name(), data=data.name, damage=damage))

"""Persistence, execution: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import pure, where
from conformance.mutants.persistence.ordinary_runs import AnyRuns
from conformance.mutants.shared_faults import of_a_plain_tool
from conformance.reference.agent import Agent
from conformance.reference.agent_tool import AgentTool, InnerAgent
from conformance.reference.approvals import Approvals
from conformance.reference.client import Emit
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.reference.tools import Tools
from conformance.trace.exchange import Response
from conformance.trace.messages import Call, Message, Result
from conformance.world.chat_service import Request, open_calls


@dataclass(frozen=True)
class _LocalRuns(AnyRuns):
    """All runs on local threads of an agent that nothing is compared with, and whose service names no conversation."""

    def include(self, setting: Setting, thread: Thread) -> bool:
        """Whether the run that is under way is one of them."""
        scenario = setting.world.scenario
        alone = len(scenario.agents) == 1 and not scenario.workflows and not setting.service.spec.surprising
        return super().include(setting, thread) and alone and thread.kind == "local"


class _LoopsOtherwise(Agent):
    """An agent with another loop in some runs."""

    loop: ClassVar[type[Loop]] = Loop

    @where(_LocalRuns(("M1",)))
    async def _work(
        self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
    ) -> Outcome:
        whole = self.parts
        self.parts = replace(whole, loop=self.loop)
        try:
            return await super()._work(thread, adds, new, emit, stream=stream, terms=terms)
        finally:
            self.parts = whole


class SafeSiblingsRunTwice(Mutant):
    """Of a reply whose calls wait for approvals, those that need none run at once, and once more when all are decided."""

    breaks = "PER-47/run again"
    imitates = "safe calls that are run while others wait, and of which nobody notes that they were"
    expected = frozenset({"PER-47"})

    class _Agent(_LoopsOtherwise):
        class loop(Loop):
            async def run(self, request: Request, emit: Emit) -> Outcome:
                """Run them, and keep nothing of it."""
                outcome = await super().run(request, emit)
                for call in outcome.waiting:
                    if not self._needs_approval(call):
                        await self._tools.call(call)
                return outcome

    agent_type = _Agent


class RaisingToolTriedAgain(Mutant):
    """A tool that raises is tried once more, and nothing says so."""

    breaks = "PER-47/run again"
    imitates = "https://github.com/MervinPraison/PraisonAI/issues/4256"
    expected = frozenset({"PER-47"})

    class _Tools(Tools):
        @where(of_a_plain_tool)
        async def call(self, call: Call) -> Result:
            """Try again."""
            result = await super().call(call)
            return await super().call(call) if result.error else result

    parts = Parts(tools=_Tools)


class OpenCallsRunInALaterRun(Mutant):
    """Calls without a result that a run finds in the history are executed first, as if it had asked for them."""

    breaks = "PER-47/in a later run"
    imitates = "a run that picks up where the last one was cut off"
    expected = frozenset({"PER-47"})

    class _Agent(Agent):
        async def _work(
            self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
        ) -> Outcome:
            history = await self.home.store(thread).load() if terms.local else ()
            lost = set(open_calls([*history, *new]))
            for call in [call for message in history for call in message.calls if call.id in lost]:
                await self.parts.tools(self.tools_of(thread)).call(call)
            return await super()._work(thread, adds, new, emit, stream=stream, terms=terms)

    agent_type = _Agent


class ArgumentsLost(Mutant):
    """Tools are run without the arguments of their calls."""

    breaks = "PER-47/never asked for"
    imitates = "https://github.com/NousResearch/hermes-agent/issues/105189"
    expected = frozenset({"PER-31", "PER-47", "PER-49"})

    class _Tools(Tools):
        @where(of_a_plain_tool)
        async def call(self, call: Call) -> Result:
            """Lose them."""
            return await super().call(msgspec.structs.replace(call, arguments={}))

    parts = Parts(tools=_Tools)


class NestedToolsRunUnasked(Mutant):
    """Inside an agent that is a tool, calls that need an approval run without."""

    breaks = "PER-47/not approved"
    imitates = "https://github.com/continuedev/continue/issues/13289"
    expected = frozenset({"PER-47"})

    class _Agent(Agent):
        def agent_tool(self, thread: Thread, name: str, agent: InnerAgent) -> AgentTool:
            """With an agent that asks nobody."""
            assert isinstance(agent, Agent)
            unasked = type(agent)(agent.setting, replace(agent.parts, approvals=_AsksNobody))
            return super().agent_tool(thread, name, unasked)

    agent_type = _Agent


class _AsksNobody(Approvals):
    """Approves of everything."""

    def needs_approval(self, call: Call) -> bool:
        """No."""
        return False


class EqualCallsRunOnce(Mutant):
    """Of several calls of one tool with equal arguments in a reply one is run, and its result given to all."""

    breaks = "PER-47/not run"
    imitates = "results that are cached by tool and arguments"
    expected = frozenset({"PER-46", "PER-47", "PER-48"})

    class _Loop(Loop):
        @where(lambda _, given: len(given["calls"]) > 1)
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Run each once."""
            first: dict[str, Call] = {}
            for call in calls:
                first.setdefault(_as_text(call), call)
            message, ended = await super().call_tools(list(first.values()))
            results = dict(zip(first, message.results, strict=True))
            return Message(
                role="tool",
                results=tuple(msgspec.structs.replace(results[_as_text(call)], id=call.id) for call in calls),
            ), ended

    parts = Parts(loop=_Loop)


def _as_text(call: Call) -> str:
    return f"{call.tool} {sorted(call.arguments.items())}"


class TerminatedAndAskedOnceMore(Mutant):
    """A tool that ends the loop is a tool like any other: its result is sent, and the model asked once more."""

    breaks = "PER-48/after a terminating tool"
    imitates = "https://github.com/microsoft/agent-framework/pull/2868"
    expected = frozenset({"PER-48"})

    class _Tools(Tools):
        @pure
        def ends(self, call: Call, result: Result) -> bool:
            """Only a handoff does."""
            return call.tool not in self.named

    parts = Parts(tools=_Tools)


class _AsksAgain(Loop):
    """Asks once more when it is done."""

    async def run(self, request: Request, emit: Emit) -> Outcome:
        """Send the answer, and take what comes for the rest of it."""
        outcome = await super().run(request, emit)
        if outcome.conversation_id is None and self.asks_again(outcome):
            sent = [*request.messages, *outcome.produced]
            reply = await self._client.complete(self.request(request, sent, outcome), emit)
            outcome.produced.append(reply.message)
        return outcome

    def asks_again(self, outcome: Outcome) -> bool:
        """Whether it does."""
        return not outcome.terminated and not outcome.waiting and not outcome.produced[0].calls


class AnswerIsWrittenAgain(Mutant):
    """A model that has answered without any tool is asked again, for its final answer."""

    breaks = "PER-48/after an answer"
    imitates = "https://github.com/jaseci-labs/jac/issues/6453"
    expected = frozenset({"PER-48"})

    class _Agent(_LoopsOtherwise):
        loop = _AsksAgain

    agent_type = _Agent


class LastRequestAllowsTools(Mutant):
    """The request after the last round of tools allows tools all the same, and what it asks for is thrown away."""

    breaks = "PER-48/tools allowed at the limit"
    imitates = "https://github.com/softwaremill/sttp-ai/pull/529"
    expected = frozenset({"PER-44", "PER-48"})

    class _Loop(Loop):
        @pure
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            """Forbid nothing."""
            return msgspec.structs.replace(super().request(first, sent, outcome), forbids_tools=False)

    parts = Parts(loop=_Loop)


class LimitIsSummedUpTwice(Mutant):
    """At its limit a loop asks for an answer without tools, and then for a summary of that."""

    breaks = "PER-48/beyond the limit"
    imitates = "https://github.com/agentscope-ai/QwenPaw/issues/7775"
    expected = frozenset({"PER-48"})

    class _Agent(_LoopsOtherwise):
        class loop(_AsksAgain):
            def asks_again(self, outcome: Outcome) -> bool:
                """Where the limit is reached."""
                return self.exhausted(outcome) and not outcome.terminated and not outcome.waiting

    agent_type = _Agent


class EndsAfterOneRoundOfTools(Mutant):
    """A run ends with the results of the first round of tools, and the model never sees them in it."""

    breaks = "PER-48/ends early"
    imitates = "https://github.com/pydantic/pydantic-ai/issues/2308"
    expected = frozenset({"PER-48"})

    class _Agent(_LoopsOtherwise):
        class loop(Loop):
            async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
                """End with the results."""
                results, _ = await super().call_tools(calls)
                return results, True

    agent_type = _Agent


class ToolsAreForbiddenAfterOneRound(Mutant):
    """Once tools have run, the model may not ask for any more."""

    breaks = "PER-48/tools forbidden early"
    imitates = "https://github.com/continuedev/continue/issues/13254"
    expected = frozenset({"PER-48"})

    class _Loop(Loop):
        @pure
        def exhausted(self, outcome: Outcome) -> bool:
            """After one round."""
            return any(each.calls for each in outcome.produced)

    parts = Parts(loop=_Loop)


class SiblingsOfATerminatingCallLost(Mutant):
    """The response of a terminated run holds the result of the tool that ended it, and none of those that ran beside it."""

    breaks = "PER-48/sibling without its result"
    imitates = "https://github.com/langchain-ai/langchain/pull/39258"
    expected = frozenset({"PER-48", "PER-52"})

    class _Agent(Agent):
        @pure
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Leave them out."""
            return super().response(thread, self.trimmed(outcome) if outcome.terminated else outcome)

        def trimmed(self, outcome: Outcome) -> Outcome:
            """The outcome with the results of tools that end the loop only, of its last reply."""
            tools, last = self.setting.spec.tools, outcome.produced[-1]
            ran = {call.id for call in outcome.produced[-2].calls if call.tool in tools and not tools[call.tool].terminates}
            left = msgspec.structs.replace(last, results=tuple(each for each in last.results if each.id not in ran))
            return replace(outcome, produced=[*outcome.produced[:-1], left])

    agent_type = _Agent


class SkippedSiblingsHaveResults(Mutant):
    """Calls after one that ends the loop are not run, and get the result that their tool would have given."""

    breaks = "PER-48/result of a sibling that did not run"
    imitates = "results that are filled in to keep a history well formed"
    expected = frozenset({"PER-46", "PER-48"})

    class _Loop(Loop):
        @where(lambda _, given: len(given["calls"]) > 1)
        async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
            """Run them until one ends the loop."""
            results: list[Result] = []
            ended = False
            for call in calls:
                if ended:
                    results.append(Result(id=call.id, value=self._tools.named[call.tool].spec.returns))
                    continue
                message, ended = await super().call_tools([call])
                results += message.results
            return Message(role="tool", results=tuple(results)), ended

    parts = Parts(loop=_Loop)

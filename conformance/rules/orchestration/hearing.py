"""What a participant hears in a request: the texts of the run, whatever role, name or frame they are given, and in whose mouth."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from conformance.rules.condition import selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.due import Turn, turns
from conformance.rules.orchestration.outputs import told
from conformance.rules.orchestration.workflow_run import WorkflowRun, workflow_run
from conformance.rules.run_view import CallView
from conformance.trace.harness_events import ServiceReplied
from conformance.trace.messages import Message


@dataclass(frozen=True)
class Hearing:
    """A request to a participant in a run of a workflow, and the turn that it belongs to."""

    each: WorkflowRun
    turn: Turn
    call: CallView

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the participant hears: what its service has, then what it is sent."""
        return (*self.call.request.held, *self.call.request.messages)

    @property
    def agent(self) -> str:
        """Who is asked."""
        return self.turn.agent


@selection
def hearing(execution: ExecutionView) -> Iterator[Hearing]:
    """A request to a participant in a run of a workflow."""
    for each in workflow_run(execution):
        for turn in turns(execution, each):
            yield from (Hearing(each, turn, view) for view in turn.calls)


def heard(execution: ExecutionView, it: Hearing) -> list[str]:
    """The texts of the run that are heard, in order: whole messages, and where a message is none, those that stand in it."""
    here = {text for text in told(execution, it.each.run) if text}
    whole = here | said_elsewhere(execution, it) | _added(execution, it)
    found: list[str] = []
    for message in it.messages:
        if message.text not in whole:
            found += _framed(message.text, here)
        elif message.text in here:
            found.append(message.text)
    return found


def _framed(text: str, known: Collection[str]) -> list[str]:
    """The known texts that stand in another one as whole words, the longer ones first where one is in the other."""
    words = "|".join(re.escape(each) for each in sorted(known, key=len, reverse=True))
    return re.findall(rf"(?<!\w)(?:{words})(?!\w)", text) if known else []


def said_elsewhere(execution: ExecutionView, it: Hearing) -> set[str]:
    """The texts of other runs of workflows: a participant may remember them, however often."""
    others = (run for run, _ in execution.workflow_runs() if run.number != it.each.run.number)
    return {text for run in others for text in told(execution, run)}


def _added(execution: ExecutionView, it: Hearing) -> set[str]:
    """What context providers add."""
    return {part[1] for part in execution.injected(execution.scenario.agents[it.agent])}


def in_its_own_mouth(execution: ExecutionView, it: Hearing) -> list[str]:
    """The texts and calls of others that stand in a request as if the participant had said them: with its name, or with none."""
    replies = [reply.message for _, reply in execution.of(ServiceReplied) if reply.agent == it.agent]
    others = set(told(execution, it.each.run)) | {call.id for _, _, call in it.each.run.asked_for}
    others -= {"", *it.each.spec.say, *_said(replies)}
    mine = [message for message in it.messages if message.role == "assistant" and message.author in (None, it.agent)]
    return [each for each in _said(mine) if each in others]


def _said(messages: Iterable[Message]) -> list[str]:
    """The texts of messages and the ids of their calls."""
    return [each for message in messages for each in (message.text, *(call.id for call in message.calls))]

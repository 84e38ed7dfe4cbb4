"""Rules on a workflow that is used again: after success, failure, a dropped request, or a stream that its consumer left."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import Spell, spells
from conformance.rules.orchestration.outputs import SIGNAL, final_events, foreign_at, heard_texts, told
from conformance.rules.orchestration.runs import cut_off, faulty, left_to_author, played, wrapped
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import show
from conformance.scenario.scenario import RunWorkflow, workflows_in
from conformance.trace.adapter_events import Chunk
from conformance.trace.messages import Part

_ABOUT_RUNS = re.compile(r"\brun|progress|abandon|busy|restart|state|cancel", re.I)


@rule("ORC-35", needs=["workflows", "workflows.as_agent"])
def participants_hear_one_thread(execution: ExecutionView) -> Iterator[Finding]:
    """A workflow as an agent isolates threads: participants never see messages of another thread, also without threads across runs.

    On one thread each earlier turn reaches a participant once. Leaves alone: whether it reaches anybody (ORC-28), and texts that
    are said again in the run itself.
    """
    runs = list(wrapped(execution))
    for place, (run, spec, _) in enumerate(runs):
        earlier = [(other, its) for other, its, _ in runs[:place] if its.workflow == spec.workflow]
        if not earlier or not run.calls:
            continue
        own = [other for other, its in earlier if spec.thread is not None and its.thread == spec.thread]
        turns = Counter(text for other in own for text in told(execution, other).elements())
        now = told(execution, run)
        foreign = {text for other, _ in earlier if other not in own for text in told(execution, other)} - set(turns) - set(now)
        wrong: list[tuple[CallView, str]] = []
        for view in run.calls:
            heard = heard_texts(execution, [*view.request.held, *view.request.messages])
            wrong += [(view, f"{text!r} of another thread") for text in heard if text in foreign]
            wrong += [
                (view, f"{text!r} {heard[text]} times") for text in heard if text not in now and heard[text] > turns[text] > 0
            ]
        yield finding(
            not wrong,
            wrong[0][0].at if wrong else run.calls[0].at,
            expected="a request with each turn of its own thread once, and none of another",
            got="; ".join(f"{view.request.agent} hears {what}" for view, what in wrong[:4]),
            also=[earlier[-1][0].at],
        )


@rule("ORC-36", needs=["workflows.handoff"])
def who_takes_over_knows_the_conversation(execution: ExecutionView) -> Iterator[Finding]:
    """Handoff: the agent that takes over gets the conversation and never an empty input.

    An agent that gets control back sees its own handoff call with exactly one result. The conversation: the run's input and what
    the others said before. Leaves alone: their calls, and handoffs inside of other workflows.
    """
    for run, spec, workflow in played(execution):
        if workflow.pattern != "handoff":
            continue
        spoken = spells(execution, run)
        for place, spell in enumerate(spoken[1:], 1):
            view = _first_call(run, spell, spoken[:place])
            if view is None:
                continue
            heard = execution.heard([*view.request.held, *view.request.messages])
            words = heard_texts(execution, [*view.request.held, *view.request.messages])
            before = [part[1] for other in spoken[:place] for part in other.said if part[0] == "assistant" and part[1]]
            missing = [text for text in dict.fromkeys((*spec.say, *before)) if text not in words]
            handed = [other.handoff for other in spoken[:place] if other.agent == spell.agent and other.handoff]
            wrong = [id for id in handed if not _once(heard, id)]
            empty = not view.request.messages
            yield finding(
                not missing and not wrong and not empty,
                view.at,
                expected=f"the conversation, with each of its own {len(handed)} handoffs and one result",
                got=f"a request without {', '.join(missing) or 'nothing'}: {show(heard)}",
            )


@rule("ORC-37", needs=["workflows"])
def participants_are_sent_new_messages_or_all(execution: ExecutionView) -> Iterator[Finding]:
    """A participant on a storing service is sent new messages plus its id, or everything without an id; never both.

    Everything: what the participant itself was sent and said before in the run. Leaves alone: what the first request of a
    participant in a run holds, where it names no id, participants of children, what a reset of Magentic forgets, and the task,
    which its manager may set again.
    """
    for run, spec, workflow in played(execution):
        for agent in dict.fromkeys(view.request.agent for view in run.calls):
            if execution.scenario.agents[agent].service.keeps == "nothing":
                continue
            views = [view for view in run.calls if view.request.agent == agent]
            for place, view in enumerate(views):
                request = view.request
                sent = Counter(execution.heard(request.messages))
                if request.conversation_id is not None:
                    held = Counter(part for part in execution.heard(request.held) if not _set_again(execution, spec, part))
                    twice = [
                        part for part in sent if part in held and sent[part] + held[part] > _occurrences(execution, run, spec, part)
                    ]
                    yield finding(
                        not twice,
                        view.at,
                        expected="new messages beside the conversation id",
                        got=f"also what the service has: {show(twice)}",
                    )
                elif place and agent in workflow.participants and workflow.max_stalls is None:
                    before = Counter(execution.heard([*views[place - 1].request.messages, *views[place - 1].request.held]))
                    lost = [part for part in before if part not in sent and part[0] != "system" and part != ("assistant", "")]
                    yield finding(
                        not lost,
                        view.at,
                        expected="everything, as no conversation id is named",
                        got=f"a request without {show(lost)}",
                        also=[views[place - 1].at],
                    )


@rule("ORC-38", needs=["workflows", "runs.streaming"], policies=SIGNAL)
def an_abandoned_workflow_can_be_used_again(execution: ExecutionView) -> Iterator[Finding]:
    """A consumer that abandons a workflow's stream can use the workflow again, or is told clearly that it cannot.

    Told: an error that speaks of runs or of the workflow's state. Leaves alone: runs that fail by their own script, and how many
    completions there are (ORC-01).
    """
    runs = list(played(execution))
    for place, (run, spec, _) in enumerate(runs):
        earlier = [other for other, its, _ in runs[:place] if its.workflow == spec.workflow]
        if (
            not any(other.ending == "abandoned" for other in earlier)
            or faulty(execution, run)
            or left_to_author(execution.scenario, spec.workflow)
        ):
            continue
        if cut_off(run):
            continue
        found = final_events(run, spec)
        leaked = foreign_at(execution, run, earlier, found)
        refused = run.raised is not None and bool(_ABOUT_RUNS.search(run.raised[1].text)) and not found
        shown = bool(found) or bool(run.of(Chunk))
        done = run.ending == "waiting" or (run.succeeded and shown and not leaked)
        yield finding(
            done or refused,
            leaked[0] if leaked else run.raised[0] if run.raised else run.events[-1][0],
            expected="a run with a completion of its own, or an error that tells of the earlier one",
            got=f"{len(run.calls)} service calls, {len(found)} completions, {len(leaked)} with texts of the abandoned run",
            also=[earlier[-1].events[-1][0]],
        )


def _first_call(run: RunView, spell: Spell, before: list[Spell]) -> CallView | None:
    """The first request of a participant after the others spoke."""
    since = max(other.at for other in before)
    return next((view for view in run.calls if view.request.agent == spell.agent and view.at > since), None)


def _once(heard: list[Part], id: str) -> bool:
    """Whether a call and its result stand there once each."""
    calls = [part for part in heard if part[0] == "call" and part[1] == id]
    results = [part for part in heard if part[0] == "result" and part[1] == id]
    return len(calls) == 1 and len(results) == 1


def _occurrences(execution: ExecutionView, run: RunView, spec: RunWorkflow, part: Part) -> int:
    """How often a part occurred in the conversation of a run and of those before it on the same workflow."""
    runs = [other for other, its, _ in played(execution) if its.workflow == spec.workflow and other.at <= run.at]
    if part[0] in ("user", "assistant"):
        return sum(told(execution, other)[part[1]] for other in runs)
    return 1


def _set_again(execution: ExecutionView, spec: RunWorkflow, part: Part) -> bool:
    """Whether a part is the task of a Magentic run."""
    magentic = any(
        execution.scenario.workflows[name].pattern == "magentic" for name in workflows_in(execution.scenario, spec.workflow)
    )
    return magentic and part[1] in spec.say

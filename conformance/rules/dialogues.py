"""Rules on workflows as agents over several runs: requests that are answered, and threads that keep the conversation."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.rules.answers import answer_of, answering, conversation, response_of, spells
from conformance.rules.case import Case
from conformance.rules.outputs import returned
from conformance.rules.plays import approvals, as_answered, cut_off, faulty, left_to_author, limited, unasked, waited, wrapped
from conformance.rules.requests import outcome, show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.texts import heard_texts, texts, told
from conformance.scenario import RunWorkflow, WorkflowSpec
from conformance.trace import RequestPending

_AS_AGENT = ("workflows", "workflows.as_agent")


@rule("ORC-27", needs=[*_AS_AGENT, "workflows.requests"])
def as_an_agent_a_request_can_be_answered(case: Case) -> Iterator[Finding]:
    """A pending request inside a workflow as an agent surfaces in the agent's response, and answering it resumes the same run.

    When all are answered the calls that were approved are done, no others, and the run ends with its answer. Leaves alone: the rest
    of the response (ORC-23 ff.).
    """
    for run, spec, _ in wrapped(case):
        asked, silent = approvals(run), unasked(run, spec.workflow)
        if cut_off(run) or faulty(run):
            continue
        if silent or (run.raised and waited(run)):
            yield finding(
                False,
                run.events[-1][0],
                expected=f"a request of {', '.join(silent)}" if silent else "a run that goes on when its request is answered",
                got="an end of the run without it" if silent else outcome(run),
            )
        if not asked or run.raised:
            continue
        tools = {call.tool for _, _, call in asked}
        surfaced = [event.tool for _, event in run.of(RequestPending)]
        yield finding(
            tools <= set(surfaced),
            run.of(RequestPending)[0][0] if surfaced else run.events[-1][0],
            expected=f"requests for {', '.join(sorted(tools))} in the response",
            got=f"requests for {', '.join(map(str, surfaced)) or 'nothing'}",
            also=[asked[0][0]],
        )
        if run.succeeded and surfaced and not left_to_author(case, spec.workflow) and not limited(case, spec):
            last = [part for part in response_of(run, spec.workflow) if part[0] == "assistant"][-1:]
            got = returned(run)
            yield as_answered(run)
            yield finding(
                all(part in got for part in last),
                run.events[-1][0],
                expected=f"the answer, after the last request was answered: {show(last)}",
                got=show(got),
                also=[run.of(RequestPending)[0][0]],
            )


@rule("ORC-28", needs=[*_AS_AGENT, "workflows.threads"])
def a_thread_keeps_the_conversation_of_a_workflow(case: Case) -> Iterator[Finding]:
    """A thread given to a workflow as an agent keeps the conversation over two runs, without intermediate messages as answers.

    Kept: whoever is asked first in a later run hears the inputs and answers of the earlier ones, and of a sequence without
    intermediate outputs nothing that others said on the way. Leaves alone: how often (ORC-35), what is missing from the answer
    (ORC-23), and earlier runs that did not come to their own end.
    """
    runs = list(wrapped(case))
    for place, (run, spec, workflow) in enumerate(runs):
        earlier = [(other, its) for other, its, _ in runs[:place] if _same_thread(spec, its)]
        sound = [(other, its) for other, its in earlier if other.succeeded and not faulty(other) and not limited(case, its)]
        if (
            not earlier
            or not run.calls
            or left_to_author(case, spec.workflow)
            or any(other.ending == "unknown" for other, _ in earlier)
        ):
            continue
        request = run.calls[0].request
        heard = heard_texts(case, [*request.held, *request.messages])
        kept = [
            text for other, its in sound for text in (*its.say, *(texts(response_of(other, its.workflow)) & texts(returned(other))))
        ]
        missing = [text for text in dict.fromkeys(kept) if text not in heard]
        work = [text for other, _ in sound for text in _work_before(other, workflow, request.agent)]
        exposed = [text for text in dict.fromkeys(work) if text in heard and text not in (*kept, *spec.say)]
        if sound:
            yield finding(
                not missing and not exposed,
                run.calls[0].at,
                expected=f"the conversation so far, and no work on it: {', '.join(dict.fromkeys(kept))}",
                got=f"a request without {', '.join(missing) or 'nothing'}, and with {', '.join(exposed) or 'nothing else'}",
                also=[sound[-1][0].events[-1][0]],
            )
        plain = not workflow.intermediate_outputs and workflow.pattern != "handoff" and not waited(run)
        if plain and run.succeeded and not faulty(run) and not limited(case, spec):
            wanted = texts(answer_of(run, workflow))
            others = {text for other, _ in [*earlier, (run, spec)] for text in told(other) if text not in wanted}
            more = sorted(others & set(texts(returned(run))))
            yield finding(
                not more,
                run.events[-1][0],
                expected=f"no more than the answer of this run: {show(answer_of(run, workflow))}",
                got=f"also {', '.join(more)}",
            )


def _work_before(run: RunView, workflow: WorkflowSpec, agent: str) -> list[str]:
    """What participants of a sequence said on the way to its answer; somebody may remember its own words."""
    if workflow.pattern != "sequential" or workflow.intermediate_outputs:
        return []
    others = [spell for spell in spells(run) if spell.agent not in (agent, *answering(workflow))]
    return [*texts(conversation(others))] if all(name in run.case.scenario.agents for name in answering(workflow)) else []


def _same_thread(spec: RunWorkflow, other: RunWorkflow) -> bool:
    return spec.thread is not None and (spec.thread, spec.workflow) == (other.thread, other.workflow)

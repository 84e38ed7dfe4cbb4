"""Names within a scenario: whether they stand for something, in replies and elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.scenario import AgentSpec, ReplySpec, Run, RunWorkflow
from conformance.vocabulary import nearest


def known(name: str, legal: Iterable[str], what: str, path: str) -> Iterator[str]:
    """What is wrong with a name, where it is none of the legal ones; the nearest of them is named."""
    words = sorted(set(legal))
    if name not in words:
        hint = nearest(name, words) if words else "; there is none"
        yield f"{path}: got {name!r}, expected {what}{hint}"


def in_replies(agent: AgentSpec, replies: Iterable[ReplySpec], targets: Iterable[str], path: str) -> Iterator[str]:
    """What is wrong with scripted replies: tools and arguments of their calls, and whom they hand off to."""
    for place, reply in enumerate(replies):
        for number, call in enumerate(reply.calls):
            here = f"{path}[{place}].calls[{number}]"
            yield from known(call.tool, agent.tools, "a tool of the agent", f"{here}.tool")
            if call.tool in agent.tools and agent.tools[call.tool].agent is not None and set(call.arguments) != {"task"}:
                yield f"{here}.arguments: got {sorted(call.arguments)}, expected 'task' alone: the tool {call.tool!r} is an agent"
        if reply.handoff is not None:
            yield from known(reply.handoff, targets, "another participant of a handoff", f"{path}[{place}].handoff")


def in_leaving(run: Run | RunWorkflow, path: str) -> Iterator[str]:
    """What is wrong with where a consumer leaves a stream."""
    if run.abandons is not None and run.abandons < 1:
        yield f"{path}.abandons: got {run.abandons}, expected at least 1: a consumer leaves after a chunk"
    if run.abandons is not None and not run.stream:
        yield f"{path}.abandons: only a stream can be left; expected 'stream': true"

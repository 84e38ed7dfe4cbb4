"""Texts, by which rules recognize who said what, whatever role or form it is told in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.cast import agents_in
from conformance.rules.answers import spells, staged
from conformance.rules.case import Case
from conformance.rules.plays import MANAGED, inside
from conformance.rules.run import RunView
from conformance.scenario import RunWorkflow
from conformance.trace import Message, Part, parts


def texts(said: Iterable[Part]) -> Counter[str]:
    """The texts among parts, whatever role they are told in: what one participant said, another may hear as a user's."""
    return Counter(part[1] for part in said if part[0] in ("user", "assistant") and part[1])


def heard_texts(case: Case, messages: Iterable[Message]) -> Counter[str]:
    """The texts of messages."""
    return texts(case.heard(list(messages)))


def told(run: RunView) -> Counter[str]:
    """Every text of a run: its input and what everybody in it said, the manager and executors too."""
    assert isinstance(run.spec, RunWorkflow)
    found = Counter(run.spec.say) + texts(part for spell in spells(run) for part in spell.said)
    for workflow in inside(run.case, run.spec.workflow):
        made = [run.spec.manager.answer if workflow.pattern in MANAGED else None, workflow.aggregates]
        for executor in staged(workflow).values():
            made += [*executor.emits, executor.completes, executor.again]
        found.update(text for text in made if text)
    return found


def said_inside(run: RunView, workflow: str) -> Counter[str]:
    """The texts of all participants of a workflow, also those of workflows in it."""
    members = agents_in(run.case.scenario, workflow)
    return texts(part for spell in spells(run) if spell.agent in members for part in spell.said)


def misattributed(run: RunView, messages: Sequence[Message]) -> list[str]:
    """The participants that sign messages which they did not say, but another one, the manager or an executor did."""
    assert isinstance(run.spec, RunWorkflow)
    owners: dict[Part, set[str]] = {("assistant", text): set() for text in told(run)}
    for spell in spells(run):
        for part in spell.said:
            owners.setdefault(part, set()).add(spell.agent)
    members = agents_in(run.case.scenario, run.spec.workflow)
    return [
        message.author
        for message in messages
        for part in parts([message])
        if part[0] in ("assistant", "call") and message.author in members and message.author not in owners.get(part, members)
    ]

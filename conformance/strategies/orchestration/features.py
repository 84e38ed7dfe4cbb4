"""What a scenario of the orchestration area is about: what is special about its workflows, and what happens in their runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

from conformance.strategies.choices import Pen
from conformance.strategies.scripts import services
from conformance.vocabulary import PATTERN_CAPABILITIES, Capability, Pattern

Topic = Literal[
    "plain",
    # what is special about the workflows
    "nesting",  # a workflow in another one, or two
    "limiting",  # a bound on rounds, or on stalls and resets
    "authoring",  # author-written workflows
    "aggregating",  # a concurrent workflow with an aggregator of the author's
    "returning",  # handoffs in which control comes back
    # what happens in the runs
    "asking",  # participants or executors wait for someone's answer
    "failing",  # a participant, an executor or the manager fails
    "storing",  # participants on storing services
    "edges",  # one participant, several messages, empty texts, tools on the way
]
ALL: frozenset[Topic] = frozenset(get_args(Topic))
CALM: frozenset[Topic] = ALL - {"asking", "failing"}

_FORMS: Mapping[Topic, int] = {"plain": 7, "nesting": 7, "limiting": 6, "authoring": 9, "aggregating": 1, "returning": 3}
_FORMS_UNDER: Mapping[Topic, Mapping[Topic, int]] = {
    "asking": {"plain": 6, "nesting": 8, "limiting": 1, "authoring": 2, "aggregating": 1, "returning": 2},
    "failing": {"plain": 8, "nesting": 1, "authoring": 1},
}
"""The same where something particular happens."""

_EVENTS: Mapping[Topic, int] = {"plain": 5, "asking": 5, "failing": 6, "storing": 3, "edges": 3}
_NEEDS: Mapping[Topic, tuple[Capability, ...]] = {
    "nesting": ("workflows.nested",),
    "aggregating": ("workflows.aggregator",),
    "asking": ("workflows.requests",),
}
_PATTERNS: Mapping[Topic, Sequence[Pattern]] = {
    "plain": ("sequential", "concurrent", "handoff", *("group_chat", "magentic", "group_chat", "magentic"), "custom", "sequential"),
    "nesting": ("sequential", "concurrent", "custom"),
    "limiting": ("group_chat", "magentic"),
    "authoring": ("custom",),
    "aggregating": ("concurrent",),
    "returning": ("handoff",),
}
_WHERE_FAILING: tuple[Pattern, ...] = ("concurrent",) * 16
"""Where a failure may lead to several things: that comes more often than other patterns then."""


def topics(pen: Pen, among: Collection[Topic] = ALL) -> frozenset[Topic]:
    """One that is special about the workflows, and one thing that happens; either may be nothing."""
    event = _one_of(pen, _EVENTS, among)
    return frozenset((event, _one_of(pen, _FORMS_UNDER.get(event, _FORMS), among)))


def patterns(pen: Pen, topics: frozenset[Topic] = frozenset()) -> list[Pattern]:
    """The patterns that a workflow may have where a scenario is about this, some of them more than once."""
    forms: list[Topic] = [topic for topic in topics if topic in _FORMS and topic != "plain"]
    form = forms[0] if forms else "plain"
    wanted: list[Pattern] = [*_PATTERNS[form], *(_WHERE_FAILING if form == "plain" and "failing" in topics else ())]
    return [pattern for pattern in wanted if _possible(pen, pattern, limited=form == "limiting")]


def _one_of(pen: Pen, weights: Mapping[Topic, int], among: Collection[Topic]) -> Topic:
    return pen.pick([topic for topic, weight in weights.items() for _ in range(weight) if topic in among and _can(pen, topic)])


def _can(pen: Pen, topic: Topic) -> bool:
    formed = topic not in _FORMS or bool(patterns(pen, frozenset((topic,))))
    return topic == "plain" or (pen.can(*_NEEDS.get(topic, ())) and formed)


def _possible(pen: Pen, pattern: Pattern, *, limited: bool) -> bool:
    bounded = pen.can("workflows.limits") or (pattern == "magentic" and pen.can("workflows.resets"))
    staffed = pattern == "custom" or bool(services(pen))
    return pen.can("workflows", PATTERN_CAPABILITIES[pattern]) and staffed and (bounded or not limited)

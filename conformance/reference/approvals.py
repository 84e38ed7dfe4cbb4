"""Approvals: calls that wait for a person's decision."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.reference.errors import Invalid
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, Pending
from conformance.trace.messages import Call


class Approvals:
    """Asks, and notes decisions on the thread."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def needs_approval(self, call: Call) -> bool:
        """Whether a person must decide before the call is run."""
        return call.tool in self.setting.spec.tools and self.setting.spec.tools[call.tool].approval

    def asked(self, thread: Thread) -> list[Call]:
        """The calls on which somebody must decide."""
        return [call for call in thread.waiting if self.needs_approval(call)]

    def pending(self, thread: Thread) -> tuple[Pending, ...]:
        """What the caller of a run that waits is told."""
        return tuple(Pending(id=call.id, tool=call.tool, call=call.id) for call in self.asked(thread))

    def decide(self, thread: Thread, answers: Sequence[Answer]) -> bool:
        """Note answers; whether every waiting call is decided now. Raises Invalid for an answer that nothing waits for."""
        ids = {call.id for call in self.asked(thread)}
        for answer in answers:
            if answer.id not in ids:
                raise Invalid(f"nothing waits for an answer to {answer.id!r}")
            thread.decisions[answer.id] = answer.approve
        return ids <= thread.decisions.keys()

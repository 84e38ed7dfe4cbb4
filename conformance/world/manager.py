"""The manager of a group chat or of Magentic: it picks who speaks next and gives the answer, as the run's script says."""

from __future__ import annotations

from conformance.world.event_log import EventLog

STRANGER = "stranger"
"""Whom a manager names that errs."""


class Manager:
    """The scripted manager; an adapter wraps it into whatever its framework asks for decisions."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def pick(self) -> str | None:
        """The participant that speaks next; None when the conversation is over. A manager that errs names somebody unknown."""
        script = self._log.script
        script.picked += 1
        if script.picks:
            return script.picks.popleft()
        return STRANGER if script.manager.errs else None

    @property
    def stalled(self) -> bool:
        """Whether the manager of a Magentic workflow saw no progress when it picked last."""
        script = self._log.script
        return script.picked - 1 in script.manager.stalls

    def answer(self) -> str:
        """The summary, completion message or synthesized answer."""
        return self._log.script.manager.answer

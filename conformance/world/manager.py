"""The manager of a group chat or of Magentic: it picks who speaks next and gives the answer, as the run's script says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.world import World


STRANGER = "stranger"
"""Whom a manager names that errs."""


class Manager:
    """The scripted manager; an adapter wraps it into whatever its framework asks for decisions."""

    def __init__(self, world: World) -> None:
        self._world = world

    def pick(self) -> str | None:
        """The participant that speaks next; None when the conversation is over. A manager that errs names somebody unknown."""
        script = self._world.script
        script.picked += 1
        if script.picks:
            return script.picks.popleft()
        return STRANGER if script.manager.errs else None

    @property
    def stalled(self) -> bool:
        """Whether the manager of a Magentic workflow saw no progress when it picked last."""
        script = self._world.script
        return script.picked - 1 in script.manager.stalls

    def answer(self) -> str:
        """The summary, completion message or synthesized answer."""
        return self._world.script.manager.answer

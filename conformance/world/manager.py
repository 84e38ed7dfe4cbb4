"""The manager of a group chat or of Magentic: it picks who speaks next and gives the answer, as the run's script says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.world import World


class Manager:
    """The scripted manager; an adapter wraps it into whatever its framework asks for decisions."""

    def __init__(self, world: World) -> None:
        self._world = world

    def pick(self) -> str | None:
        """The participant that speaks next; None when the conversation is over."""
        picks = self._world.script.picks
        return picks.popleft() if picks else None

    def answer(self) -> str:
        """The summary, completion message or synthesized answer."""
        return self._world.script.manager.answer

"""Turns for which an agent was rebuilt with the other setting of `per_service_call`."""

from __future__ import annotations

from conformance.strategies.turn import Turn


def switched(turn: Turn) -> None:
    """One run with the other setting; then, mostly, one with the agent's own again."""
    goes = turn.pen.mostly()
    turn.begun()
    possible = not turn.agent.client_as_is and turn.pen.can("history.per_run", "history.per_service_call")
    turn.plain(per_service_call=not turn.agent.per_service_call if possible else None)
    if goes:
        turn.plain()

"""Options of a run, fitting or contradicting its thread."""

from __future__ import annotations

from conformance.strategies.conversation import PLAIN, OpenThread, Options
from conformance.strategies.pen import Pen

_OWN: Options = (None, "own")
_OTHER: Options = (None, "other")


def options(pen: Pen, thread: OpenThread) -> list[Options]:
    """Options that a run may have, the simplest first: none, then some of one sort that fit the thread, or contradict it.

    None on services that keep nothing, or too much: what would be right there is another matter.
    """
    service, by_id = thread.agent.service, pen.rarely(2)
    if service.keeps == "nothing" or service.surprising:
        return [PLAIN]
    hosted = thread.kind == "hosted"
    stores: list[Options] = [(not hosted, None), (hosted, None), (not hosted, None)] if pen.can("runs.store") else []
    ids: list[Options] = []
    if pen.can("runs.conversation_id") and (thread.has_id if hosted else thread.kind == "local"):
        ids = [_OTHER, _OWN] if hosted else [_OTHER, _OTHER]
    return [PLAIN, *(ids if ids and (by_id or not stores) else stores)]

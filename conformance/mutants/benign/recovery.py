"""Benign variants that repair otherwise what an interrupted run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from conformance.mutants.benign.variant import Benign
from conformance.mutants.threads.beginning_anew import AnewHome
from conformance.reference.agent import Agent
from conformance.reference.client import Client, PersistingClient
from conformance.reference.errors import Invalid
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message, Result

Known = Mapping[str, Result]
"""The results that are known, by the ids of their calls."""


class BeginsAnew(Benign):
    """Where the service has forgotten a conversation that it knows whole, it begins a new one with all of it, and says so."""

    parts = Parts(home=AnewHome)


class LeavesOpenCallsOut(Benign):
    """A call that a run left open is left out of what later runs send, where that is more than its result."""

    class _Agent(Agent):
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Without the calls."""
            return _without_interrupted(super().request_messages(history, adds, new))

    class _Decorator(PersistingClient):
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Without the calls."""
            return _without_interrupted(super().request_messages(history, new))

    agent_type = _Agent
    parts = Parts(decorator=_Decorator)


class TellsWhatIsKnown(Benign):
    """A call that a run left open is sent with the result that its tool had, where this was not sent."""

    class _Agent(Agent):
        async def _came_to(self, thread: Thread, store: Store, stored: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            known = _known(self.home)
            known |= {result.id: result for message in outcome.produced for result in message.results}
            await super()._came_to(thread, store, stored, outcome, local=local)

        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """With what is known."""
            return _told(super().settling(thread, terms, new), _known(self.home))

    class _Decorator(PersistingClient):
        known: Known = {}

        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """With what is known."""
            return tuple(_told(super().request_messages(history, new), self.known))

    class _Home(HistoryHome):
        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Tell the decorator what is known."""
            client = super().client(thread, store, adds, adopted, local=local)
            if isinstance(client, TellsWhatIsKnown._Decorator):
                client.known = dict(_known(self))
            return client

    agent_type = _Agent
    parts = Parts(decorator=_Decorator, home=_Home)


class RefusesNewInput(Benign):
    """While calls of a conversation are open, only their results are taken, and no other input."""

    class _Agent(Agent):
        async def _came_to(self, thread: Thread, store: Store, stored: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            thread.left_open("local", outcome.latest_calls if self.setting.decorates and local else ())
            await super()._came_to(thread, store, stored, outcome, local=local)

    class _Options(Options):
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Name the calls."""
            terms = super().terms(thread, turn)
            supplied = {result.id for message in turn.messages for result in message.results}
            left = thread.open.get("local" if terms.local else terms.conversation_id or "", ())
            lacking = [id for id in left if id not in supplied]
            if lacking and turn.messages:
                raise Invalid(f"no result was sent for {', '.join(lacking)}: supply it first")
            return terms

    agent_type = _Agent
    parts = Parts(options=_Options)


def _known(home: HistoryHome) -> dict[str, Result]:
    """The results that an agent knows, by call id, whatever became of them."""
    return vars(home).setdefault("known", {})


def _without_interrupted(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Messages without results that were made up, and their calls; where there are results alone, these stay."""
    found: list[Message] = []
    for message in messages:
        stays: list[Result] = []
        for result in message.results:
            asking = [place for place, each in enumerate(found) if any(call.id == result.id for call in each.calls)]
            if _made_up(result) and asking:
                left = tuple(call for call in found[asking[-1]].calls if call.id != result.id)
                found[asking[-1]] = msgspec.structs.replace(found[asking[-1]], calls=left)
            else:
                stays.append(result)
        found.append(msgspec.structs.replace(message, results=tuple(stays)))
    nothing = [place for place, (now, before) in enumerate(zip(found, messages, strict=True)) if now != before and not _holds(now)]
    return tuple(message for place, message in enumerate(found) if place not in nothing)


def _holds(message: Message) -> bool:
    return bool(message.text or message.calls or message.results)


def _told(messages: Sequence[Message], known: Known) -> list[Message]:
    """Messages with what is known in place of what was made up."""
    return [
        msgspec.structs.replace(each, results=tuple(known.get(one.id, one) if _made_up(one) else one for one in each.results))
        for each in messages
    ]


def _made_up(result: Result) -> bool:
    return result.error and result.value == "interrupted"

"""Persistence, refusals: faults that the rule of this section is the first to name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import Condition
from conformance.reference.client import SENTINEL, Client, Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.parts import Parts
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request

Alter = Callable[[Request], Request]


class _Altering:
    """A client that sends another request than it is given."""

    def __init__(self, inner: Client, alter: Alter) -> None:
        self._inner = inner
        self._alter = alter

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send the other one."""
        return await self._inner.complete(self._alter(request), emit)


class _AlteringHome(HistoryHome):
    """A home below whose stack requests are altered, in some runs."""

    alter: ClassVar[Alter]
    runs: ClassVar[Condition]

    @classmethod
    def differs(cls) -> Mapping[str, Condition | None]:
        """In these runs."""
        return {"leaf": cls.runs}

    def leaf(self, thread: Thread, *, local: bool) -> Client:
        """Alter what it is sent."""
        leaf = super().leaf(thread, local=local)
        runs, alter = type(self).runs, type(self).alter
        return _Altering(leaf, alter) if runs(self, {"thread": thread, "local": local}) else leaf


def _altering(alter: Alter, runs: Condition) -> Parts:
    """The parts of an agent whose requests are altered in these runs."""
    members = {"alter": staticmethod(alter), "runs": staticmethod(runs)}
    return Parts(home=type("AlteringHome", (_AlteringHome,), members))


def _inner(_: Any, given: Mapping[str, Any]) -> bool:
    """Whether the run is of an agent that another one has as a tool."""
    return given["thread"].key.startswith("a call of ")


def _inner_before_a_strict_service(home: Any, given: Mapping[str, Any]) -> bool:
    return _inner(home, given) and home.setting.service.spec.strict


def _named_its_own_id(home: Any, _: Mapping[str, Any]) -> bool:
    """Whether the run has its thread's own id as an option, before a strict service."""
    runs, number = list(home.setting.world.scenario.runs()), home.setting.world.script.number
    return home.setting.service.spec.strict and number < len(runs) and runs[number].conversation_id == "own"


def _said_otherwise(request: Request, otherwise: Callable[[Message], Iterator[Message]]) -> Request:
    said = tuple(each for message in request.messages for each in otherwise(message))
    return msgspec.structs.replace(request, messages=said)


def _without_failures(message: Message) -> Iterator[Message]:
    left = tuple(result for result in message.results if not result.error)
    if left or not message.results:
        yield msgspec.structs.replace(message, results=left)


def _without_calls(message: Message) -> Iterator[Message]:
    if message.text or not message.calls:
        yield msgspec.structs.replace(message, calls=())


def _calls_first(message: Message) -> Iterator[Message]:
    if message.text and message.calls:
        yield msgspec.structs.replace(message, text="")
        yield msgspec.structs.replace(message, calls=())
    else:
        yield message


class FailuresKeptFromInnerAgents(Mutant):
    """An agent that is a tool is not sent the results of its tools that raised."""

    breaks = "PER-54/call without a result"
    imitates = "an error that is logged, and for which the history has no place"
    expected = frozenset({"PER-54"})
    parts = _altering(lambda request: _said_otherwise(request, _without_failures), _inner)


class CallsKeptFromInnerAgents(Mutant):
    """An agent that is a tool is sent the results of its tools as if its service had kept the calls."""

    breaks = "PER-54/result without a call"
    imitates = "a loop that sends only what is new, before a service that keeps nothing"
    expected = frozenset({"PER-54"})
    parts = _altering(lambda request: _said_otherwise(request, _without_calls), _inner)


class TextBetweenCallAndResult(Mutant):
    """Of an agent that is a tool, a reply with a text and calls is sent back as the calls, and then the text."""

    breaks = "PER-54/call and result apart"
    imitates = "a client that makes an item of each part of a message, and puts the calls first"
    expected = frozenset({"PER-54"})
    parts = _altering(lambda request: _said_otherwise(request, _calls_first), _inner)


class OptionBesideTheOwnId(Mutant):
    """A conversation id that a run names as an option is sent beside the thread's own one, although it is the same."""

    breaks = "PER-54/two ids"
    imitates = "options that are merged into a request that names the conversation already"
    expected = frozenset({"PER-54"})
    parts = _altering(lambda request: msgspec.structs.replace(request, second_id=request.conversation_id), _named_its_own_id)


class KeyOfTheThreadSent(Mutant):
    """An agent that is a tool sends the key of its thread as a conversation id, which no service ever issued."""

    breaks = "PER-54/unknown id"
    imitates = "one name for the session of a framework and for the conversation of a service"
    expected = frozenset({"PER-54"})
    parts = _altering(
        lambda request: msgspec.structs.replace(request, conversation_id=request.conversation_id or "a-call"),
        _inner_before_a_strict_service,
    )


class SentinelSentByInnerAgents(Mutant):
    """An agent that is a tool sends the made-up id of per-service-call persistence with the results of its tools."""

    breaks = "PER-54/sentinel"
    imitates = "a sentinel that is taken off for the agent alone that a caller runs"
    expected = frozenset({"PER-54"})
    parts = _altering(
        lambda request: (
            msgspec.structs.replace(request, conversation_id=SENTINEL)
            if any(message.results for message in request.messages)
            else request
        ),
        lambda home, given: home.setting.decorates and _inner_before_a_strict_service(home, given),
    )

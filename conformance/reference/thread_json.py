"""The serialized form of a thread: plain JSON data of everything that it is.

An object with these fields, all of which are always written and always required; there are no others:

- `kind`: "local", "hosted" or "adaptive"; `fixed`: whether an adaptive thread's first run gave it its kind
- `conversation_id`: a text or null; null unless the thread is hosted
- `service`: the name of the service that a hosted thread belongs to, else null
- `key`: the thread's name in history stores
- `messages`: what the thread keeps itself, each with `role`, `text`, `author`, `calls` (each with `id`, `tool`, `arguments`) and
  `results` (each with `id`, `value`, `error`)
- `trail`: where its local history lies, in order: `place` (whose history provider has it, null for the thread itself) and `count`
- `context`: under each context provider's id its state
- `detached`: whether the history provider no longer serves it
- `waiting`: the calls of a reply in which one needs approval; `decisions`: true or false for those that are decided, by call id
- `open`: under each conversation id the ids of the calls to which no result was sent, where there are any
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from conformance.json_errors import misfit
from conformance.reference.errors import Invalid
from conformance.reference.thread import Stretch, Thread
from conformance.trace.messages import Call, Message, Result, Role
from conformance.vocabulary import ThreadKind


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing has a default here, so that nothing that is missing goes unnoticed."""


class CallData(_Form, frozen=True, kw_only=True):
    """A function call."""

    id: str
    tool: str
    arguments: dict[str, Any]


class ResultData(_Form, frozen=True, kw_only=True):
    """The result of a function call."""

    id: str
    value: str
    error: bool


class MessageData(_Form, frozen=True, kw_only=True):
    """A message."""

    role: Role
    text: str
    author: str | None
    calls: list[CallData]
    results: list[ResultData]


class StretchData(_Form, frozen=True, kw_only=True):
    """A part of the history that lies in one place."""

    place: str | None
    count: int


class ThreadData(_Form, frozen=True, kw_only=True):
    """A thread."""

    kind: ThreadKind
    fixed: bool
    conversation_id: str | None
    service: str | None
    key: str
    messages: list[MessageData]
    trail: list[StretchData]
    context: dict[str, dict[str, Any]]
    detached: bool
    waiting: list[CallData]
    decisions: dict[str, bool]
    open: dict[str, list[str]]


class ThreadForm:
    """Writes threads as data and reads them again."""

    def write(self, thread: Thread) -> dict[str, Any]:
        """The data of a thread, which shares nothing with it."""
        form = ThreadData(
            kind=thread.kind,
            fixed=thread.fixed,
            conversation_id=thread.conversation_id,
            service=thread.service,
            key=thread.key,
            messages=[self.message_data(message) for message in thread.messages],
            trail=[StretchData(place=each.place, count=each.count) for each in thread.trail],
            context=thread.context,
            detached=thread.detached,
            waiting=[_call_data(call) for call in thread.waiting],
            decisions=thread.decisions,
            open=thread.open,
        )
        return msgspec.to_builtins(form)

    def message_data(self, message: Message) -> MessageData:
        """One message as data."""
        return MessageData(
            role=message.role,
            text=message.text,
            author=message.author,
            calls=[_call_data(call) for call in message.calls],
            results=[ResultData(id=each.id, value=each.value, error=each.error) for each in message.results],
        )

    def read(self, data: Any) -> Thread:
        """The thread that data describes, which shares nothing with it. Raises Invalid that names the field."""
        form = self.checked(self.own(data))
        return Thread(
            key=form.key,
            kind=form.kind,
            fixed=form.fixed,
            conversation_id=form.conversation_id,
            service=form.service,
            messages=[self.message(message) for message in form.messages],
            trail=[Stretch(each.place, each.count) for each in form.trail],
            context=form.context,
            detached=form.detached,
            waiting=[_call(call) for call in form.waiting],
            decisions=form.decisions,
            open=form.open,
        )

    def own(self, data: Any) -> Any:
        """A copy, since the same data may be restored again. Raises Invalid for what is not plain data."""
        try:
            return json.loads(json.dumps(data))
        except (TypeError, ValueError, RecursionError) as error:
            raise Invalid(f"thread data: $: not plain JSON data: {error}") from None

    def checked(self, data: Any) -> ThreadData:
        """The data in its form. Raises Invalid where a field is missing, unknown, of another type or at odds with the others."""
        try:
            form = msgspec.convert(data, ThreadData)
        except msgspec.ValidationError as error:
            raise Invalid(f"thread data: {misfit(data, ThreadData) or error}") from None
        wrong = self.at_odds(form)
        if wrong is not None:
            raise Invalid(f"thread data: {wrong}")
        return form

    def at_odds(self, form: ThreadData) -> str | None:
        """The first field that fits its type but not the other fields, and why."""
        hosted = form.kind == "hosted"
        if form.fixed and form.kind == "adaptive":
            return "$.fixed: got true, expected false for a thread of kind 'adaptive', which has no kind of its own yet"
        if form.conversation_id is not None and not hosted:
            return f"$.conversation_id: got {form.conversation_id!r}, expected null for a thread of kind {form.kind!r}"
        if (form.service is None) == hosted:
            expected = "the name of its service" if hosted else "null"
            return f"$.service: got {form.service!r}, expected {expected} for a thread of kind {form.kind!r}"
        for place, stretch in enumerate(form.trail):
            if stretch.count < 0:
                return f"$.trail[{place}].count: got {stretch.count}, expected no less than 0"
        asked = {call.id for call in form.waiting}
        unasked = next((id for id in form.decisions if id not in asked), None)
        return None if unasked is None else f"$.decisions[{unasked!r}]: no call of this id is in $.waiting"

    def message(self, form: MessageData) -> Message:
        """One message from its data."""
        return Message(
            role=form.role,
            text=form.text,
            author=form.author,
            calls=tuple(_call(call) for call in form.calls),
            results=tuple(Result(id=each.id, value=each.value, error=each.error) for each in form.results),
        )


def _call_data(call: Call) -> CallData:
    return CallData(id=call.id, tool=call.tool, arguments=call.arguments)


def _call(form: CallData) -> Call:
    return Call(id=form.id, tool=form.tool, arguments=form.arguments)

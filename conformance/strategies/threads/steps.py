"""What can come next in a conversation of the threads area: a run, or a few steps that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
from hypothesis import strategies as st

from conformance.scenario.scenario import Damage, Tamper
from conformance.strategies.choices import Pen
from conformance.strategies.conversation import MOST_THREADS, PLAIN, OpenThread, Options
from conformance.strategies.threads.draft import Talk
from conformance.strategies.threads.features import Theme
from conformance.vocabulary import IdPlace

Move = Callable[[Talk], None]


@st.composite
def a_move(draw: st.DrawFn, shared: Pen, talk: Talk) -> None:
    """One move, as a part that shrinking takes out as a whole."""
    pen = shared.used_by(draw)
    moves = [_run, *(move for theme in sorted(talk.themes) for move in _MOVES.get(theme, ()))]
    if "adaptive" in talk.themes and pen.can("threads.serialize"):
        moves += [round_trip, early_round_trip]
    pen.pick(moves)(talk)


def _run(talk: Talk) -> None:
    """A run without options."""
    thread = talk.thread()
    talk.run_on(thread, without_id=_begins_nameless(talk.pen, thread))


def _begins_nameless(pen: Pen, thread: OpenThread) -> bool:
    """Whether an adaptive thread becomes local although the service keeps all that it gets, and will say so with a later reply."""
    surprises = thread.kind == "adaptive" and thread.agent.service.surprising
    return pen.mostly() and surprises and pen.can("service.without_id")


def _run_with_options(talk: Talk) -> None:
    """A run with options that fit its thread, or contradict it."""
    thread, settles = talk.thread(), talk.pen.mostly()
    if thread.kind == "hosted" and not thread.has_id and settles:
        talk.run_on(thread, answers=True)
    talk.run_on(thread, options=talk.pen.pick(options(talk.pen, thread)))


def _host(talk: Talk) -> None:
    """What is special about hosted threads: one that continues a conversation, one that cannot be, replies without an id."""
    pen = talk.pen
    agent, continues, nameless = pen.pick(talk.speakers), pen.rarely(2), pen.rarely(2)
    if talk.agents[agent].service.keeps == "nothing":
        _run_unsupported(talk, agent)
    elif continues and talk.can_be_hosted(talk.agents[agent]) and pen.can("threads.with_id"):
        thread = talk.open_thread(agent, "hosted", with_id=True)
        talk.run_on(thread, without_id=nameless and pen.can("service.without_id"))
    else:
        _run_without_id(talk)


def _run_unsupported(talk: Talk, agent: str) -> None:
    """A run on a hosted thread whose service keeps nothing; wherever that is refused, nothing more can come of the thread."""
    thread = talk.open_thread(agent, "hosted")
    talk.threads.remove(thread)
    talk.run_on(thread, answers=True)


def _run_without_id(talk: Talk) -> None:
    """A run whose replies carry no id although the service was asked to keep the conversation.

    Not the first one of an adaptive thread that asks: its turn would rightly be in two places.
    """
    thread, early = talk.thread(), talk.pen.rarely(4)
    surprised = _begins_nameless(talk.pen, thread)
    nameless = thread.kind == "hosted" and (thread.has_id or early) and talk.pen.can("service.without_id")
    talk.run_on(thread, without_id=nameless or surprised)


def _name_in_chunks(talk: Talk) -> None:
    """A stream whose replies name their conversation in one of their chunks only, or another one first."""
    thread = talk.thread()
    run = talk.say(thread, explicit=True, answers=True)
    if talk.pen.can("runs.streaming", "service.id_in_chunks"):
        replies = tuple(msgspec.structs.replace(reply, id_in=talk.pen.pick(_PLACES_OF_IDS)) for reply in run.replies)
        run = msgspec.structs.replace(run, stream=True, replies=replies)
    talk.steps.append(run)


def _forget(talk: Talk) -> None:
    """The service forgets the conversation of a thread: nothing more can come of it, nor of others that this service has."""
    thread, again = talk.thread(), talk.pen.rarely(2)
    if not thread.turns:
        talk.run_on(thread, answers=True)
    talk.steps.append(msgspec.structs.replace(talk.say(thread, answers=True), forgotten=True))
    if again:
        talk.run_on(thread, answers=True)
    talk.threads[:] = [each for each in talk.threads if each.on != thread.on or each.kind != "hosted"]


def _run_elsewhere(talk: Talk) -> None:
    """A run of another agent than the thread's own: a local thread moves there, a hosted one stays with its service."""
    thread, begins = talk.thread(), talk.pen.mostly()
    others = [name for name in talk.speakers if name != thread.on]
    if not thread.turns and begins:
        talk.run_on(thread, answers=True)
    talk.steps.append(talk.say(thread, agent=talk.pen.pick(others) if thread.kind != "adaptive" else None))


def _tamper(talk: Talk) -> None:
    """The caller changes what it handed over to earlier runs of a thread and got from them; then the thread goes on."""
    thread = talk.thread()
    if not thread.turns:
        talk.run_on(thread, answers=True)
    talk.steps.append(Tamper(thread=thread.name))
    talk.run_on(thread)


def _interleave(talk: Talk) -> None:
    """Runs on several threads at once."""
    first = talk.thread()
    if len(talk.threads) == 1:
        talk.open_thread(first.on, talk.fitting(first.kind, first.on))
    talk.steps.append(talk.together(talk.threads[:MOST_THREADS]))


def round_trip(talk: Talk) -> None:
    """A thread becomes data and is restored, once or twice; what was restored goes on, and the original with an equal run."""
    pen, thread = talk.pen, talk.thread()
    begins = pen.rarely(4) if thread.kind == "adaptive" else pen.mostly()
    if not thread.turns and begins:
        talk.run_on(thread, answers=True)
    moves, twice, paired, late = pen.rarely(2), pen.rarely(2), pen.rarely(2), pen.rarely(4)
    alone = thread.agent.history == "provider"  # one history for all of them: only one goes on
    others = [name for name in talk.speakers if name != thread.on and not alone]
    agent = pen.pick(others) if others and moves else None
    data = talk.serialize(thread)
    if late and not alone:
        talk.run_on(thread)
    restored = [talk.restore(data, agent) for _ in range(1 + twice)]
    if agent is not None and data.kind != "local":  # refused, now or when it runs: nothing more can come of it
        talk.run_on(restored[0], answers=True)
        return
    run = talk.say(restored[0], explicit=True)
    talk.steps.append(run)
    if alone:
        talk.threads[talk.threads.index(thread)] = restored[0]
        return
    for other in (*restored[1:], *([thread] if paired and agent is None else [])):
        talk.again(run, other)
    talk.threads.insert(0, restored[-1])


def damage(talk: Talk) -> None:
    """A thread's data becomes malformed, in one way or in several: nothing can come of it."""
    thread: OpenThread = talk.thread()
    begins = talk.pen.mostly()
    if not thread.turns and begins:
        talk.run_on(thread, answers=True)
    data = talk.serialize(thread)
    for _ in range(talk.pen.count(_MOST_DAMAGES)):
        talk.restore_damaged(data, Damage(how=talk.pen.pick(_HOWS), at=talk.pen.number(_PLACES - 1)))


_MOVES: Mapping[Theme, Sequence[Move]] = {
    "options": (_run, *(_run_with_options,) * 3),
    "hosting": (*(_host,) * 3, _name_in_chunks, _forget),
    "adaptive": (_run, _run_with_options, _run_without_id, _name_in_chunks),
    "restoring": (round_trip,) * 2,
    "damage": (damage,) * 2,
    "sharing": (_run_elsewhere,) * 3,
    "tampering": (_tamper,) * 2,
    "interleaving": (_interleave,) * 2,
}

_HOWS: tuple[Literal["drop", "cut", "retype", "unknown", "extra"], ...] = ("drop", "retype", "unknown", "cut", "extra")
_PLACES = 12
_PLACES_OF_IDS: tuple[IdPlace, ...] = ("last", "first", "middle", "provisional")
_MOST_DAMAGES = 3


def early_round_trip(talk: Talk) -> None:
    """A thread becomes data before anything happened on it."""
    restored = talk.restore(talk.serialize(talk.new_thread()))
    talk.run_on(restored)
    talk.threads.insert(0, restored)


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


_MOST_TURNS = 3


def pair(pen: Pen, talk: Talk) -> None:
    """Two threads with a few turns each."""
    first = talk.thread()
    talk.open_thread(first.on, first.kind)
    for _ in range(pen.count(_MOST_TURNS)):
        pen.part(_a_turn(pen, talk))


@st.composite
def _a_turn(draw: st.DrawFn, shared: Pen, talk: Talk) -> None:
    """A run on both threads, with explicit replies: the service's own texts would differ."""
    pen = shared.used_by(draw)
    plain, streaming = talk.threads
    with_options, nameless = pen.rarely(4), pen.rarely(8) and pen.can("service.without_id")
    chosen = pen.pick(options(pen, plain)) if with_options else PLAIN
    without_id = nameless and plain.has_id and chosen == PLAIN
    run = msgspec.structs.replace(talk.say(plain, options=chosen, without_id=without_id, explicit=True), stream=False)
    talk.steps.append(run)
    talk.again(run, streaming, stream=True)
    if pen.rarely(2):
        talk.steps[-2:] = reversed(talk.steps[-2:])

"""What can come next in a conversation of the threads area: a run, or a few steps that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st

from conformance.scenario import Tamper
from conformance.strategies.conversation import MOST_THREADS, OpenThread
from conformance.strategies.options import options
from conformance.strategies.pen import Pen
from conformance.strategies.round_trips import damage, early_round_trip, round_trip
from conformance.strategies.talk import Talk
from conformance.strategies.themes import Theme

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


_MOVES: Mapping[Theme, Sequence[Move]] = {
    "options": (_run, *(_run_with_options,) * 3),
    "hosting": (_host,) * 3,
    "adaptive": (_run, _run_with_options, _run_without_id),
    "restoring": (round_trip,) * 2,
    "damage": (damage,) * 2,
    "sharing": (_run_elsewhere,) * 3,
    "tampering": (_tamper,) * 2,
    "interleaving": (_interleave,) * 2,
}

"""Threads, data: faults that the rules of this section are the first to name."""

from __future__ import annotations

from typing import Any, cast

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.parts import Parts
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


class _NotingAgent(Agent):
    """Notes what was said on a thread."""

    @aside
    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        response = await super().run(thread, turn, emit, stream=stream)
        said(thread).extend([*turn.messages, *response.messages])
        return response


def said(thread: Thread) -> list[Message]:
    """What was said on a thread, as far as an agent noted it."""
    return cast("list[Message]", vars(thread).setdefault("said", []))


class HostedMessagesInTheData(Mutant):
    """The data of a hosted thread holds the conversation beside the id that names it."""

    breaks = "THR-44/a message beside the id"
    imitates = "one form for the data of both kinds of thread"
    expected = frozenset({"THR-36", "THR-44"})

    class _Form(ThreadForm):
        def write(self, thread: Thread) -> dict[str, Any]:
            """Write what was said, whoever keeps it."""
            data = super().write(thread)
            if thread.kind == "hosted":
                data["messages"] = [*data["messages"], *super().write(Thread(key="", messages=said(thread)))["messages"]]
            return data

        def own(self, data: Any) -> Any:
            """Leave it out again."""
            own = super().own(data)
            if isinstance(own, dict) and cast("dict[str, Any]", own).get("kind") == "hosted" and "messages" in own:
                own["messages"] = []
            return cast("Any", own)

    agent_type = _NotingAgent
    parts = Parts(form=_Form)


class LastAnswerInTheData(Mutant):
    """The data of a hosted thread holds the latest answer, for whoever lists the threads."""

    breaks = "THR-44/a message beside the id"
    imitates = "a list of conversations that shows how each of them ended"
    expected = frozenset({"THR-44"})

    class _Form(ThreadForm):
        def write(self, thread: Thread) -> dict[str, Any]:
            """Add it."""
            data = super().write(thread)
            return {**data, "latest": said(thread)[-1].text} if thread.kind == "hosted" and said(thread) else data

        def own(self, data: Any) -> Any:
            """Read it into nothing."""
            own = super().own(data)
            if isinstance(own, dict):
                cast("dict[str, Any]", own).pop("latest", None)
            return cast("Any", own)

    agent_type = _NotingAgent
    parts = Parts(form=_Form)

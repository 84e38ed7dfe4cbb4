"""Who waits for an answer in a run of a workflow, and whether anybody still works: the run rests where nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from conformance.implementation import Answer, Pending
from conformance.reference.errors import Invalid


class _Question:
    """What one participant waits for: answers to all of its requests."""

    def __init__(self, requests: int) -> None:
        self.answers: list[Answer] = []
        self.answered = asyncio.Event()
        self._open = requests

    def take(self, answer: Answer) -> bool:
        """Note an answer; whether it was the last one."""
        self.answers.append(answer)
        self._open -= 1
        if not self._open:
            self.answered.set()
        return not self._open


class Waiting:
    """The open requests of a run, those of its children included, and how many of its strands work.

    tell: of every request. suspended: called where the run comes to rest. numbers: for ids of requests that no other run has, so
    that an answer to a run that was dropped never reaches a later one.
    """

    def __init__(self, tell: Callable[[Pending], None], suspended: Callable[[], None], numbers: Iterator[int]) -> None:
        self._tell = tell
        self._suspended = suspended
        self._numbers = numbers
        self._open: dict[str, tuple[_Question, str]] = {}
        self._active = 1
        self._resting = False

    def __len__(self) -> int:
        """How many requests are open."""
        return len(self._open)

    async def ask(self, executor: str, requests: Sequence[Pending]) -> list[Answer]:
        """Ask, and wait until every request is answered; the answers are named as the requests were."""
        question = _Question(len(requests))
        for request in requests:
            id = f"{executor} asks {next(self._numbers)}"
            self._open[id] = question, request.id
            self._tell(Pending(id=id, tool=request.tool, executor=executor))
        self._active -= 1
        self.rest()
        try:
            await question.answered.wait()
        except asyncio.CancelledError:
            self._withdraw(question)
            raise
        return question.answers

    def _withdraw(self, question: _Question) -> None:
        """Whoever asked is gone: from here on it counts as at work, until its strand is taken off."""
        self._open = {id: asked for id, asked in self._open.items() if asked[0] is not question}
        self._active += not question.answered.is_set()

    def answer(self, answers: Sequence[Answer]) -> None:
        """Hand in answers; whoever asked goes on when all of its own are there. Raises Invalid where nobody waits for one."""
        for answer in answers:
            if answer.id not in self._open:
                raise Invalid(f"nothing waits for an answer to {answer.id!r}")
        self._resting = False
        for answer in answers:
            question, id = self._open.pop(answer.id)
            if question.take(Answer(id=id, approve=answer.approve)):
                self._active += 1
        self.rest()

    def rest(self) -> None:
        """Say that the run rests, where nobody works and somebody waits."""
        if self._active == 0 and self._open and not self._resting:
            self._resting = True
            self._suspended()

    def fork(self, strands: int) -> None:
        """From here on so many strands work side by side instead of one."""
        self._active += strands - 1

    def strand_ended(self) -> None:
        """One of them is done, but not the last one, which goes on: all others may be waiting."""
        self._active -= 1
        self.rest()

    def join(self, unended: int) -> None:
        """One strand goes on. unended: how many did not come to their end, because one of them failed."""
        self._active -= max(0, unended - 1)

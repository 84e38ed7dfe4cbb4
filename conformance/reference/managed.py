"""Group chat and Magentic: a manager picks who speaks next and gives the answer, within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.implementation import Response
from conformance.reference.errors import UnknownParticipant
from conformance.reference.workflow import Workflow
from conformance.reference.workflow_run import WorkflowRun
from conformance.trace import Message


@dataclass
class Course:
    """How far a run came. rounds: how many participants spoke. stalls: how much of late went without progress."""

    conversation: list[Message]
    rounds: int = 0
    stalls: int = 0
    resets: int = 0


class Managed(Workflow):
    """The manager's word is the answer; rounds are intermediate."""

    async def answer(self, run: WorkflowRun, messages: Sequence[Message]) -> Response | None:
        """The manager's summary, completion message or synthesized answer; what is declared for it where a limit ends the run."""
        course = Course(list(messages))
        while (name := self.pick()) is not None:
            if self.out_of_rounds(course):
                return self.limited(run, course, f"{self.spec.max_rounds} rounds")
            self.check(name)
            if self.stuck(course):
                self.begin_anew(course, messages)
                if self.out_of_resets(course):
                    return self.limited(run, course, f"{self.spec.max_resets} resets")
                continue
            await self.round(run, course, name)
        return self.conclude(run, course.conversation)

    def pick(self) -> str | None:
        """Whom the manager names."""
        return self.world.manager.pick()

    def check(self, name: str) -> None:
        """Raise UnknownParticipant where the manager named somebody who does not take part."""
        if name not in self.participants:
            known = ", ".join(self.participants)
            raise UnknownParticipant(f"the manager of workflow {self.name!r} named {name!r}; its participants are {known}")

    async def round(self, run: WorkflowRun, course: Course, name: str) -> None:
        """Let one participant speak to the conversation so far."""
        response = await run.participant(name, course.conversation, shown=self.spec.intermediate_outputs)
        course.rounds += 1
        course.conversation += response.messages

    def out_of_rounds(self, course: Course) -> bool:
        """Whether nobody may speak any more."""
        return self.spec.max_rounds is not None and course.rounds >= self.spec.max_rounds

    def stuck(self, course: Course) -> bool:
        """Note whether there was progress since the last pick; whether there was none too often."""
        course.stalls = course.stalls + 1 if self.world.manager.stalled else max(0, course.stalls - 1)
        return self.spec.max_stalls is not None and course.stalls > self.spec.max_stalls

    def begin_anew(self, course: Course, messages: Sequence[Message]) -> None:
        """Forget what was said: the conversation begins with the input alone."""
        course.conversation = list(messages)
        course.stalls = 0
        course.resets += 1

    def out_of_resets(self, course: Course) -> bool:
        """Whether it began anew too often."""
        return self.spec.max_resets is not None and course.resets > self.spec.max_resets

    def limited(self, run: WorkflowRun, course: Course, limit: str) -> Response:
        """The answer where a limit ends the run, as `limit_answer` declares."""
        if self.policies.limit_answer == "manager":
            return self.conclude(run, course.conversation)
        return _managers(f"the limit of {limit} is reached, and the workflow ends here")

    def conclude(self, run: WorkflowRun, conversation: Sequence[Message]) -> Response:
        """The manager's last word."""
        return _managers(self.world.manager.answer())


def _managers(text: str) -> Response:
    return Response(messages=(Message(role="assistant", text=text, author="manager"),))

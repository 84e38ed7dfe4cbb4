"""Requests of `agent-framework` that wait for someone's answer, in runs and in workflows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agent_framework import AgentResponse, Content, WorkflowEvent
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_events import requests, tool_of
from conformance.implementation import Answer, NotSupported, Pending


class Requests:
    """The native requests under the ids by which they were reported."""

    def __init__(self) -> None:
        self._open: dict[str, Content | WorkflowEvent[Any]] = {}

    def pending(self, response: AgentResponse[Any]) -> tuple[Pending, ...]:
        """What waits in a response."""
        return tuple(Pending(id=_id(request), tool=tool_of(request)) for request in self._new(requests(response.messages)))

    def _new(self, found: Iterable[Content]) -> list[Content]:
        """Requests that were not reported before: until the last one is answered, every response repeats those that still wait."""
        new = [request for request in found if _id(request) not in self._open]
        self._open.update((_id(request), request) for request in new)
        return new

    def note(self, event: WorkflowEvent[Any]) -> None:
        """A workflow asks."""
        self._open[event.request_id] = event

    def answered(self, answers: Sequence[Answer]) -> list[NativeMessage]:
        """The input that resumes a run."""
        return [NativeMessage("user", [self.take(answer) for answer in answers])]

    def take(self, answer: Answer) -> Content:
        """The native answer to a request, which then waits no more."""
        request = self._open[answer.id]
        content = request.data if isinstance(request, WorkflowEvent) else request
        if not isinstance(content, Content) or content.type != "function_approval_request":
            raise NotSupported("the framework asks for words here: a yes or no cannot answer that")
        del self._open[answer.id]
        return content.to_function_approval_response(answer.approve)


def _id(request: Content) -> str:
    return request.id or request.call_id or ""

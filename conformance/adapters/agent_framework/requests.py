"""Requests of `agent-framework` that wait for someone's answer, in runs and in workflows.

Two sorts can be answered with yes or no: an approval of a function call, and what an executor asks for a bool. As an agent, a
workflow shows the second sort as a call of `request_info` whose arguments hold the request; a function result with the id of that
call answers it, and "the result" is what the executor gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent_framework import AgentResponse, Content, WorkflowAgent, WorkflowEvent
from agent_framework import Message as NativeMessage

from conformance.adapter import Answer, NotSupported, Pending

_BOOL = "builtins.bool"
_NO_WORDS = "the framework asks for words here: a yes or no cannot answer that"


class Requests:
    """The native requests under the ids by which they were reported."""

    def __init__(self) -> None:
        self._open: dict[str, Content | WorkflowEvent[Any]] = {}

    def pending(self, response: AgentResponse[Any]) -> tuple[Pending, ...]:
        """What waits in a response."""
        return tuple(
            Pending(id=_id(request), tool=tool_of(request), call=call_of(request), executor=_executor(request))
            for request in self._new(_requests(response.messages))
        )

    def _new(self, found: Iterable[Content]) -> list[Content]:
        """Requests that were not reported before: until the last one is answered, every response repeats those that still wait."""
        new = [request for request in found if _id(request) not in self._open]
        self._open.update((_id(request), request) for request in new)
        return new

    def note(self, event: WorkflowEvent[Any]) -> None:
        """A workflow asks."""
        self._open[event.request_id] = event

    def take(self, answer: Answer) -> Content | bool:
        """The native answer to a workflow's request, which then waits no more."""
        request = self._open[answer.id]
        assert isinstance(request, WorkflowEvent)
        if _is_approval(request.data):
            return self._approved(request.data, answer)
        if request.response_type is not bool:
            raise NotSupported(_NO_WORDS)
        del self._open[answer.id]
        return answer.approve

    def answered(self, answers: Sequence[Answer]) -> list[NativeMessage]:
        """The input that resumes a run of an agent."""
        return [self._answered(answer) for answer in answers]

    def _answered(self, answer: Answer) -> NativeMessage:
        request = self._open[answer.id]
        assert isinstance(request, Content)
        if _is_approval(request):
            return NativeMessage("user", [self._approved(request, answer)])
        if _asked(request).get("response_type") != _BOOL:
            raise NotSupported(_NO_WORDS)
        del self._open[answer.id]
        # Not `from_function_result`, which makes a text of the result: the executor would get that.
        return NativeMessage("tool", [Content("function_result", call_id=request.call_id, result=answer.approve)])

    def _approved(self, request: Content, answer: Answer) -> Content:
        del self._open[answer.id]
        return request.to_function_approval_response(answer.approve)


def without_requests(messages: Iterable[NativeMessage]) -> list[NativeMessage]:
    """Messages but those that only hold requests: these are reported as pending."""
    return [message for message in messages if not message.contents or not all(map(_is_request, message.contents))]


def _requests(messages: Iterable[NativeMessage]) -> Iterator[Content]:
    for message in messages:
        yield from filter(_is_request, message.contents)


def _is_request(content: Content) -> bool:
    return _is_approval(content) or _is_question(content)


def _is_approval(content: Any) -> bool:
    return isinstance(content, Content) and content.type == "function_approval_request"


def _is_question(content: Content) -> bool:
    return content.type == "function_call" and content.name == WorkflowAgent.REQUEST_INFO_FUNCTION_NAME


def _id(request: Content) -> str:
    return request.id or request.call_id or ""


def _executor(request: Content) -> str | None:
    return _asked(request).get("source_executor_id")


def _asked(request: Content) -> Mapping[str, Any]:
    """The request as the arguments of a call of `request_info` hold it."""
    arguments: Mapping[str, Any] = (request.parse_arguments() if _is_question(request) else None) or {}
    return arguments.get("request_event") or {}


def tool_of(request: Content) -> str | None:
    """The tool whose call waits for approval, where that is what a request asks."""
    return request.function_call.name if request.function_call is not None else None


def call_of(request: Content) -> str | None:
    """The id of the call that waits for approval, where that is what a request asks."""
    return request.function_call.call_id if request.function_call is not None else None

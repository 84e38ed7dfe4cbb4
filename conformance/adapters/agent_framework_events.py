"""Events and responses of `agent-framework` in neutral words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, cast

from agent_framework import AgentResponse, AgentResponseUpdate, Content, WorkflowEvent, WorkflowRunState
from agent_framework import Message as NativeMessage

from conformance.adapters.agent_framework_messages import said
from conformance.implementation import ChunkSeen, IdleSeen, OutputSeen, Pending, WorkflowSeen
from conformance.trace import Message

_OUTPUTS = ("output", "intermediate", "data")  # `data`: the framework's older word for `intermediate`
_IDLE = (WorkflowRunState.IDLE, WorkflowRunState.IDLE_WITH_PENDING_REQUESTS)


def seen(event: WorkflowEvent[Any], waiting: Collection[str]) -> Iterator[WorkflowSeen]:
    """What an event of a workflow is; nothing for the framework's bookkeeping (steps, invocations, routing).

    waiting: the ids of the workflow's requests that wait for an answer.
    """
    if event.type in _OUTPUTS:
        yield output(event)
    elif event.type == "request_info":
        tool = tool_of(event.data) if isinstance(event.data, Content) else None
        yield Pending(id=event.request_id, tool=tool, executor=event.source_executor_id)
    elif event.type == "status" and event.state in _IDLE:
        yield IdleSeen(pending=len(waiting) if event.state is WorkflowRunState.IDLE_WITH_PENDING_REQUESTS else 0)


def output(event: WorkflowEvent[Any]) -> ChunkSeen | OutputSeen:
    """An output event: an update of a response is a chunk, the rest are whole outputs. The event's type is the signal."""
    completed, executor, data = event.type == "output", event.executor_id, event.data
    if isinstance(data, AgentResponseUpdate):
        return ChunkSeen(text=data.text, executor=executor, completed=completed)
    if isinstance(data, AgentResponse):
        response = cast("AgentResponse[Any]", data)
        return OutputSeen(executor=executor, completed=completed, messages=said(response.messages), author=response.agent_id)
    if isinstance(data, str):
        messages = (Message(role="assistant", text=data),)
        return OutputSeen(executor=executor, completed=completed, payload="text", messages=messages)
    items = cast("list[Any]", data) if isinstance(data, list) else [data]
    if all(isinstance(item, NativeMessage) for item in items):
        return OutputSeen(executor=executor, completed=completed, payload="messages", messages=said(items))
    return OutputSeen(executor=executor, completed=completed, payload="other")


def tool_of(request: Content) -> str | None:
    """The tool whose call waits for approval, where that is what a request asks."""
    return request.function_call.name if request.function_call is not None else None

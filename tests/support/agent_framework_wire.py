"""The OpenAI client of agent-framework on a wire that a test holds the other end of, with nothing of the kit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx2
from agent_framework import FunctionInvocationLayer
from agent_framework.observability import ChatTelemetryLayer
from agent_framework.openai import OpenAIChatClient, RawOpenAIChatClient
from agent_framework_alone import Asked
from openai import AsyncOpenAI

_NUMBERS = count(1)

Item = dict[str, Any]


def says(text: str) -> Item:
    """A message in a reply."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": f"msg_{next(_NUMBERS)}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def calls(name: str, **arguments: str) -> Item:
    """A function call in a reply."""
    number = next(_NUMBERS)
    given = {"name": name, "arguments": json.dumps(arguments), "call_id": f"call_{number}"}
    return {"id": f"fc_{number}", "type": "function_call", "status": "completed", **given}


class Wire:
    """Replies with these items, one reply after the other, then with "done"; a number is the status of an error.

    asked: the requests. ids: those of the responses, `resp_1` and so on.
    """

    def __init__(self, *replies: list[Item] | int) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.bodies: list[dict[str, Any]] = []

    def client(self, *, middled: bool = True, **options: Any) -> RawOpenAIChatClient[Any]:
        """The framework's client, or a stack of the caller's own that takes no chat middleware."""
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        sdk = AsyncOpenAI(base_url="http://service", api_key="none", http_client=http, **{"max_retries": 0, **options})
        return (OpenAIChatClient if middled else _Unmiddled)(model="scripted", async_client=sdk)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        self.asked.append(Asked([_words(item) for item in body["input"]], body.get("store"), body.get("previous_response_id")))
        items = self.replies.pop(0) if self.replies else [says("done")]
        if isinstance(items, int):
            return httpx2.Response(items, json={"error": {"message": "overloaded"}}, headers={"retry-after-ms": "1"})
        response = _response(f"resp_{len(self.asked)}", body, items)
        if not body.get("stream"):
            return httpx2.Response(200, json=response)
        events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _events(response)]
        return httpx2.Response(200, text="".join(events), headers={"content-type": "text/event-stream"})


class _Unmiddled(FunctionInvocationLayer[Any], ChatTelemetryLayer[Any], RawOpenAIChatClient[Any]):
    pass


def _words(item: Item) -> str:
    """An item of a request in the words of `agent_framework_alone.said`."""
    match item["type"]:
        case "function_call":
            return f"assistant: {item['name']}()"
        case "function_call_output":
            return f"tool: = {item['output']}"
        case _:
            content = item["content"]
            return f"{item['role']}: {content if isinstance(content, str) else ''.join(part['text'] for part in content)}"


def _response(id: str, body: dict[str, Any], output: list[Item]) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": "scripted",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": body.get("store", True),
    }


def _events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": {**response, "output": [], "status": "in_progress"}, "sequence_number": 0}
    for index, item in enumerate(response["output"]):
        at = {"output_index": index, "item_id": item["id"], "sequence_number": 0}
        if item["type"] == "message":
            text = item["content"][0]["text"]
            yield {"type": "response.output_item.added", **at, "item": {**item, "content": []}}
            for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece, "logprobs": []}
        else:
            arguments = item["arguments"]
            yield {"type": "response.output_item.added", **at, "item": {**item, "arguments": ""}}
            for piece in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
            yield {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": arguments}
        yield {"type": "response.output_item.done", **at, "item": item}
    yield {"type": "response.completed", "response": response, "sequence_number": 0}

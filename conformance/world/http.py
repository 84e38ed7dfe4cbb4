"""The chat services over HTTP: `POST /v1/responses` on a loopback port for everyone, or in process through respx for httpx clients.

Both faces answer with the same scripted services; nothing here knows a script. Which run a request belongs to stands in its header
`conformance-run` (the number of the run's script); without it, the latest run is meant.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.trace import Broke
from conformance.vocabulary import nearest
from conformance.world.errors import ServiceError
from conformance.world.responses_api import Json, Named, error_of, events_of, name_reply, response_of, sse
from conformance.world.responses_input import Body, Malformed, read, request_of
from conformance.world.server import Server

if TYPE_CHECKING:
    from respx import MockRouter

    from conformance.world import World
    from conformance.world.script import Script

RUN_HEADER = "conformance-run"
_PATH = "/v1/responses"


@dataclass(frozen=True)
class Answered:
    """An answer on the wire: one JSON object, or the events of a stream."""

    status: int = 200
    body: Json | None = None
    events: Iterable[Json] = ()


class HttpFace:
    """The chat services of one world as HTTP; the server starts where a url is first asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server: Server | None = None
        self._answered = itertools.count(1)

    async def url(self, agent: str) -> str:
        """The base url of an agent's own service, as OpenAI-compatible clients want it, ending in `/v1`."""
        self._known(agent)
        if self._server is None:
            self._server = Server(self._serve)
            await self._server.start()
        return f"http://127.0.0.1:{self._server.port}/agents/{agent}/v1"

    async def close(self) -> None:
        """Stop the server; requests that are still being answered are cut off."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    def mock(self, agent: str, base_url: str = "https://api.openai.com/v1") -> MockRouter:
        """A respx router, not started, that answers `httpx.AsyncClient`s which call this base url, without any connection.

        For clients that cannot be given another url; other libraries than httpx it does not see.
        """
        import httpx
        import respx

        self._known(agent)

        class Events(httpx.AsyncByteStream):
            def __init__(self, events: Iterable[Json]) -> None:
                self._events = events

            async def __aiter__(self) -> Any:
                for piece in sse(self._events):
                    yield piece

        async def respond(request: httpx.Request) -> httpx.Response:
            answered = await self.answer(agent, await request.aread(), request.headers.get(RUN_HEADER))
            if answered.body is not None:
                return httpx.Response(answered.status, json=answered.body)
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Events(answered.events))

        router = respx.MockRouter(assert_all_called=False)
        router.post(base_url.rstrip("/") + _PATH.removeprefix("/v1")).mock(side_effect=respond)
        return router

    async def answer(self, agent: str, data: bytes, run: str | None) -> Answered:
        """Answer one request. What this service cannot read ends the performance as `malformed`; a failing service is status 400.

        400 because no SDK retries it: a second request would be one that the implementation never made.
        """
        try:
            with self._world.during(self._script(run)):
                self._known(agent)
                return await self._ask(agent, read(data))
        except ServiceError as error:
            return Answered(400, error_of(str(error)))
        except Malformed as error:
            return self._broken("malformed", f"POST {_PATH} of agent {agent!r}: {error}")
        except Exception as error:
            return self._broken("crash", f"POST {_PATH} of agent {agent!r}: {error!r}")

    async def _ask(self, agent: str, body: Body) -> Answered:
        service, request = self._world.service(agent), request_of(body)
        if not request.stream:
            reply = await service.reply(request)
            return Answered(body=response_of(reply.message, body, self._name(agent, reply.conversation_id)))
        chunks = [chunk async for chunk in service.stream(request)]
        return Answered(events=list(events_of(chunks, body, self._name(agent, chunks[0].conversation_id))))

    def _name(self, agent: str, conversation_id: str | None) -> Named:
        one_id = self._world.service(agent).spec.keeps == "one_id"
        named = name_reply(conversation_id, one_id=one_id, number=next(self._answered))
        if conversation_id is not None:
            self._world.also_called(conversation_id, named.conversation or named.id)
        return named

    def _script(self, run: str | None) -> Script:
        scripts = self._world.scripts
        if run is None and scripts:
            return scripts[-1]
        if run is not None and run.isdecimal() and int(run) < len(scripts):
            return scripts[int(run)]
        known = f"the runs so far are 0 to {len(scripts) - 1}" if scripts else "no run has begun"
        raise Malformed(f"the header {RUN_HEADER} is {run!r}, but {known}")

    def _known(self, agent: str) -> None:
        if agent not in self._world.scenario.agents:
            raise Malformed(f"there is no agent {agent!r}{nearest(agent, self._world.scenario.agents)}")

    def _broken(self, cause: str, text: str) -> Answered:
        from conformance.world import stable

        self._world.record(Broke, cause=cause, text=stable(text))
        return Answered(400, error_of(text))

    async def _serve(self, request: Any) -> Any:
        """Answer a request of the server."""
        from starlette.responses import JSONResponse, StreamingResponse

        agent, rest = request.path_params["agent"], "/" + request.path_params["rest"]
        if (request.method, rest) == ("POST", _PATH):
            answered = await self.answer(agent, await request.body(), request.headers.get(RUN_HEADER))
        else:
            answered = self._broken("malformed", f"{request.method} {rest} is not served here: only POST {_PATH}")
        if answered.body is not None:
            return JSONResponse(answered.body, answered.status)
        return StreamingResponse(sse(answered.events), media_type="text/event-stream")

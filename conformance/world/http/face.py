"""The chat services over HTTP: `POST /v1/responses` on a loopback port for everyone, or in process through respx for httpx clients.

Both faces answer with the same scripted services; nothing here knows a script. Which run a request belongs to stands in its header
`conformance-run` (the number of the run's script); without it, the latest run is meant.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from conformance.trace.harness_events import Broke
from conformance.vocabulary import nearest
from conformance.world.chat_service import ChatService
from conformance.world.errors import ServiceError
from conformance.world.event_log import EventLog, stable
from conformance.world.http.responses_input import Body, Malformed, neutral_id, read, request_of
from conformance.world.http.responses_output import Json, Named, error_of, events_of, name_reply, response_of, sse
from conformance.world.http.server import Server

if TYPE_CHECKING:
    from respx import MockRouter
    from starlette.requests import Request
    from starlette.responses import Response

    from conformance.world.script import Script

RUN_HEADER = "conformance-run"
_STREAM = "text/event-stream"
_PATH = "/v1/responses"
_AGENT = re.compile(rf"/agents/(.+){re.escape(_PATH)}/?")


@dataclass(frozen=True)
class Answered:
    """An answer on the wire: one JSON object, or the events of a stream."""

    status: int = 200
    body: Json | None = None
    events: Iterable[Json] = ()


class HttpFace:
    """The chat services of one world as HTTP; the server starts where a url is first asked for."""

    def __init__(self, log: EventLog, services: Mapping[str, ChatService]) -> None:
        self._log = log
        self._services = services
        self._server: Server | None = None
        self._starting = asyncio.Lock()
        self._answered = itertools.count(1)

    async def url(self, agent: str) -> str:
        """The base url of an agent's own service, as OpenAI-compatible clients want it, ending in `/v1`."""
        self._known(agent)
        async with self._starting:
            if self._server is None:
                server = Server(self._serve)
                await server.start()
                self._server = server
        return f"http://127.0.0.1:{self._server.port}/agents/{quote(agent, safe='')}/v1"

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

        async def respond(request: httpx.Request) -> httpx.Response:
            answered = await self.answer(agent, await request.aread(), request.headers.get(RUN_HEADER))
            if answered.body is not None:
                return httpx.Response(answered.status, json=answered.body)
            return httpx.Response(200, headers={"content-type": _STREAM}, content=_pieces(answered.events))

        router = respx.MockRouter(assert_all_called=False)
        router.post(base_url.rstrip("/") + _PATH.removeprefix("/v1")).mock(side_effect=respond)
        return router

    async def answer(self, agent: str, data: bytes, run: str | None) -> Answered:
        """Answer one request. What this service cannot read ends the performance as `malformed`; a failing service is status 400.

        400 because no SDK retries it: a second request would be one that the implementation never made.
        """
        where = f"POST {_PATH} of agent {agent!r}"
        try:
            script = self._script(run)
        except Malformed as error:
            return self._broken("malformed", f"{where}: {error}")
        with self._log.during(script):
            try:
                self._known(agent)
                return await self._ask(agent, read(data))
            except ServiceError as error:
                return Answered(400, error_of(str(error)))
            except Malformed as error:
                return self._broken("malformed", f"{where}: {error}")
            except Exception as error:
                return self._broken("crash", f"{where}: {error!r}")

    async def _ask(self, agent: str, body: Body) -> Answered:
        service, request = self._services[agent], request_of(body)
        if not request.stream:
            reply = await service.reply(request)
            return Answered(body=response_of(reply.message, body, self._name(agent, reply.conversation_id)))
        chunks = [chunk async for chunk in service.stream(request)]
        ids = [chunk.conversation_id for chunk in chunks]
        id = next((each for each in reversed(ids) if each is not None), None)
        named = self._name(agent, id)
        begun = named if ids[0] == id else self._name(agent, ids[0])
        if named.conversation is not None:  # it is its conversation that is named late, not the response
            begun = Named(named.id, begun.conversation)
        return Answered(events=list(events_of(chunks, body, named, begun)))

    def _name(self, agent: str, conversation_id: str | None) -> Named:
        one_id = self._services[agent].spec.keeps == "one_id"
        named = name_reply(conversation_id, one_id=one_id, number=next(self._answered))
        outside = named.conversation or named.id
        self._log.also_called(neutral_id(outside), outside)
        return named

    def _script(self, run: str | None) -> Script:
        scripts = self._log.scripts
        if run is None and scripts:
            return scripts[-1]
        if run is not None and run.isdecimal() and int(run) < len(scripts):
            return scripts[int(run)]
        known = f"the runs so far are 0 to {len(scripts) - 1}" if scripts else "no run has begun"
        raise Malformed(f"the header {RUN_HEADER} is {run!r}, but {known}")

    def _known(self, agent: str) -> None:
        if agent not in self._services:
            raise Malformed(f"there is no agent {agent!r}{nearest(agent, self._services)}")

    def _broken(self, cause: str, text: str) -> Answered:
        self._log.record(Broke, cause=cause, text=stable(text))
        return Answered(400, error_of(text))

    async def _serve(self, request: Request) -> Response:
        """Answer a request of the server."""
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse, Response, StreamingResponse

        path = request.scope["path"]
        asked = _AGENT.fullmatch(path)
        if asked is None or request.method != "POST":
            answered = self._broken("malformed", f"{request.method} {path}: only POST /agents/<agent>{_PATH} is served")
        else:
            try:
                data = await request.body()
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it, and nothing was asked
            answered = await self.answer(asked[1], data, request.headers.get(RUN_HEADER))
        if answered.body is not None:
            return JSONResponse(answered.body, answered.status)
        return StreamingResponse(_pieces(answered.events), media_type=_STREAM)


async def _pieces(events: Iterable[Json]) -> AsyncIterator[bytes]:
    for piece in sse(events):
        yield piece

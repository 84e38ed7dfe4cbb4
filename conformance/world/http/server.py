"""The loopback server that the HTTP face runs on: in the scenario's own event loop, on a free port, without signal handlers."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import Response

PATIENCE = 1.0
"""Seconds that requests which are cut off have to end when the server closes."""


class Server:
    """Answers every request with a handler.

    It is uvicorn without its main loop, which would only wait for signals and, when it ends, sleep for a tenth of a second:
    longer than most scenarios take.
    """

    def __init__(self, handler: Callable[[Request], Awaitable[Response]]) -> None:
        self._handler = handler
        self._answering: set[asyncio.Task[Response]] = set()
        self._uvicorn: uvicorn.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        import uvicorn
        from starlette.applications import Starlette
        from starlette.routing import Route

        config = uvicorn.Config(
            Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]),
            http="h11",
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            log_level=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # The protocol is named because asyncio else leaves Nagle's algorithm on: 40 ms for every answer.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.bind(("127.0.0.1", 0))
            # A context of its own: a request is nobody's run until its header says so.
            await asyncio.create_task(server.startup(sockets=[listening]), context=contextvars.Context())
        except BaseException:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._uvicorn = server

    async def _answer(self, request: Request) -> Response:
        from starlette.responses import Response

        task = asyncio.ensure_future(self._handler(request))
        self._answering.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            return Response(status_code=400)  # the scenario is over; uvicorn would log an error that is none
        finally:
            self._answering.discard(task)

    async def close(self) -> None:
        """Stop listening, cut off what is still being answered, and wait until every connection is gone."""
        if self._uvicorn is None:
            return
        server, self._uvicorn = self._uvicorn, None
        for listening in server.servers:
            listening.close()
        for task in self._answering:
            task.cancel()
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks, timeout=PATIENCE)
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # aborted transports are gone one turn of the loop later
        for listening in server.servers:
            await listening.wait_closed()

"""Microsoft's `agent-framework` with its real `OpenAIChatClient`, over the Responses API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

import msgspec
from agent_framework import Agent, BaseChatClient, FunctionInvocationLayer, FunctionTool
from agent_framework.observability import ChatTelemetryLayer
from agent_framework.openai import OpenAIChatClient, RawOpenAIChatClient
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import BaseModel, ConfigDict

from conformance.adapter import CONVERSATION, RESPONSE, RUN_HEADER, AgentSpec, Choice, ChunkSeen, Response, Turn, World
from conformance.adapters.agent_framework.adapter import AgentFramework
from conformance.adapters.agent_framework.declaration import CHOICES, THREADS_AND_PERSISTENCE
from conformance.adapters.agent_framework.sessions import Runnable, Thread


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="allow")


def _checked_by_model(tool: FunctionTool) -> FunctionTool:
    """A tool whose arguments are checked by a model instead of a schema.

    With a request the client writes "no additional properties" into the very schema that the tool is checked by: one that takes any
    arguments then refuses all of them.
    """
    return FunctionTool(
        name=tool.name,
        description=tool.description,
        func=tool.func,
        input_model=_Arguments,
        approval_mode="always_require" if tool.approval_mode == "always_require" else "never_require",
    )


class _CallersClient(FunctionInvocationLayer[Any], ChatTelemetryLayer[Any], RawOpenAIChatClient[Any]):
    """A stack that its caller put together from the framework's parts: all but the layer that takes chat middleware."""


WIRE_CHOICES: Sequence[Choice] = (
    Choice(
        of="services that do not store by default",
        chosen="`store=False` among the default options of the agent",
        why="the client takes every service for one that stores, and goes on from ids under which nothing is kept",
        default="nothing is said",
    ),
    Choice(
        of="a service call that fails",
        chosen="`max_retries=0` in the SDK",
        why="a script has one reply for each call",
        default="the SDK tries twice more",
    ),
    Choice(
        of="the arguments of tools",
        chosen="checked by a model that takes any",
        why="the client writes `additionalProperties: false` into the schema of the tool, which then refuses all arguments",
        default="checked by the schema",
    ),
)
"""What is chosen on the wire besides."""


class AgentFrameworkOpenAI(AgentFramework):
    """`agent-framework` as in `AgentFramework`, but every service call goes through its OpenAI client and over HTTP.

    This wire has no word for two sorts of service: every response carries an id, so a reply `without_id` cannot be told from
    others; and for the same reason an id says nothing of a service that keeps a conversation unasked (`surprising`).

    The client takes every service for one that stores by default (`STORES_BY_DEFAULT`). Services that keep nothing, or only what
    they are asked to keep, are what many OpenAI-compatible servers are: the caller of one says so, with `store=False` among the
    default options of the agent. That counts where a run says nothing.

    Workflows stand above the chat client and send nothing of their own: only threads and persistence are judged here.
    """

    name = "agent-framework-openai"
    version = version("agent-framework-openai")
    capabilities = THREADS_AND_PERSISTENCE - {"service.surprising", "service.without_id"}
    choices: ClassVar[Sequence[Choice]] = (*CHOICES, *WIRE_CHOICES)

    async def open(self, world: World) -> None:
        """One HTTP client for all agents; it says of every request which run it belongs to."""
        await super().open(world)
        self._urls: dict[str, str] = {}
        self._outside: dict[str, str] = {}  # how the conversation ids of each agent's service begin on the wire

        async def stamp(request: Any) -> None:
            request.headers[RUN_HEADER] = str(world.script.number)

        # The SDK's own client, which is built on httpx or httpx2 as its version has it.
        # Not `trust_env`: a proxy that the environment names would be asked for loopback too. Not `verify`: there is no TLS here,
        # and reading the certificates takes longer than most scenarios.
        self._http = DefaultAsyncHttpxClient(trust_env=False, verify=False, event_hooks={"request": [stamp]})

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._http.aclose()

    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Runnable]) -> Agent[Any]:
        """Build an agent that talks to its own service."""
        self._urls[name] = await self.world.http.url(name)
        self._outside[name] = CONVERSATION if spec.service.keeps == "one_id" else RESPONSE
        agent = await super().create_agent(name, spec, inner)
        options = agent.default_options
        options["tools"] = [tool if tool.name in inner else _checked_by_model(tool) for tool in options.get("tools", ())]
        if not spec.service.stores_by_default:
            options["store"] = False
        return agent

    async def continue_conversation(self, agent: Runnable, conversation_id: str) -> Thread:
        """A session for a conversation, with the id under which it is known on this wire."""
        return await super().continue_conversation(agent, self._on_wire(agent, conversation_id))

    async def run(self, agent: Runnable, thread: Thread | None, turn: Turn) -> Response:
        """Run an agent, not streaming."""
        return await super().run(agent, thread, self._option_on_wire(agent, turn))

    def stream(self, agent: Runnable, thread: Thread | None, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run an agent, streaming."""
        return super().stream(agent, thread, self._option_on_wire(agent, turn))

    def _option_on_wire(self, agent: Runnable, turn: Turn) -> Turn:
        if turn.conversation_id is None:
            return turn
        return msgspec.structs.replace(turn, conversation_id=self._on_wire(agent, turn.conversation_id))

    def _on_wire(self, agent: Runnable, id: str) -> str:
        """The name of a conversation on this wire: sessions have it, the scenario's own ids do not."""
        if id.startswith((CONVERSATION, RESPONSE)):
            return id
        outside = self._outside[agent.id] + id
        self.world.also_called(id, outside)
        return outside

    def make_client(self, name: str, spec: AgentSpec) -> BaseChatClient[Any]:
        """The framework's own client on the official SDK, without retries: a second request would be one too many."""
        sdk = AsyncOpenAI(base_url=self._urls[name], api_key="none", max_retries=0, http_client=self._http)
        return (_CallersClient if spec.client_as_is else OpenAIChatClient)(model="scripted", async_client=sdk)

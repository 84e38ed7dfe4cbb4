"""Microsoft's `agent-framework` with its real `OpenAIChatClient`, over the Responses API."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import httpx2
from agent_framework import Agent, BaseChatClient, FunctionTool
from agent_framework.openai import OpenAIChatClient
from openai import AsyncOpenAI
from pydantic import BaseModel, ConfigDict

from conformance.adapters.agent_framework import AgentFramework
from conformance.adapters.agent_framework_profile import THREADS_AND_PERSISTENCE
from conformance.scenario import AgentSpec
from conformance.world import World
from conformance.world.http import RUN_HEADER


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


class AgentFrameworkOpenAI(AgentFramework):
    """`agent-framework` as in `AgentFramework`, but every service call goes through its OpenAI client and over HTTP.

    This wire has no word for two sorts of service: every response carries an id, so a reply `without_id` cannot be told from
    others; and for the same reason an id says nothing of a service that keeps a conversation unasked (`surprising`). Services that
    keep nothing, or only what they are asked to keep, are what many OpenAI-compatible servers are: every run here says `store`
    itself, so that what the client assumes where nothing is said does not matter.

    Workflows: their runs take no options, so nobody could say `store`; only threads and persistence are judged here.
    """

    name = "agent-framework-openai"
    version = version("agent-framework-openai")
    capabilities = THREADS_AND_PERSISTENCE - {"service.surprising", "service.without_id"}

    async def open(self, world: World) -> None:
        """One HTTP client for all agents; it says of every request which run it belongs to."""
        await super().open(world)
        self._urls: dict[str, str] = {}

        async def stamp(request: httpx2.Request) -> None:
            request.headers[RUN_HEADER] = str(world.script.number)

        # Not `trust_env`: a proxy that the environment names would be asked for loopback too. Not `verify`: there is no TLS here,
        # and reading the certificates takes longer than most scenarios.
        self._http = httpx2.AsyncClient(trust_env=False, verify=False, event_hooks={"request": [stamp]})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_agent(self, name: str, spec: AgentSpec) -> Agent[Any]:
        """Build an agent that talks to its own service."""
        self._urls[name] = await self.world.http.url(name)
        agent = await super().create_agent(name, spec)
        options = agent.default_options
        options["tools"] = [_checked_by_model(tool) for tool in options.get("tools", ())]
        return agent

    def make_client(self, name: str, spec: AgentSpec) -> BaseChatClient[Any]:
        """The framework's own client on the official SDK, without retries: a second request would be one too many."""
        sdk = AsyncOpenAI(base_url=self._urls[name], api_key="none", max_retries=0, http_client=self._http)
        return OpenAIChatClient(model="scripted", async_client=sdk)

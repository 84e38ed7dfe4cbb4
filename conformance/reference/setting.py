"""What an agent is made of, and what it makes: threads, and their data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from itertools import count
from typing import Any

from conformance.reference.agent_tool import InnerAgent
from conformance.reference.client import LeafClient, PersistingClient
from conformance.reference.errors import Invalid, Unsupported
from conformance.reference.loop import Loop
from conformance.reference.thread import Thread, copied
from conformance.reference.thread_json import ThreadForm
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import ThreadState
from conformance.vocabulary import Policies, ThreadKind
from conformance.world.world import World


class Setting:
    """How an agent is built. It keeps nothing of a run or of a thread on itself, so that runs may interleave.

    inner: the agents that it has as tools, under the names of the tools.
    """

    loop_type = Loop
    leaf_type = LeafClient
    persisting_type = PersistingClient
    form_type = ThreadForm

    def __init__(
        self, name: str, spec: AgentSpec, world: World, policies: Policies, inner: Mapping[str, InnerAgent] | None = None
    ) -> None:
        self.name = name
        self.spec = spec
        self.policies = policies
        self.world = world
        self.service = world.service(name)
        self.tools = {tool.name: tool for tool in world.tools(name)}
        self.inner = dict(inner or {})
        self.inner_calls = count(1)
        self.contexts = world.contexts(name)
        self.history = world.history(name)
        self.decorates = spec.per_service_call and (not spec.client_as_is or spec.decorated)
        self.check_contexts()
        if spec.per_service_call and not self.decorates:
            warnings.warn(
                f"agent {name!r} asks for per-service-call persistence, but its own client stack has no decorator for it",
                stacklevel=2,
            )

    def check_contexts(self) -> None:
        """Raise Invalid where two context providers have one id: they would share their state."""
        seen: set[str] = set()
        for provider in self.contexts:
            if provider.id in seen:
                raise Invalid(f"agent {self.name!r} has two context providers with the id {provider.id!r}; give each its own")
            seen.add(provider.id)

    def supports_hosted(self) -> bool:
        """What the chat client says of itself."""
        return self.leaf_type(self.service).supports_hosted

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A new thread. Raises Unsupported for a hosted one on a client that cannot have the service keep it, unless a run will."""
        if kind == "hosted" and self.policies.unsupported_thread != "at_run":
            self.check_supported()
        return Thread(key=key, kind=kind, service=self.service.agent if kind == "hosted" else None)

    def continue_conversation(self, key: str, id: str) -> Thread:
        """A hosted thread that goes on with a conversation that the service has already."""
        thread = self.create_thread(key, "hosted")
        thread.conversation_id = id
        return thread

    def check_supported(self) -> None:
        """Raise Unsupported where the chat client does not support hosted threads."""
        if not self.supports_hosted():
            raise Unsupported(f"the chat client of {self.name!r} does not support hosted threads; use a local one")

    def describe(self, thread: Thread) -> ThreadState:
        """All that a thread shows."""
        elsewhere = any(each.place is not None for each in thread.trail)
        keeps = thread.kind != "hosted" and not elsewhere and (bool(thread.trail) or self.spec.history == "default")
        return ThreadState(
            kind=thread.kind,
            conversation_id=thread.conversation_id,
            messages=copied(thread.messages) if keeps else None,
            context=deepcopy(thread.context),
        )

    def serialize(self, thread: Thread) -> Any:
        """A thread as plain JSON data."""
        return self.form_type().write(thread)

    def restore(self, data: Any) -> Thread:
        """The thread that data describes. Raises Invalid for malformed data."""
        return self.form_type().read(data)

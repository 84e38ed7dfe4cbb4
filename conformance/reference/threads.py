"""An agent's threads: how they are made and described, and their data."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from conformance.reference.client import LeafClient
from conformance.reference.errors import Unsupported
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread, copied
from conformance.reference.thread_json import ThreadForm
from conformance.trace.exchange import ThreadState
from conformance.vocabulary import ThreadKind
from conformance.world.chat_service import ChatService


class Threads:
    """Makes threads; what they are is on them alone."""

    def __init__(self, setting: Setting, leaf: Callable[[ChatService], LeafClient], form: Callable[[], ThreadForm]) -> None:
        self.setting = setting
        self._leaf = leaf
        self._form = form

    def supports_hosted(self) -> bool:
        """What the chat client says of itself."""
        return self._leaf(self.setting.service).supports_hosted

    def check_supported(self) -> None:
        """Raise Unsupported where the chat client does not support hosted threads."""
        if not self.supports_hosted():
            raise Unsupported(f"the chat client of {self.setting.name!r} does not support hosted threads; use a local one")

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A new thread. Raises Unsupported for a hosted one on a client that cannot have the service keep it, unless a run will."""
        if kind == "hosted" and self.setting.policies.unsupported_thread != "at_run":
            self.check_supported()
        return Thread(key=key, kind=kind, service=self.setting.service.agent if kind == "hosted" else None)

    def continue_conversation(self, key: str, id: str) -> Thread:
        """A hosted thread that goes on with a conversation that the service has already."""
        thread = self.create_thread(key, "hosted")
        thread.conversation_id = id
        return thread

    def describe(self, thread: Thread) -> ThreadState:
        """All that a thread shows."""
        elsewhere = any(each.place is not None for each in thread.trail)
        keeps = thread.kind != "hosted" and not elsewhere and (bool(thread.trail) or self.setting.spec.history == "default")
        return ThreadState(
            kind=thread.kind,
            conversation_id=thread.conversation_id,
            messages=copied(thread.messages) if keeps else None,
            context=deepcopy(thread.context),
        )

    def serialize(self, thread: Thread) -> Any:
        """A thread as plain JSON data."""
        return self._form().write(thread)

    def restore(self, data: Any) -> Thread:
        """The thread that data describes. Raises Invalid for malformed data."""
        return self._form().read(data)

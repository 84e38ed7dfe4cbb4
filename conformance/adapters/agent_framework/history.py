"""Explicit history providers for `agent-framework`: the harness's own, or anybody's whose loads and appends are watched."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any, cast

from agent_framework import FileHistoryProvider, HistoryProvider
from agent_framework import Message as NativeMessage

from conformance.adapter import HistoryStore, Message, UsageError, named, shown
from conformance.adapters.agent_framework.messages import said, to_native

_STORING: ContextVar[bool] = ContextVar("storing", default=False)
"""Whether a watched provider is appending."""


class Kept(HistoryProvider):
    """The harness's history store as an explicit history provider.

    The store keeps neutral messages, and what it answers is what is loaded, also where a fault is injected there. For each of them
    the serialized native form is remembered, as the framework's own providers write it: it holds what the neutral form has no word
    for.
    """

    def __init__(self, store: HistoryStore) -> None:
        super().__init__("conformance_history")
        self._store = store
        self._written: dict[int, tuple[Message, dict[str, Any]]] = {}

    async def get_messages(
        self, session_id: str | None, *, state: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[NativeMessage]:
        """What the store has under the session's id."""
        return [self._native(message) for message in await self._store.load(session_id or "")]

    def _native(self, message: Message) -> NativeMessage:
        _, written = self._written.get(id(message), (message, to_native(message).to_dict()))
        return NativeMessage.from_dict(written)

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[NativeMessage],
        *,
        state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append under the session's id."""
        neutral = said(messages)
        # The neutral message stands beside its native form so that it lives as long as its identity is used.
        self._written.update((id(each), (each, native.to_dict())) for each, native in zip(neutral, messages, strict=True))
        await self._store.append(session_id or "", neutral)


def watched(provider: HistoryProvider, store: HistoryStore) -> HistoryProvider:
    """The provider itself: the framework deals with nothing else. What passes through `get_messages` and `save_messages` is seen.

    Both are replaced on this one instance, so that a class that overrides `before_run` or `after_run` is watched all the same.
    """
    get, save = provider.get_messages, provider.save_messages

    async def get_messages(session_id: str | None, **options: Any) -> list[NativeMessage]:
        if _STORING.get():  # a provider that looks at what it has before it appends: nothing that a run loads
            return await get(session_id, **options)
        key = session_id or ""
        store.may_fail("load", key)
        try:
            messages = await get(session_id, **options)
        except Exception as error:
            store.broke("load", error)
            raise
        store.loaded(key, said(messages))
        return messages

    async def save_messages(session_id: str | None, messages: Sequence[NativeMessage], **options: Any) -> None:
        key, neutral = session_id or "", said(messages)
        store.may_fail("append", key, neutral)
        token = _STORING.set(True)
        try:
            await save(session_id, messages, **options)
        except Exception as error:
            store.broke("append", error)
            raise
        finally:
            _STORING.reset(token)
        store.appended(key, neutral)

    for method in (get_messages, save_messages):
        setattr(provider, method.__name__, method)
    return provider


Factory = Callable[[], object]
"""Makes a new, empty history provider: it returns one, or a context manager of one, which is left when the scenario is over."""


class Histories:
    """One provider for each agent that has an explicit one; every agent that is built under that name gets the same."""

    def __init__(self, factory: str | None) -> None:
        self.sources: set[str] = set()  # the ids under which sessions have what these providers keep there
        self._factory = factory_of(factory) if factory is not None else None
        self._providers: dict[str, HistoryProvider] = {}
        self._open = AsyncExitStack()

    async def provide(self, agent: str, store: HistoryStore) -> HistoryProvider:
        """The provider of an agent."""
        if agent not in self._providers:
            provider = watched(await self._made(self._factory), store) if self._factory else Kept(store)
            self._providers[agent] = provider
            self.sources.add(provider.source_id)
        return self._providers[agent]

    async def _made(self, factory: Factory) -> HistoryProvider:
        made = factory()
        if isinstance(made, AbstractContextManager):
            made = self._open.enter_context(cast("AbstractContextManager[object]", made))
        elif isinstance(made, AbstractAsyncContextManager):
            made = await self._open.enter_async_context(cast("AbstractAsyncContextManager[object]", made))
        return _checked(made)

    async def close(self) -> None:
        """Leave the providers."""
        await self._open.aclose()


@cache
def factory_of(path: str) -> Factory:
    """The factory of that name, tried out once. Raises UsageError."""
    factory = named(path, callable, what="functions or classes", name="factory")
    if not callable(factory):
        raise UsageError(f"{path}: got {factory!r}, expected a function or a class that makes a history provider")
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise UsageError(f"{path}: {error}; it is called without arguments, for every agent of every scenario") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a framework says once, say of a class that is experimental, concerns no scenario
            _try(factory)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path}: making a history provider raised {shown(error)}") from error
    return factory


def _try(factory: Factory) -> None:
    made = factory()
    if isinstance(made, AbstractContextManager):
        with cast("AbstractContextManager[object]", made) as provider:
            _checked(provider)
    elif not isinstance(made, AbstractAsyncContextManager):
        _checked(made)


def _checked(made: Any) -> HistoryProvider:
    """What a factory made, if it is a history provider. Raises UsageError."""
    if not isinstance(made, HistoryProvider):
        raise UsageError(f"it made {made!r}, expected an agent_framework.HistoryProvider")
    missing = [name for name in ("get_messages", "save_messages") if hasattr(getattr(made, name), "__isabstractmethod__")]
    if missing:
        raise UsageError(f"{type(made).__name__} is no whole history provider; write: {', '.join(missing)}")
    return made


@contextmanager
def files() -> Generator[FileHistoryProvider]:
    """One that keeps its files in a temporary folder, which is removed when the scenario is over."""
    with TemporaryDirectory(prefix="conformance-history-") as folder:
        yield FileHistoryProvider(folder)

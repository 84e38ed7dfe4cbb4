"""The explicit history providers of one scenario: where they come from, and how they are given back."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from functools import cache
from typing import Any, cast

from agent_framework import HistoryProvider

from conformance.adapters.agent_framework_history import Kept, watched
from conformance.named import named, shown
from conformance.usage import UsageError
from conformance.world.history import HistoryStore

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

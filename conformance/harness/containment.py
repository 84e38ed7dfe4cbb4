"""An attempt: an action of the implementation, with every way in which it can end made an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Literal, NoReturn

from conformance.harness.blame import culprit, is_mistake, place_of
from conformance.implementation.protocol import AnyImplementation, NotSupported
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Broke, Cancelled, Refused
from conformance.world.errors import Endless
from conformance.world.event_log import stable
from conformance.world.script import Script
from conformance.world.world import World


class Stop(Exception):
    """The performance cannot go on; the reason is recorded."""


class Absent(NotSupported):
    """What the step needs is not there, because of what became of earlier steps: the harness says so, not the adapter."""


def malformed(world: World, implementation: AnyImplementation, method: str, got: object, expected: str) -> NoReturn:
    """Record that the adapter handed over something that it must not. Raises Stop."""
    text = stable(f"{method} of the adapter: got {got}, expected {expected}")
    world.record(Broke, cause="malformed", text=text, blame="adapter", where=place_of(implementation, method))
    raise Stop


def crashed(world: World, implementation: AnyImplementation, method: str, error: Exception) -> None:
    """Record that a method of the adapter raised where nothing may raise."""
    found = culprit(error, implementation)
    where = found.where or place_of(implementation, method)
    world.record(Broke, cause="crash", text=stable(f"{method}: {error!r}"), run=None, blame=found.blame, where=where)


DEADLOCK = "it waits, and nothing is left that could end the waiting"


class Watch:
    """What is under way in one performance, and can be cut off where it comes to no end."""

    def __init__(self, world: World, implementation: AnyImplementation) -> None:
        self._world = world
        self._implementation = implementation
        self._open: dict[asyncio.Timeout, int | None] = {}
        self._cause: Literal["deadlock", "timeout"] = "timeout"
        self._text = ""

    def cut(self, cause: Literal["deadlock", "timeout"], text: str) -> bool:
        """Cut off everything that is under way; False where there is nothing that was not cut off before."""
        uncut = [limit for limit in self._open if not limit.expired()]
        self._cause, self._text = cause, text
        for limit in uncut:
            limit.reschedule(asyncio.get_running_loop().time())
        return bool(uncut)

    @property
    def run(self) -> int | None:
        """The run that is under way, the first of several; None where what is under way is no run."""
        return next(iter(self._open.values()), None)

    @asynccontextmanager
    async def over(self, what: str = "", run: int | None = None) -> AsyncGenerator[None]:
        """Let what happens in here be cut off, and record it where it was. Raises Stop then, whatever was made of it in here."""
        limit = asyncio.timeout(None)
        caught: BaseException | None = None
        try:
            async with limit:
                self._open[limit] = run
                try:
                    yield
                finally:
                    del self._open[limit]
        except BaseException as error:
            if not limit.expired() or isinstance(error, GeneratorExit):  # thrown away with its event loop
                raise
            caught = error.__cause__ if isinstance(error, TimeoutError) else error
        if limit.expired():
            # where a clock cut it off says where it was by chance
            where = culprit(caught, self._implementation).where if caught and self._cause == "deadlock" else None
            self._world.record(Broke, cause=self._cause, text=what + self._text, run=run, where=where)
            raise Stop


async def attempt(
    action: Awaitable[None], world: World, implementation: AnyImplementation, watch: Watch, script: Script | None = None
) -> None:
    """Await an action. Raises Stop where it came to no end that can be judged."""
    run = script.number if script else None
    try:
        async with watch.over(run=run):
            await action
    except (Stop, GeneratorExit):
        raise
    except Endless:
        raise Stop from None
    except NotSupported as why:
        world.record(Refused, text=str(why), absent=isinstance(why, Absent), run=run)
    except asyncio.CancelledError:
        if script is None or not script.cancelled:
            raise
        world.record(Cancelled, run=run)
    except Exception as error:
        _raised(error, world, implementation, run)
    except BaseException as error:
        world.record(Broke, cause="exit", text=stable(repr(error)), run=run)
        raise Stop from None


def _raised(error: Exception, world: World, implementation: AnyImplementation, run: int | None) -> None:
    """Record what a step raised. Raises Stop for a mistake in the adapter's own code: that says nothing of the implementation."""
    found = culprit(error, implementation)
    text, native = stable(str(error)), type(error).__name__
    if found.blame == "adapter" and is_mistake(error):
        world.record(Broke, cause="crash", text=f"{native}: {text}", run=run, blame="adapter", where=found.where)
        raise Stop from None
    world.record(Raised, kind=implementation.error_kind(error), text=text, native=native, where=found.where, run=run)

"""An attempt: an action of the implementation, with every way in which it can end made an event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NoReturn

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


async def attempt(
    action: Awaitable[None], world: World, implementation: AnyImplementation, *, seconds: float, script: Script | None = None
) -> None:
    """Await an action, for at most so many seconds. Raises Stop where it came to no end that can be judged."""
    run = script.number if script else None
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await action
    except Stop:
        raise
    except Endless:
        raise Stop from None
    except NotSupported as why:
        world.record(Refused, text=str(why), run=run)
    except asyncio.CancelledError:
        if script is None or not script.cancelled:
            raise
        world.record(Cancelled, run=run)
    except Exception as error:
        if isinstance(error, TimeoutError) and limit.expired():
            world.record(Broke, cause="timeout", text=f"no end within {seconds:g} s", run=run)
            raise Stop from None
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

"""Drawing scenarios with Hypothesis, the same ones every time, and shrinking one that proves something."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args
from unittest.mock import patch

import msgspec
from hypothesis import Phase, Verbosity, find, settings
from hypothesis.errors import Flaky, NoSuchExample
from hypothesis.strategies import SearchStrategy

from conformance.scenario.scenario import Scenario

SEED = 20_251

ProfileName = Literal["quick", "default", "thorough"]
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class Profile:
    """How much is tried.

    pool: generated scenarios an area. shrink: scenarios tried to make one counterexample smaller. both_ways: whether generated
    scenarios are also performed with streaming flipped.
    """

    name: ProfileName
    pool: int
    shrink: int
    both_ways: bool = False


_PROFILES: dict[ProfileName, Profile] = {
    "quick": Profile("quick", pool=50, shrink=200),
    "default": Profile("default", pool=300, shrink=600),
    "thorough": Profile("thorough", pool=2300, shrink=2000, both_ways=True),
}


def profile(name: ProfileName) -> Profile:
    """The profile of a name."""
    return _PROFILES[name]


class Enough(BaseException):
    """Ends a search from inside. Not an Exception: Hypothesis would take that for a failure and shrink it."""


def draw(strategy: SearchStrategy[Scenario], count: int, visit: Callable[[Scenario], None], *, seed: int = SEED) -> None:
    """Hand up to `count` scenarios to `visit`; it may raise Enough. The same seed draws the same ones."""

    def never(scenario: Scenario) -> bool:
        visit(scenario)
        return False

    _find(strategy, count, never, seed)


def smallest(
    strategy: SearchStrategy[Scenario], effort: Profile, proves: Callable[[Scenario], bool], known: Scenario | None = None
) -> Scenario | None:
    """The smallest scenario found that proves something; `known`, which proves it too, where nothing smaller is found."""
    best, tried = known, 0

    def condition(scenario: Scenario) -> bool:
        nonlocal best, tried
        if tried == effort.pool + effort.shrink:
            raise Enough
        tried += 1
        if not proves(scenario):
            return False
        if best is None or size(scenario) < size(best):
            best = scenario
        return True

    _find(strategy, effort.pool, condition)
    return best


def size(scenario: Scenario) -> tuple[int, int]:
    """What makes one scenario smaller than another: fewer steps, then less to read. The title does not count."""
    return len(scenario.steps), len(key(scenario))


def key(scenario: Scenario) -> bytes:
    """What two scenarios share that are the same thing to do."""
    return msgspec.json.encode(msgspec.structs.replace(scenario, title="", shows=()))


def _find(strategy: SearchStrategy[Scenario], count: int, condition: Callable[[Scenario], bool], seed: int = SEED) -> None:
    effort = settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,  # the seed below decides, also where a profile for CI says otherwise
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    # flaky: the implementation is not the same every time; what `condition` saw until then stands
    with _only_the_seed(), suppress(NoSuchExample, Enough, Flaky):
        find(strategy, condition, settings=effort, random=Random(seed))


@contextmanager
def _only_the_seed() -> Generator[None]:
    """Let nothing but the seed decide what is drawn.

    Hypothesis also draws constants that it finds in the modules of the project that happen to be imported, and keeps them in a
    `.hypothesis` folder: a scenario would depend on where it is drawn. It has no setting for that, hence its internals.
    """
    try:
        from hypothesis.internal.conjecture import providers
        from hypothesis.internal.constants_ast import Constants

        fresh = type(providers.CONSTANTS_CACHE)(providers.CONSTANTS_CACHE.max_size)
        getattr(providers, "_get_local_constants")  # noqa: B009
    except (ImportError, AttributeError):  # another version of Hypothesis
        yield
        return
    with patch.multiple(providers, _get_local_constants=Constants, CONSTANTS_CACHE=fresh):
        yield

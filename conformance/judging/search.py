"""How much is tried, and drawing scenarios with Hypothesis: the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args
from unittest.mock import patch

import msgspec
from hypothesis import Phase, Verbosity, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from conformance.scenario.scenario import Scenario

ProfileName = Literal["quick", "default", "thorough"]
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class Profile:
    """How much is tried.

    corpus: scenarios of the frozen corpus an area, the first ones; None: all. explore: scenarios an area that are drawn anew, with
    this seed. shrink: scenarios tried to make one counterexample smaller. both_ways: whether scenarios of corpus and exploration
    are also performed with streaming flipped.
    """

    name: ProfileName
    corpus: int | None = None
    explore: int = 0
    seed: int = 0
    shrink: int = 600
    both_ways: bool = False


_PROFILES: dict[ProfileName, Profile] = {
    "quick": Profile("quick", corpus=50, shrink=200),
    "default": Profile("default"),
    "thorough": Profile("thorough", explore=2000, shrink=2000, both_ways=True),
}


def profile(name: ProfileName) -> Profile:
    """The profile of a name."""
    return _PROFILES[name]


class Enough(BaseException):
    """Ends a search from inside. Not an Exception: Hypothesis would take that for a failure and shrink it."""


def draw(strategy: SearchStrategy[Scenario], count: int, visit: Callable[[Scenario], None], *, seed: int) -> None:
    """Hand up to `count` scenarios to `visit`; it may raise Enough. One seed draws the same, with one version of Hypothesis."""

    def never(scenario: Scenario) -> bool:
        visit(scenario)
        return False

    effort = settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,  # the seed decides, also where a profile for CI says otherwise
        phases=(Phase.generate,),
        verbosity=Verbosity.quiet,
    )
    with _only_the_seed(), suppress(NoSuchExample, Enough):
        find(strategy, never, settings=effort, random=Random(seed))


def size(scenario: Scenario) -> tuple[int, int]:
    """What makes one scenario smaller than another: fewer steps, then less to read. The title does not count."""
    return len(scenario.steps), len(key(scenario))


def key(scenario: Scenario) -> bytes:
    """What two scenarios share that are the same thing to do."""
    return msgspec.json.encode(msgspec.structs.replace(scenario, title="", shows=()))


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

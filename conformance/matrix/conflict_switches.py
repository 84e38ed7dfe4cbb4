"""The conflict switches: each combination, on the first or on a later turn, streaming or not, on either sort of provider."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal

from conformance.matrix.cells import SERVICES
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, OnConflict, ReplySpec

_BOTH = (True, False)


def scenarios() -> Iterator[Scenario]:
    """All 64 of them; the service returns an id although the thread is local, then there is one more run."""
    for throw, warn, clear, history, later, stream in product(_BOTH, _BOTH, _BOTH, ("provider", "default"), _BOTH, _BOTH):
        switches = OnConflict(throw=throw, warn=warn, clear=clear)
        yield _scenario(switches, "provider" if history == "provider" else "default", later=later, stream=stream)


def _scenario(switches: OnConflict, history: Literal["default", "provider"], *, later: bool, stream: bool) -> Scenario:
    agent = AgentSpec(service=SERVICES["surprising"], history=history, on_conflict=switches)
    quiet = [Run(thread="t", say=("one",), stream=stream, replies=(ReplySpec(text="two", without_id=True),))]
    return Scenario(
        title=_title(switches, history, later=later, stream=stream),
        agents={"a": agent},
        steps=(
            CreateThread(thread="t", agent="a"),
            *(quiet if later else ()),
            Run(thread="t", say=("three",), stream=stream, replies=(ReplySpec(text="four"),)),
            Run(thread="t", say=("five",), stream=stream, replies=(ReplySpec(text="six"),)),
        ),
    )


def _title(switches: OnConflict, history: str, *, later: bool, stream: bool) -> str:
    on = [name for name in ("throw", "warn", "clear") if getattr(switches, name)]
    provider = "a configured provider" if history == "provider" else "the default provider"
    turn = "a later" if later else "the first"
    return f"a conflict on {turn} turn{', streaming' if stream else ''}, {provider}, switched on: {', '.join(on) or 'nothing'}"

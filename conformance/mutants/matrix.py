"""The matrix of mutants and rules: which rules kill which mutant, and whether these are the ones that should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.judging.kills import Kill
from conformance.judging.material import Material
from conformance.mutants.mutant import Mutant, rules_of
from conformance.mutants.trial import Suspect, Trial
from conformance.mutants.workers import Share, shared
from conformance.rules.rule import Rule
from conformance.vocabulary import AREAS


@dataclass
class Found:
    """What came of one mutant: the ways in which rules are broken, what broke else, and how many executions there were."""

    ways: set[str] = field(default_factory=set[str])
    broke: str | None = None
    performed: int = 0
    taken_over: int = 0


def rows(
    chosen: Mapping[str, type[Mutant]],
    rules: Sequence[Rule],
    *,
    material: Material | None = None,
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> Iterator[Kill]:
    """Judge every mutant by every rule, on all that is frozen. told: of every share of the scenarios that is done, of how many.

    Raises ValueError for a mutant that does not say what it has to say.
    """
    found = [Found() for _ in chosen]
    for done, (each, of) in enumerate(shared(_share, chosen, rules, material), start=1):
        for one, more in zip(found, each, strict=True):
            one.ways |= more.ways
            one.broke = one.broke or more.broke
            one.performed += more.performed
            one.taken_over += more.taken_over
        told(done, of)
    for mutant, one in zip(chosen.values(), found, strict=True):
        yield _row(mutant, one)


def _row(mutant: type[Mutant], found: Found) -> Kill:
    return Kill(
        mutant=mutant.name,
        fault=mutant.fault(),
        imitates=mutant.imitates,
        breaks=mutant.breaks,
        expected=tuple(sorted(mutant.expected)),
        killed_by=tuple(sorted(rules_of(found.ways))),
        ways=tuple(sorted(found.ways)),
        broke=found.broke,
        performed=found.performed,
        taken_over=found.taken_over,
    )


def _share(chosen: Sequence[type[Mutant]], trial: Trial, share: Share) -> list[Found]:
    """What comes of mutants in a share of the scenarios: all of them share what the reference does there."""
    return [_found(Suspect(mutant), trial, share) for mutant in chosen]


def _found(suspect: Suspect, trial: Trial, share: Share) -> Found:
    found = Found()
    mutant = suspect.mutant
    meant = {mutant.area(), *(rule.area for rule in trial.rules if rule.id in mutant.expected)}
    trial.done.clear()
    for area in AREAS:
        # elsewhere the fixtures show well enough that it breaks nothing
        scenarios = share.of_all(trial.frozen(area, suspect.subject, all=area in meant))
        for violated, broken in trial.violated(area, suspect, scenarios):
            found.ways |= violated
            found.broke = found.broke or (str(broken) if broken else None)
    found.performed, found.taken_over = trial.done["performed"], trial.done["taken over"]
    return found

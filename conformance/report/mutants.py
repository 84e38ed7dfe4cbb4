"""What killed the mutants, as Markdown: a report of its own."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.judging.kills import Matrix
from conformance.report.markup import foreign, own, table


def mutants_report(matrix: Matrix) -> str:
    """The whole report."""
    return "\n".join(_lines(matrix)) + "\n"


def _lines(matrix: Matrix) -> Iterator[str]:
    yield "# Mutants"
    yield ""
    yield "Deliberate faults in the reference, and the rules that kill them: proof that these rules can fail."
    yield ""
    rows = [
        [
            f"`{row.mutant}`",
            own(row.fault),
            f"<{row.imitates}>" if row.imitates.startswith("https://") else foreign(row.imitates),
            ", ".join(row.killed_by),
            "as expected" if row.equal else f"**expected {', '.join(row.expected)}**",
        ]
        for row in matrix.rows
    ]
    yield from table(["mutant", "fault", "imitates", "killed by", ""], rows)
    yield f"Rules that no mutant kills: {', '.join(matrix.unkilled) or 'none'}."

from msgspec.structs import replace

from conformance.judging.kills import Kill, Matrix
from conformance.report.mutants import mutants_report

KILL = Kill(
    mutant="m",
    fault="Wrong | so.",
    imitates="https://example.org/1",
    expected=("THR-05",),
    killed_by=("THR-05",),
    breaks="THR-05/loud",
    ways=("THR-05/loud",),
)


def test_the_report_of_the_mutants_says_what_killed_each_and_what_should_have():
    survivor = replace(KILL, mutant="s", imitates="a <slip>", killed_by=(), ways=())
    lines = mutants_report(Matrix((KILL, survivor), ("THR-06",))).splitlines()
    assert lines[0] == "# Mutants"
    assert "| `m` | Wrong \\| so. | <https://example.org/1> | THR-05 | as expected |" in lines
    assert "| `s` | Wrong \\| so. | a \\<slip\\> |  | **expected THR-05** |" in lines
    assert lines[-1] == "Rules that no mutant kills: THR-06."
    assert "none" in mutants_report(Matrix((KILL,), ())).splitlines()[-1]

"""The reference's trace of every fixture, under snapshots/; rewritten with `--snapshot-update`."""

import msgspec
import pytest
from samples import Shouting, conversation
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from conformance.harness.runner import perform
from conformance.judging.snapshots import Snapshots, canonical, compare, stored
from conformance.reference.implementation import Reference
from conformance.scenario.files import files, folder, load, read
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Warned
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS, Policies

FIXTURES = {f"{area}/{path.parent.name}/{path.stem}": read(path) for area in AREAS for path in files("fixtures", area)}
TEST = "test_the_reference_reproduces_its_snapshot"


class FixtureSnapshot(SingleFileSnapshotExtension):
    """One JSON file a fixture, where the package ships them; the snapshot's index is `area/section/fixture`."""

    _write_mode = WriteMode.TEXT
    file_extension = "json"

    @classmethod
    def dirname(cls, *, test_location):
        return str(folder("snapshots"))

    @classmethod
    def get_file_basename(cls, *, test_location, index):
        return str(index)

    @classmethod
    def get_snapshot_name(cls, *, test_location, index=0):
        return f"{TEST}[{index}]"

    @classmethod
    def matches_test_location(cls, *, test_location, snapshot_location):
        return True

    def read_snapshot_collection(self, *, snapshot_location):
        found = super().read_snapshot_collection(snapshot_location=snapshot_location)
        (snapshot,) = found
        found.remove(snapshot.name)
        found.add(type(snapshot)(name=f"{TEST}[{'/'.join(snapshot_location.removesuffix('.json').split('/')[-3:])}]"))
        return found


@pytest.mark.parametrize("fixture", FIXTURES)
def test_the_reference_reproduces_its_snapshot(fixture, snapshot):
    trace = perform(FIXTURES[fixture], Reference)
    assert trace.broken is None, f"the reference does not come to the end of {fixture}: {trace.broken}"
    expected = snapshot(name=fixture, extension_class=FixtureSnapshot)
    assert canonical(FIXTURES[fixture], trace) == expected, (
        f"{fixture}: if it should do this, run --snapshot-update, and read the change"
    )


def test_every_snapshot_belongs_to_a_fixture():
    kept = {f"{area}/{path.parent.name}/{path.stem}" for area in AREAS for path in files("snapshots", area)}
    assert kept == set(FIXTURES), "; ".join(
        [f"snapshots/{each}.json has no fixture: delete it, or run --snapshot-update" for each in sorted(kept - set(FIXTURES))]
        + [f"fixtures/{each}.json has no snapshot: run --snapshot-update, and read it" for each in sorted(set(FIXTURES) - kept)]
    )


def test_wording_does_not_count_but_what_happens_does():
    scenario = conversation("hello")
    events = (Warned(step=0, text="careful", source="me"), Raised(step=1, kind="other", text="no", native="MyError"))
    one = Trace(implementation="one", version="1", events=events)
    events = (
        Warned(step=0, text="mind this", source="you"),
        Raised(step=1, kind="other", text="sorry", native="YourError", where="you.py:1"),
    )
    other = Trace(implementation="other", version="2", events=events)
    assert canonical(scenario, one) == canonical(scenario, other)
    third = msgspec.structs.replace(other, events=(events[0], Raised(step=1, kind="conflict", text="no", native="MyError")))
    assert canonical(scenario, one) != canonical(scenario, third)


def test_an_implementation_is_compared_where_its_policies_are_the_reference_s():
    name, scenario = load("threads")[0]
    same = {name: (scenario, perform(scenario, Reference))}
    assert stored("threads", name) is not None
    assert compare("threads", 3, same) == Snapshots(equal=1, not_comparable=2)
    other = {name: (scenario, msgspec.structs.replace(same[name][1], policies=Policies()))}
    assert compare("threads", 3, other) == Snapshots(not_comparable=3)
    in_steps = {name: (scenario, msgspec.structs.replace(same[name][1], capabilities=("history.incremental",)))}
    assert compare("threads", 3, in_steps) == Snapshots(not_comparable=3)
    silent = {name: (scenario, msgspec.structs.replace(same[name][1], events=()))}
    assert compare("threads", 3, silent) == Snapshots(differing=(f"threads/{name}",), not_comparable=2)
    unfinished = {name: (scenario, perform(scenario, lambda: Shouting(volume="no such policy")))}
    assert compare("threads", 3, unfinished) == Snapshots(not_comparable=3)

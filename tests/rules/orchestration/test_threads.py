"""ORC-35 to ORC-38 on traces written by hand."""

from __future__ import annotations

from flows import DRAFTS, flow, in_turn, run, spoken
from written import Written, broken, calls, holds, left_alone, results

from conformance.scenario.specs import AgentSpec, ServiceSpec, WorkflowSpec
from conformance.trace.harness_events import Abandoned

# --- ORC-35 ---


def wrapped(first: str | None = "t", second: str | None = "t") -> Written:
    """A workflow as an agent has answered on a thread, and is run again on one."""
    runs = (run("one", as_agent=True, thread=first), run("two", as_agent=True, thread=second))
    return Written(flow("sequential", "a", runs=runs)).run().spoke("a", "A", "one").returned("A").run()


def test_orc_35_holds_where_a_participant_hears_its_own_thread_once():
    assert holds(wrapped().spoke("a", "B", "one", "=A", "two"), "ORC-35")
    assert holds(wrapped("t", "u").spoke("a", "B", "two"), "ORC-35")
    assert holds(wrapped(None, None).spoke("a", "B", "two"), "ORC-35")


def test_orc_35_breaks():
    assert broken(wrapped("t", "u").spoke("a", "B", "one", "two"), "ORC-35") == {"another thread"}
    assert broken(wrapped(None, None).spoke("a", "B", "two", held=("=A",)), "ORC-35") == {"another thread"}
    assert broken(wrapped().spoke("a", "B", "one", "one", "=A", "two"), "ORC-35") == {"repeated"}


# --- ORC-36 ---


def handed_over(*, back: bool = False) -> Written:
    """The first one has handed over; back: and got control back."""
    written = Written(flow("handoff")).run().spoke("a", calls("1", to_b={}, text="A"), "go")
    return written.spoke("b", calls("2", to_a={}, text="B"), "go", "=A") if back else written


def test_orc_36_holds_where_who_takes_over_hears_it_all():
    assert holds(handed_over().spoke("b", "B", "go", "=A").completed(), "ORC-36")
    own = (calls("1", text="A", to_b={}), results(**{"1": "done"}))
    assert holds(handed_over(back=True).spoke("a", "C", "go", *own, "=B").completed(), "ORC-36")


def test_orc_36_breaks():
    assert broken(handed_over().spoke("b", "B"), "ORC-36") == {"empty"}
    assert broken(handed_over().spoke("b", "B", "go"), "ORC-36") == {"missing"}
    assert broken(handed_over(back=True).spoke("a", "C", "go", "=A", "=B"), "ORC-36") == {"own handoff"}


def test_orc_36_says_nothing_where_nobody_takes_over():
    assert not Written(flow("handoff")).run().spoke("a", "A", "go").completed().findings("ORC-36")
    assert not in_turn(flow()).completed("B").findings("ORC-36")


# --- ORC-37 ---


def storing(pattern: str = "group_chat", *participants: str, **workflow) -> Written:
    """A participant on a storing service has answered once."""
    agents = {"a": AgentSpec(service=ServiceSpec(keeps="one_id")), "b": AgentSpec()}
    scenario = flow(pattern, *(participants or ("a", "b")), runs=(run("go", "go on"),), agents=agents, **workflow)
    return Written(scenario).run().spoke("a", "A", "go").spoke("b", "B", "go", "=A")


def test_orc_37_holds_where_new_messages_are_sent_or_everything():
    assert holds(storing().spoke("a", "A2", "=B", held=("go", "=A"), conversation_id="a-1"), "ORC-37")
    assert holds(storing().spoke("a", "A2", "go", "=A", "=B"), "ORC-37")
    task = storing("magentic").spoke("a", "A2", "go", held=("go", "=A"), conversation_id="a-1")
    assert holds(task, "ORC-37")


def test_orc_37_breaks():
    assert broken(storing().spoke("a", "A2", "go", held=("go", "=A"), conversation_id="a-1"), "ORC-37") == {"repeated"}
    used = (calls("1", weather={}),)
    assert broken(storing().spoke("a", "A2", *used, held=used, conversation_id="a-1"), "ORC-37") == {"repeated"}
    assert broken(storing().spoke("a", "A2", "=B"), "ORC-37") == {"missing"}


def test_orc_37_counts_what_was_said_on_this_thread():
    agents = {"a": AgentSpec(service=ServiceSpec(keeps="one_id"))}
    threads = ("t", "u", "u")
    runs = tuple(run("go", as_agent=True, thread=thread) for thread in threads)
    first = Written(flow("sequential", "a", runs=runs, agents=agents)).run().spoke("a", "A", "go").returned("A")
    second = first.run().spoke("a", "B", "go").returned("B").run()
    assert broken(second.spoke("a", "C", "go", "go", held=("go", "=B"), conversation_id="a-1"), "ORC-37") == {"repeated"}


def test_orc_37_leaves_alone():
    child = {"child": WorkflowSpec(pattern="sequential", participants=("a",))}
    assert left_alone(storing("sequential", "child", "b", others=child).called("=B"), "ORC-37") == {"of a child"}
    assert left_alone(storing("magentic", max_stalls=1).called("=B"), "ORC-37") == {"may begin anew"}


# --- ORC-38 ---


def abandoned(**options) -> Written:
    """The consumer of a workflow's stream has left it."""
    scenario = flow(runs=(run("one", stream=True, abandons=1), run("two", stream=True)), **options)
    return spoken(Written(scenario), "one").event(Abandoned, chunks=1)


def test_orc_38_holds_where_it_can_be_used_again_or_says_that_it_cannot():
    assert holds(abandoned().run().spoke("a", "C", "two").spoke("b", "D", "=C").completed("D"), "ORC-38")
    assert holds(abandoned().run().spoke("a", "C", "two").chunk("C", "a"), "ORC-38")
    assert holds(abandoned().run().pending(tool="pay"), "ORC-38")
    assert holds(abandoned().run().raised(text="the workflow is still running"), "ORC-38")


def test_orc_38_breaks():
    again = abandoned().run().spoke("a", "C", "two").spoke("b", "D", "=C")
    assert broken(again.completed("one"), "ORC-38") == {"leaked"}
    assert broken(abandoned().run().spoke("a", "C", "two").output("A").pending(tool="pay"), "ORC-38") == {"leaked"}
    assert broken(abandoned().run().raised(text="NoneType"), "ORC-38") == {"unclear error"}
    assert broken(abandoned().run(), "ORC-38") == {"no completion"}


def test_orc_38_leaves_alone():
    assert left_alone(abandoned().run().called("two").failed().raised(), "ORC-38") == {"faulty"}
    assert left_alone(abandoned().run().event(Abandoned, chunks=1), "ORC-38") == {"cut off"}
    runs = (run("one", stream=True, abandons=1), run("two", stream=True))
    scenario = flow("custom", runs=runs, stages=(("x",),), executors=DRAFTS)
    written = Written(scenario).run().output("draft").event(Abandoned, chunks=1).run().output("draft")
    assert left_alone(written, "ORC-38") == {"left to author"}


def test_orc_38_says_nothing_of_a_workflow_that_nobody_left():
    scenario = flow(runs=(run("one", stream=True), run("two", stream=True)))
    assert not spoken(in_turn(scenario).completed("B"), "two").findings("ORC-38")

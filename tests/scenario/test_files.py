"""Scenario files: strict, and errors that name file and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.scenario.files import WIDTH, ScenarioError, check, decode, encode, read
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, OnConflict, ServiceSpec

AGENTS = '"agents": {"a": {"tools": {"pay": {"approval": true}}}, "b": {}}'
DATA = '{"do": "serialize", "thread": "t"}'
RUN = '{"do": "run", "thread": "t", "say": []}'
THREAD = '{"do": "create_thread", "thread": "t", "agent": "a"}'
ASKING = '"a": {"tools": {"ask": {"agent": "b"}}}, "b": {}'


def message(text: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        decode(text, name="fixtures/x.json")
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2: not JSON"),
        ("[]", "$: got a list, expected an object"),
        ('{"titel": "x"}', "$.titel: there is no such field; did you mean 'title'?"),
        ('{"title": "x", "title": "y"}', "the field 'title' stands twice in one object"),
        ('{"agents": {"a b": {"per_service_call": 1}}}', "$.agents['a b'].per_service_call: got 1, expected true or false"),
        (
            '{"agents": {"a": {"service": {"keeps": "new_id"}}}}',
            "$.agents.a.service.keeps: got 'new_id', expected one of 'new_ids', 'nothing', 'one_id'; did you mean 'new_ids'?",
        ),
        ('{"steps": [{"thread": "t"}]}', "$.steps[0].do: missing, expected one of 'create_thread',"),
        ('{"steps": [{"do": "runn"}]}', "$.steps[0].do: got 'runn', expected one of 'create_thread',"),
        ('{"steps": [{"do": "run", "thread": "t"}]}', "$.steps[0].say: missing, expected a list"),
        ('{"steps": [{"do": "run", "thread": "t", "say": [3]}]}', "$.steps[0].say[0]: got 3, expected a text"),
        (
            '{"steps": [{"do": "run", "thread": "t", "say": [], "store": "no"}]}',
            "$.steps[0].store: got 'no', expected true or false",
        ),
        (
            '{"steps": [{"do": "run", "thread": "t", "say": [], "conversation_id": "me"}]}',
            "$.steps[0].conversation_id: got 'me', expected one of 'other', 'own'",
        ),
        ('{"steps": [{"do": "respond", "request": 0.5}]}', "$.steps[0].request: got 0.5, expected a whole number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_does_not_fit_names_file_and_field(text: str, said: str) -> None:
    assert message(text).startswith(f"fixtures/x.json: {said}")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ('{"do": "create_thread", "thread": "t", "agent": "c"}', "$.steps[0].agent: got 'c', expected an agent"),
        (f"{THREAD}, {THREAD}", "$.steps[1].thread: got 't', which an earlier step created or restored"),
        (
            '{"do": "create_thread", "thread": "t", "agent": "a", "with_id": true}',
            "$.steps[0].with_id: only a hosted thread continues a conversation",
        ),
        (f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "agent": "c"}}', "$.steps[1].agent: got 'c', expected an agent"),
        (
            f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "agent": "b", "replies": [{{"calls": [{{"tool": "pay"}}]}}]}}',
            "$.steps[1].replies[0].calls[0].tool: got 'pay', expected a tool of the agent; there is none",
        ),
        (
            f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "inner": {{"b": []}}}}',
            "$.steps[1].inner.b: got 'b', expected an agent that 'a' has as a tool; there is none",
        ),
        (f'{THREAD}, {{"do": "serialize", "thread": "u"}}', "$.steps[1].thread: got 'u', expected a thread that an earlier step"),
        (f'{THREAD}, {{"do": "tamper", "thread": "u"}}', "$.steps[1].thread: got 'u', expected a thread that an earlier step"),
        (
            f'{THREAD}, {{"do": "restore", "thread": "u", "data": "t"}}',
            "$.steps[1].data: got 't', expected a thread that an earlier step serialized; there is none",
        ),
        (f'{THREAD}, {DATA}, {{"do": "restore", "thread": "t", "data": "t"}}', "$.steps[2].thread: got 't', which an earlier step"),
        (
            f'{THREAD}, {DATA}, {{"do": "restore", "thread": "u", "data": "t", "agent": "c"}}',
            "$.steps[2].agent: got 'c', expected an agent",
        ),
        (
            f'{THREAD}, {DATA}, {{"do": "restore", "thread": "u", "data": "t", "damage": {{}}}}, '
            '{"do": "run", "thread": "u", "say": []}',
            "$.steps[3].thread: got 'u', expected a thread that an earlier step created or restored whole",
        ),
        (
            f'{THREAD}, {DATA}, {{"do": "restore", "thread": "u", "data": "t", "damage": {{}}}}, '
            '{"do": "restore", "thread": "u", "data": "t"}',
            "$.steps[3].thread: got 'u', which an earlier step created or restored",
        ),
        (
            f'{THREAD}, {DATA}, {{"do": "restore", "thread": "u", "data": "t", "agent": "b"}}, '
            '{"do": "run", "thread": "u", "say": [], "replies": [{"calls": [{"tool": "pay"}]}]}',
            "$.steps[3].replies[0].calls[0].tool: got 'pay', expected a tool of the agent; there is none",
        ),
        (f'{{"do": "run", "thread": "t", "say": []}}, {THREAD}', "$.steps[0].thread: got 't', expected a thread that an earlier"),
        (
            f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "replies": [{{}}, {{"calls": [{{"tool": "pai"}}]}}]}}',
            "$.steps[1].replies[1].calls[0].tool: got 'pai', expected a tool of the agent; did you mean 'pay'?",
        ),
        (
            f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "replies": [{{"handoff": "b"}}]}}',
            "$.steps[1].replies[0].handoff: got 'b', expected another participant of a handoff",
        ),
        (
            f'{THREAD}, {{"do": "together", "runs": [{RUN}], "order": [0, 1]}}',
            "$.steps[1].order[1]: got 1, expected the position of one of the 1 runs",
        ),
        (
            f'{THREAD}, {{"do": "together", "runs": [{RUN}, {RUN}]}}',
            "$.steps[1].runs[1].thread: got 't' twice",
        ),
        ('{"do": "run_workflow", "workflow": "v", "say": []}', "$.steps[0].workflow: got 'v', expected a workflow"),
        (
            '{"do": "run_workflow", "workflow": "hand", "say": [], "thread": "t"}',
            "$.steps[0].thread: only an agent has threads; expected 'as_agent': true",
        ),
        (
            '{"do": "run_workflow", "workflow": "hand", "say": [], "abandons": 1}',
            "$.steps[0].abandons: only a stream can be left; expected 'stream': true",
        ),
        (
            '{"do": "together", "runs": [{"do": "run_workflow", "workflow": "hand", "say": []}, '
            '{"do": "run_workflow", "workflow": "hand", "say": []}]}',
            "$.steps[0].runs[1].workflow: got 'hand' twice, expected a workflow for each run",
        ),
        (
            '{"do": "run_workflow", "workflow": "hand", "say": [], "replies": {"c": []}}',
            "$.steps[0].replies.c: got 'c', expected an agent that takes part",
        ),
        (
            '{"do": "run_workflow", "workflow": "hand", "say": [], "replies": {"a": [{"handoff": "a"}]}}',
            "$.steps[0].replies.a[0].handoff: got 'a', expected another participant",
        ),
        (
            '{"do": "run_workflow", "workflow": "hand", "say": [], "finish": ["a"]}',
            "$.steps[0].finish[0]: got 'a', expected an agent that runs beside others",
        ),
        (
            '{"do": "run_workflow", "workflow": "chat", "say": [], "manager": {"picks": ["b"]}}',
            "$.steps[0].manager.picks[0]: got 'b', expected a participant that a manager can pick; one of: a",
        ),
        ('{"do": "respond"}', "$.steps[0].request: got 0, but no request can be pending here"),
        (
            f'{THREAD}, {{"do": "run", "thread": "t", "say": [], "replies": [{{"calls": [{{"tool": "pay"}}]}}]}},'
            '{"do": "respond"}, {"do": "respond"}',
            "$.steps[3].request: got 0, but no request can be pending here",
        ),
    ],
)
def test_a_reference_that_does_not_hold_names_the_field_and_what_is_there(steps: str, said: str) -> None:
    workflows = (
        '"workflows": {"hand": {"pattern": "handoff", "participants": ["a", "b"]},'
        ' "chat": {"pattern": "group_chat", "participants": ["a"]}}'
    )
    assert message(f'{{{AGENTS}, {workflows}, "steps": [{steps}]}}').startswith(f"fixtures/x.json: {said}")


@pytest.mark.parametrize(
    ("workflows", "said"),
    [
        ('"a": {"pattern": "concurrent", "participants": ["b"]}', "$.workflows.a: got the name of an agent"),
        ('"w": {"pattern": "concurrent"}', "$.workflows.w.participants: missing"),
        ('"w": {"pattern": "concurrent", "participants": ["a", "a"]}', "$.workflows.w.participants[1]: got 'a' twice"),
        ('"w": {"pattern": "concurrent", "participants": ["w"]}', "$.workflows.w.participants[0]: got 'w', expected an agent or"),
        (
            '"w": {"pattern": "concurrent", "participants": ["v"]}, "v": {"pattern": "sequential", "participants": ["a", "w"]}',
            "$.workflows.w.participants[0]: got 'v', which contains 'w' itself",
        ),
        (
            '"w": {"pattern": "custom", "stages": [["writer"]], "executors": {"written": {}}}',
            "$.workflows.w.stages[0][0]: got 'writer', expected an executor or a participant; did you mean 'written'?",
        ),
        (
            '"w": {"pattern": "sequential", "participants": ["a", "v"]}, "v": {"pattern": "concurrent", "participants": ["a"]}',
            "$.workflows.w.participants[1]: got 'v', but agent 'a' takes part already",
        ),
        (
            '"w": {"pattern": "handoff", "participants": ["a", "v"]}, "v": {"pattern": "concurrent", "participants": ["b"]}',
            "$.workflows.w.participants[1]: got 'v', a workflow; only agents take part in a handoff",
        ),
        (
            '"w": {"pattern": "custom", "stages": [["p"], ["p"]], "executors": {"p": {}}}',
            "$.workflows.w.stages[1][0]: got 'p' twice",
        ),
        (
            '"w": {"pattern": "custom", "participants": ["a"], "stages": [["p"]], "executors": {"p": {}}}',
            "$.workflows.w.participants[0]: got 'a', which stands in no stage",
        ),
        (
            '"w": {"pattern": "custom", "stages": [["a"]], "executors": {"a": {"completes": "x"}}}',
            "$.workflows.w.executors.a: got the name of an agent",
        ),
        (
            '"w": {"pattern": "custom", "stages": [["w"]], "executors": {"w": {"completes": "x"}}}',
            "$.workflows.w.executors.w: got the name of a workflow",
        ),
        (
            '"w": {"pattern": "custom", "stages": [["p"]], "executors": {"p": {"again": "x"}}}',
            "$.workflows.w.executors.p.again: nothing was completed before",
        ),
        (
            '"w": {"pattern": "sequential", "participants": ["a"], "aggregates": "x"}',
            "$.workflows.w.aggregates: a workflow of the pattern 'sequential' has none; expected concurrent",
        ),
        (
            '"w": {"pattern": "group_chat", "participants": ["a"], "max_stalls": 1}',
            "$.workflows.w.max_stalls: a workflow of the pattern 'group_chat' has none; expected magentic",
        ),
        (
            '"w": {"pattern": "group_chat", "participants": ["a"], "max_rounds": 0}',
            "$.workflows.w.max_rounds: got 0, expected at least 1",
        ),
    ],
)
def test_a_workflow_that_cannot_be_built_names_the_field(workflows: str, said: str) -> None:
    assert message(f'{{{AGENTS}, "workflows": {{{workflows}}}}}').startswith(f"fixtures/x.json: {said}")


@pytest.mark.parametrize(
    ("agents", "steps", "said"),
    [
        ('"a": {"reduces_to": 0}', "", "$.agents.a.reduces_to: got 0, expected at least 1"),
        ('"a": {"tools": {"ask": {"agent": "c"}}}', "", "$.agents.a.tools.ask.agent: got 'c', expected an agent"),
        ('"a": {"tools": {"ask": {"agent": "a"}}}', "", "$.agents.a.tools.ask.agent: got 'a', which is 'a' itself"),
        (
            '"a": {"tools": {"ask": {"agent": "b"}}}, "b": {"tools": {"tell": {"agent": "a"}}}',
            "",
            "$.agents.a.tools.ask.agent: got 'b', which is 'a' itself or has it among its tools",
        ),
        (
            '"a": {"tools": {"ask": {"agent": "b", "terminates": true}}}, "b": {}',
            "",
            "$.agents.a.tools.ask.terminates: a tool that",
        ),
        ('"a": {"tools": {"ask": {"agent": "b", "returns": "x"}}}, "b": {}', "", "$.agents.a.tools.ask.returns: a tool that"),
        (ASKING, '"replies": [{"calls": [{"tool": "ask"}]}]', "$.steps[1].replies[0].calls[0].arguments: got [], expected 'task'"),
        (
            ASKING,
            '"inner": {"b": [{"calls": [{"tool": "x"}]}]}',
            "$.steps[1].inner.b[0].calls[0].tool: got 'x', expected a tool of",
        ),
    ],
)
def test_an_agent_that_cannot_be_used_so_names_the_field(agents: str, steps: str, said: str) -> None:
    run = f'{THREAD}, {{"do": "run", "thread": "t", "say": [], {steps}}}' if steps else ""
    assert message(f'{{"agents": {{{agents}}}, "steps": [{run}]}}').startswith(f"fixtures/x.json: {said}")


def test_what_threads_and_tools_may_refer_to() -> None:
    agents = '"a": {"tools": {"ask": {"agent": "b"}}}, "b": {"tools": {"look": {"agent": "c"}}}, "c": {}'
    asking = '[{"calls": [{"tool": "ask", "arguments": {"task": "x"}}]}]'
    steps = [
        THREAD,
        '{"do": "run", "thread": "t", "say": [], "inner": {"b": [{"text": "x"}], "c": []}}',
        DATA,
        DATA,
        '{"do": "restore", "thread": "u", "data": "t", "agent": "b"}',
        '{"do": "run", "thread": "u", "say": [], "inner": {"c": []}}',
        '{"do": "serialize", "thread": "u"}',
        '{"do": "restore", "thread": "v", "data": "u"}',
        '{"do": "tamper", "thread": "v"}',
        '{"do": "restore", "thread": "w", "data": "u", "damage": {"how": "cut", "at": 3}}',
        f'{{"do": "run", "thread": "v", "agent": "a", "say": [], "replies": {asking}}}',
    ]
    assert decode(f'{{"agents": {{{agents}}}, "steps": [{", ".join(steps)}]}}').agent_name("v") == "b"


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    text = (
        f'{{{AGENTS}, "steps": [{THREAD}, {{"do": "run", "thread": "t", "say": ["one", "two"], "store": true, "stream": true}}]}}'
    )
    scenario = decode(text)
    file = tmp_path / "x.json"
    file.write_text(encode(scenario), encoding="utf-8")
    assert read(file) == scenario


def test_the_written_form_leaves_defaults_out_and_breaks_long_lines() -> None:
    run = '{"do": "run", "thread": "t", "say": ["one"], "stream": false, "replies": [], "store": null}'
    written = encode(decode(f'{{{AGENTS}, "steps": [{THREAD}, {", ".join([run] * 5)}]}}'))
    assert json.loads(written)["steps"][1] == {"do": "run", "thread": "t", "say": ["one"]}
    assert max(map(len, written.splitlines())) <= WIDTH


def test_a_default_that_is_an_object_is_left_out_wherever_it_came_from() -> None:
    assert encode(Scenario(agents={"a": AgentSpec(service=ServiceSpec(), on_conflict=OnConflict())})) == encode(
        Scenario(agents={"a": AgentSpec()})
    )


def test_a_file_that_cannot_be_read_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read(tmp_path / "missing.json")
    (tmp_path / "bytes.json").write_bytes(b'{"title": "\xff"}')
    with pytest.raises(ScenarioError, match="not UTF-8"):
        read(tmp_path / "bytes.json")


def test_a_scenario_made_in_code_is_checked_under_its_title() -> None:
    scenario = Scenario(title="two", steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=())))
    with pytest.raises(ScenarioError, match=r"^two: \$\.steps\[0\]\.agent: got 'a', expected an agent; there is none"):
        check(scenario)


def test_a_run_says_nothing_that_a_context_provider_adds_too() -> None:
    text = (
        '{"agents": {"a": {"context": {"memory": {"adds": ["remember"]}}}}, "steps": ['
        '{"do": "create_thread", "thread": "t", "agent": "a"}, {"do": "run", "thread": "t", "say": ["one", "remember"]}]}'
    )
    with pytest.raises(ScenarioError, match=r"\$\.steps\[1\]\.say\[1\]: got 'remember', which a context provider adds"):
        decode(text)

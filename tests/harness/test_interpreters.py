"""An implementation in another environment: the same traces as here, and a broken process costs one scenario."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import msgspec
import pytest

from conformance.errors import UsageError
from conformance.harness.execution import performed
from conformance.harness.performers import interpreter as interpreters
from conformance.harness.performers.interpreter import Interpreter, subject_in
from conformance.harness.performers.json_rpc import METHOD_NOT_FOUND, PARSE_ERROR, USAGE, Request, Response
from conformance.harness.performers.messages import Kit, kit
from conformance.harness.performers.process import Gone, Process
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject
from conformance.judging.plan import Request as Plan
from conformance.judging.plan import subject_of
from conformance.scenario.files import load
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec
from conformance.trace.harness_events import Broke
from conformance.trace.trace import Trace
from conformance.vocabulary import AREAS

TIMEOUT = 5.0

ADAPTERS = """
import ctypes, os, signal, sys, threading, time
from conformance.adapter import Choice
from conformance.reference import Reference

class Asked(Reference):
    name = "asked"
    choices = [Choice(of="streams", chosen="none", why="there are none", default="none")]
    def __init__(self):
        super().__init__()
        self.version = ""
    async def run(self, agent, thread, turn):
        word = turn.messages[-1].text
        if word != "nothing":
            getattr(self, word)()
        return await super().run(agent, thread, turn)
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)
    def exit_below_python(self):
        print("good bye", file=sys.stderr)
        ctypes.CDLL(None)._exit(7)
    def exit(self):
        os._exit(0)
    def speak(self):
        print('{"jsonrpc": "2.0", "id": 1, "result": {}}', flush=True)
        os.write(1, b"noise without an end of line")
        assert sys.stdin.read() == ""
    def scribble(self):
        for number in range(3, 32):
            try:
                os.write(number, b"no message\\n")
            except OSError:
                pass
    def block(self):
        time.sleep(30)
    def stop(self):
        os.kill(os.getpid(), signal.SIGSTOP)
    def leave_a_child(self):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

class Told(Asked):
    name = "told"
    def __init__(self, version):
        super().__init__()
        self.version = version
"""


def saying(word: str) -> Scenario:
    return Scenario(agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=(word,))))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A project with adapters of its own, which the other side finds as we do."""
    (tmp_path / "agents_elsewhere.py").write_text(ADAPTERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("agents_elsewhere", None)


@pytest.fixture
def asked(here: Path):
    subject = subject_in(sys.executable, "agents_elsewhere:Asked")
    yield subject
    assert isinstance(subject.origin, Interpreter)
    subject.origin.close()


def broke(trace: Trace) -> Broke:
    assert trace.broken is not None
    return trace.broken


def test_what_an_adapter_chose_in_another_process_is_told(asked: Subject):
    assert [choice.of for choice in asked.choices] == ["streams"]


def test_the_reference_leaves_the_same_traces_in_another_process_as_in_this_one():
    mine, theirs = resolve("reference"), subject_of(f"reference@{sys.executable}")
    assert theirs.label == f"reference@{mine.version}"
    assert (theirs.version, theirs.capabilities, theirs.policies) == (mine.version, mine.capabilities, mine.policies)
    scenarios = [scenario for area in AREAS for _, scenario in load(area)[::5]]
    assert len(scenarios) > 100
    for scenario in scenarios:
        assert performed(scenario, theirs, TIMEOUT) == performed(scenario, mine, TIMEOUT)


def test_both_give_the_same_verdicts():
    judges = Plan(implementations=("reference", f"reference@{sys.executable}"), rules=("THR-05",), profile="quick").judges()
    mine, theirs = ([judge.verdict(rule) for rule in judge.rules] for judge in judges)
    assert [verdict.verdict for verdict in mine] == ["pass"]
    assert theirs == mine
    assert [judge.subject.asked for judge in judges] == ["reference", f"reference@{sys.executable}"]


@pytest.mark.parametrize(
    ("word", "cause", "says"),
    [
        ("die", "exit", "the process was ended by SIGKILL"),
        ("exit_below_python", "exit", "the process ended with exit code 7; it printed last: 'good bye'"),
        ("exit", "exit", "SystemExit('os._exit(0)')"),
        ("leave_a_child", "exit", "the process was ended by SIGKILL"),
        ("scribble", "malformed", "the process wrote 'no message' into the pipe, expected a response of JSON-RPC"),
    ],
)
def test_a_process_that_breaks_costs_one_scenario(asked: Subject, word: str, cause: str, says: str):
    event = broke(performed(saying(word), asked, TIMEOUT))
    assert (event.cause, event.text, event.blame) == (cause, says, "implementation")
    assert performed(saying("nothing"), asked, TIMEOUT) == performed(saying("nothing"), resolve("agents_elsewhere:Asked"), TIMEOUT)


def test_what_an_implementation_prints_and_reads_is_kept_apart_from_the_messages(asked: Subject):
    assert performed(saying("speak"), asked, TIMEOUT).broken is None
    assert performed(saying("nothing"), asked, TIMEOUT).broken is None


def test_a_blocked_thread_is_left_behind_with_its_process(asked: Subject):
    assert isinstance(asked.origin, Interpreter)
    assert broke(performed(saying("block"), asked, 0.2)).text == "the implementation blocks its thread"
    assert performed(saying("nothing"), asked, TIMEOUT).broken is None


def test_a_process_that_is_silent_for_ever_is_ended(asked: Subject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interpreters, "_SPARE", 0.0)
    event = broke(performed(saying("stop"), asked, 0.2))
    assert event.cause == "timeout"
    assert "gave no answer within" in event.text
    monkeypatch.setattr(interpreters, "_SPARE", 30.0)
    assert performed(saying("nothing"), asked, TIMEOUT).broken is None


def test_a_label_names_the_version_that_the_other_side_reports_else_its_environment(here: Path, asked: Subject):
    assert subject_in(sys.executable, "agents_elsewhere:Told?version=2.0").label == "told@2.0?version=2.0"
    environment = Path(sys.executable).parent.parent.name if Path(sys.executable).parent.name == "bin" else "python"
    assert asked.label.startswith(f"asked@{environment}")
    with pytest.raises(UsageError, match=r"two implementations are called 'asked@"):
        Plan(
            implementations=(
                f"agents_elsewhere:Asked@{sys.executable}",
                f"agents_elsewhere:Asked@{Path(sys.executable).parent.parent}",
            )
        ).judges()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reference@no/such", "reference@no/such: there is no Python interpreter 'no/such'; expected its path, or the folder"),
        ("reference@", "reference@: there is no Python interpreter ''"),
        ("reference@.", "reference@.: there is no Python interpreter '.'"),
        ("reference@./broken", "broken cannot be started: "),
        (
            "reference@./silent",
            "expected a Python interpreter from 3.11 on that has agent-tck {version}, but the process ended with",
        ),
        ("reference@./chatty", "but the process wrote 'hello' into the pipe, expected a response of JSON-RPC; install it there: "),
        ("refrence@{python}", "in the environment of {python}: there is no built-in implementation 'refrence'; did you mean"),
        (
            "agents_elsewhere:Askd@{python}",
            "in the environment of {python}: agents_elsewhere:Askd: agents_elsewhere has no 'Askd'; did you mean 'Asked'?",
        ),
        ("not_there:Agents@{python}", "in the environment of {python}: not_there:Agents: there is no module 'not_there' here"),
        (
            "reference@{python}?colour=red",
            "in the environment of {python}: reference?colour=red: arguments.colour: there is no such field",
        ),
        ("dies:Agents@{python}", "dies:Agents@{python}: while it was loaded there, the process was ended by SIGKILL"),
    ],
)
def test_what_cannot_be_performed_is_refused_in_a_line(here: Path, text: str, says: str):
    (here / "dies.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    for name, script in {"broken": "\0", "silent": "#!/bin/sh\nexit 0\n", "chatty": "#!/bin/sh\necho hello\nread line\n"}.items():
        (here / name).write_text(script)
        (here / name).chmod(0o755)
    words = {"python": sys.executable, "version": kit().version}
    with pytest.raises(UsageError) as caught:
        subject_of(text.format(**words))
    assert says.format(**words) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_environment_without_agent_tck_is_told_how_to_get_it(tmp_path: Path):
    venv.create(tmp_path / "bare", symlinks=True)
    with pytest.raises(UsageError) as caught:
        subject_of(f"reference@{tmp_path / 'bare'}")
    assert "No module named 'conformance'" in str(caught.value)
    assert f"install it there: {tmp_path / 'bare' / 'bin' / 'python'} -m pip install" in str(caught.value)


@pytest.mark.parametrize(
    ("here", "says"),
    [
        (Kit(version="9.9", digest="x"), f"got agent-tck {kit().version} there, expected 9.9, which is here; install it there: "),
        (Kit(version=kit().version, digest="x"), f"the code of agent-tck {kit().version} there is not the same as here; install"),
    ],
)
def test_another_agent_tck_is_refused(monkeypatch: pytest.MonkeyPatch, here: Kit, says: str):
    monkeypatch.setattr(interpreters, "kit", lambda: here)
    with pytest.raises(UsageError) as caught:
        subject_in(sys.executable, "reference")
    assert says in str(caught.value)


def test_no_process_is_left_over(here: Path):
    script = """
        import sys
        from conformance.harness.execution import performed
        from conformance.judging.plan import subject_of
        subject = subject_of("reference@" + sys.executable)
        print(subject.origin._process._process.pid, flush=True)
        if sys.argv[1] == "killed":
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
    """
    for end in ("ordinary", "killed"):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), end], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert ended(int(done.stdout))


def ended(pid: int) -> bool:
    """Whether a process ends by itself. It is not our own, so nobody tells."""
    import time

    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_the_protocol_is_json_rpc():
    process = Process([sys.executable, "-P", "-m", "conformance.harness.performers.child"])
    pipe = process._process

    def said(line: bytes) -> Response:
        assert pipe.stdin is not None
        pipe.stdin.write(line + b"\n")
        pipe.stdin.flush()
        return msgspec.json.decode(process._line(60), type=Response)

    def error(response: Response) -> tuple[int | None, int]:
        assert response.error is not msgspec.UNSET
        return response.id, response.error.code

    assert error(said(b"hello")) == (None, PARSE_ERROR)
    assert error(said(msgspec.json.encode(Request(id=3, method="sing")))) == (3, METHOD_NOT_FOUND)
    early = msgspec.Raw(msgspec.json.encode({"scenario": {"agents": {}, "steps": []}, "timeout": 1}))
    assert error(said(msgspec.json.encode(Request(id=4, method="perform", params=early)))) == (4, USAGE)
    told = said(b'{"jsonrpc": "2.0", "id": 5, "method": "initialize", "params": {"protocol": 99, "unknown": true}}')
    assert told.id == 5
    assert isinstance(told.result, msgspec.Raw)
    assert msgspec.json.decode(told.result)["kit"]["version"] == kit().version
    process.close()
    with pytest.raises(Gone):
        process.ask("initialize", {}, seconds=60)

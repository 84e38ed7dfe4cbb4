import sys

import pytest

from conformance.errors import UsageError
from conformance.implementation import loading
from conformance.implementation.loading import own_baseline, resolve

ADAPTER = """
from conformance.reference import Reference
from conformance.adapter import Choice, Implementation
from conformance.errors import UsageError
from conformance.vocabulary import Policies

class Good(Reference):
    name = "good"

class Tuned(Reference):
    name = "tuned"
    def __init__(self, volume="1"):
        super().__init__()
        self.version = volume

class Half(Implementation):
    name = "half"
    async def create_agent(self, name, spec, inner): ...

class Explodes(Reference):
    name = "explodes"
    def __init__(self):
        raise OSError("no such device")

class Exits(Reference):
    name = "exits"
    def __init__(self):
        raise SystemExit("bye")

class Boasts(Reference):
    name = "boasts"
    capabilities = frozenset({"threads.hostd"})

class Wavers(Reference):
    name = "wavers"
    def __init__(self):
        super().__init__()
        self.policies = Policies(store_conflict="rais")

class Loose(Reference):
    name = "loose"
    def __init__(self):
        super().__init__()
        self.policies = {"store_conflict": "raise"}

class Chooses(Reference):
    name = "chooses"
    choices = ("streams",)

class Chose(Reference):
    name = "chose"
    choices = [Choice(of="streams", chosen="none", why="there are none", default="none")]

class Nameless(Reference):
    name = ""

class Waits(Reference):
    name = "waits"
    def restore_thread(self, agent, data): ...

class Picky(Reference):
    name = "picky"
    def __init__(self, x):
        raise UsageError("x names nothing")

class Lacks(Half):
    name = "lacks"
    capabilities = frozenset({"service.stateless", "runs.streaming"})
    async def create_thread(self, agent, kind): ...
    async def describe_thread(self, agent, thread): ...
    async def run(self, agent, thread, turn): ...

class Hides(Lacks):
    name = "hides"
    capabilities = frozenset({"service.stateless", "tools"})
    async def stream(self, agent, thread, turn):
        yield 1

class Mistypes(Lacks):
    name = "mistypes"
    async def strem(self, agent, thread, turn): ...

class Derived(Reference):
    name = "derived"
    async def strean(self, agent, thread, turn): ...

class Halfway(Lacks):
    name = "halfway"
    capabilities = frozenset({"service.stateless", "runs.streaming", "tools.approval"})
    async def answer(self, agent, thread, answers): ...
    async def stream(self, agent, thread, turn):
        yield 1

class Narrow(Lacks):
    name = "narrow"
    async def create_agent(self, name, spec): ...

class Speechless(Half):
    name = "speechless"
    capabilities = frozenset({"tools"})
    async def create_thread(self, agent, kind): ...
    async def describe_thread(self, agent, thread): ...
    async def run(self, agent, thread, turn): ...

class BothTimings(Good):
    capabilities = frozenset({"service.stateless", "history.per_run", "history.per_service_call", "history.incremental"})

class Inherits(Reference):
    name = "inherits"
    capabilities = frozenset({"service.stateless", "tools"})

number = 7
"""


@pytest.fixture(autouse=True)
def _a_package_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "users_adapter.py").write_text(ADAPTER)
    (tmp_path / "users_small.py").write_text("from conformance.adapter import *\nclass Only: ...\n")
    (tmp_path / "users_empty.py").write_text("from conformance.adapter import *\n")
    (tmp_path / "users_broken.py").write_text("import no_such_framework")
    (tmp_path / "users_raising.py").write_text("x = 1\nraise RuntimeError('not today')")
    (tmp_path / "users_exiting.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("users_")]:
        del sys.modules[name]


def test_built_in_and_own_implementations_are_found():
    assert resolve("reference").label == "reference"
    assert resolve("users_adapter:Good").label == "good"
    assert [choice.of for choice in resolve("users_adapter:Chose").choices] == ["streams"]


def test_arguments_reach_the_constructor_and_the_name():
    found = resolve("reference?store_conflict=ignore&trailing_result=trimmed")
    assert (found.policies.store_conflict, found.policies.trailing_result) == ("ignore", "trimmed")
    assert found.label == "reference?store_conflict=ignore&trailing_result=trimmed"
    assert resolve("users_adapter:Tuned?volume=11").version == "11"
    assert found.origin().policies == found.policies


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("refrence", "there is no built-in implementation 'refrence'; did you mean 'reference'?"),
        ("reference?store_conflict=ignor", "arguments.store_conflict: got 'ignor'"),
        ("reference?storeconflict=ignore", "did you mean 'store_conflict'?"),
        ("reference?loud", "expected key=value"),
        ("no_such_package.module:Name", "there is no module 'no_such_package'"),
        ("users_broken:Name", "users_broken imports 'no_such_framework', which is not installed"),
        ("users_raising:Name", "RuntimeError: not today (users_raising.py, line 2)"),
        ("users_exiting:Name", "importing users_exiting raised SystemExit"),
        ("users_adapter:Goood", "did you mean 'Good'?"),
        ("users_small:Nope", "users_small has no 'Nope'; one of: Only"),
        ("users_empty:Nope", "users_empty has no 'Nope'; it defines no classes"),
        ("reference?store_conflict=ignore&store_conflict=raise", "the argument 'store_conflict' is given 2 times, expected once"),
        ("users_adapter:", "expected package.module:Name"),
        ("users_adapter:number", "expected a subclass of conformance.adapter.Implementation"),
        ("users_adapter:Half", "write: create_thread, describe_thread, run"),
        ("users_adapter:Explodes", "creating it raised OSError: no such device (users_adapter.py, line"),
        ("users_adapter:Exits", "creating it raised SystemExit: bye"),
        ("users_adapter:Good?x=1", "there is no such field"),
        ("users_adapter:Tuned?loudness=1", "there is no argument 'loudness'; one of: volume"),
        ("users_adapter:Tuned?volum=1", "there is no argument 'volum'; did you mean 'volume'?"),
        ("users_adapter:Picky?x=", "x names nothing"),
        ("users_adapter:Boasts", "'threads.hostd', which does not exist; did you mean 'threads.hosted'?"),
        ("users_adapter:Wavers", "store_conflict='rais'; did you mean 'raise'?"),
        ("users_adapter:Loose", "expected a conformance.vocabulary.Policies"),
        ("users_adapter:Chooses", "among its choices is 'streams', expected a conformance.adapter.Choice"),
        ("users_adapter:Nameless", "the class has no name"),
        ("users_adapter:Speechless", "no kind of chat service that its agents can talk to; declare at least 'service.stateless'"),
        ("users_adapter:Lacks", "it declares the capability 'runs.streaming', but has no method stream; write it, or do not"),
        (
            "users_adapter:Hides",
            "it has a method stream without the capability 'runs.streaming'; declare that, or take the method out",
        ),
        ("users_adapter:Mistypes", "there is no method 'strem'; did you mean 'stream'?"),
        ("users_adapter:Derived", "there is no method 'strean'; did you mean 'stream'?"),
        ("users_adapter:Halfway", "but has no method stream_answer; write it, or do not declare both"),
        ("users_adapter:Narrow", "create_agent takes (self, name, spec), expected (self, name, spec, inner)"),
        (
            "users_adapter:BothTimings",
            "it declares 'history.incremental' and 'history.per_run' and 'history.per_service_call'; declare the first only for",
        ),
        ("reference?history=incrementl", "there is no history 'incrementl'; did you mean 'incremental'?"),
        ("reference?provider=no", "there is no provider 'no'; did you mean 'none'?"),
        ("users_adapter:Waits", "restore_thread is not a coroutine function; write: async def restore_thread"),
    ],
)
def test_mistakes_say_what_was_meant(text, says):
    with pytest.raises(UsageError) as error:
        resolve(text)
    assert says in str(error.value)


def test_a_built_in_whose_framework_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(
        loading.BUILT_IN, "other", loading.BuiltIn("conformance.adapters.other:Other", "no_such.framework", "other")
    )
    with pytest.raises(UsageError, match=r"pip install 'agent-tck\[other\]'"):
        resolve("other")


def test_a_baseline_belongs_to_a_built_in_without_arguments(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "BASELINES", tmp_path)
    (tmp_path / "reference.toml").touch()
    assert own_baseline("reference") == tmp_path / "reference.toml"
    assert own_baseline("reference?store_conflict=ignore") is None
    assert own_baseline("agent-framework") is None
    assert own_baseline("users_adapter:Good") is None


def test_a_subclass_may_declare_less_than_it_inherits():
    assert resolve("users_adapter:Inherits").capabilities == {"service.stateless", "tools"}

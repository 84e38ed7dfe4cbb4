"""The ensemble: the implementation's own agents, workflows and threads of one performance, under the names of the scenario."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from conformance.harness.containment import Absent, Stop, Watch, crashed, malformed
from conformance.harness.serialization import Archive, damaged
from conformance.implementation.protocol import AnyImplementation
from conformance.scenario.scenario import CreateThread, Restore, Run, Scenario, Serialize, Step, Tamper, Together
from conformance.trace.adapter_events import AgentCreated, Restored, ThreadDescribed
from conformance.trace.exchange import ThreadState
from conformance.trace.harness_events import (
    ConversationExists,
    Damaged,
    HistoryAppended,
    RunStarted,
    ServiceReplied,
    Tampered,
    ToolReturned,
)
from conformance.trace.messages import Result
from conformance.world.chat_service import open_calls
from conformance.world.event_log import stable
from conformance.world.world import World

TAMPERED = "what the caller wrote over it"


class Ensemble:
    """Makes each of them when it is first needed, and says how the threads are described."""

    def __init__(self, scenario: Scenario, implementation: AnyImplementation, world: World) -> None:
        self._scenario = scenario
        self._implementation = implementation
        self._world = world
        self._agents: dict[tuple[str, bool | None], Any] = {}
        self._workflows: dict[str, Any] = {}
        self._workflow_agents: dict[str, Any] = {}
        self._workflow_threads: dict[tuple[str, str], Any] = {}
        self._threads: dict[str, tuple[Any, Any]] = {}
        self._described: dict[str, ThreadState] = {}
        self._archive = Archive(world)

    async def agent(self, name: str, *, per_service_call: bool | None = None) -> Any:
        """An agent, with those that it has as tools. per_service_call: the one that was rebuilt with this setting."""
        spec = self._scenario.agents[name]
        if per_service_call is None or per_service_call == spec.per_service_call:
            variant = name, None
        else:
            variant, spec = (name, per_service_call), msgspec.structs.replace(spec, per_service_call=per_service_call)
        if variant not in self._agents:
            inner = {tool: await self.agent(each.agent) for tool, each in spec.tools.items() if each.agent is not None}
            agent = await self._implementation.create_agent(name, spec, inner)
            if "clients.hosted_flag" in self._implementation.capabilities:
                hosted = await self._implementation.supports_hosted(agent)
                self._world.record(AgentCreated, agent=name, hosted=hosted, run=None)
            self._agents[variant] = agent
        return self._agents[variant]

    async def workflow(self, name: str) -> Any:
        """A workflow, with its participants."""
        if name not in self._workflows:
            spec = self._scenario.workflows[name]
            participants: dict[str, Any] = {}
            for participant in spec.participants:
                nested = participant in self._scenario.workflows
                participants[participant] = await (self.workflow if nested else self.agent)(participant)
            self._workflows[name] = await self._implementation.create_workflow(name, spec, participants)
        return self._workflows[name]

    async def workflow_agent(self, name: str) -> Any:
        """A workflow wrapped as an agent, always the same one."""
        if name not in self._workflow_agents:
            self._workflow_agents[name] = await self._implementation.workflow_as_agent(name, await self.workflow(name))
        return self._workflow_agents[name]

    async def workflow_thread(self, workflow: str, name: str) -> Any:
        """A thread of a workflow wrapped as an agent, made when it is first needed."""
        if (workflow, name) not in self._workflow_threads:
            agent = await self.workflow_agent(workflow)
            self._workflow_threads[workflow, name] = await self._implementation.create_thread(agent, "local")
        return self._workflow_threads[workflow, name]

    def thread(self, name: str) -> tuple[Any, Any]:
        """A thread, with the agent that it was made on. Raises Absent where it does not exist."""
        if name not in self._threads:
            raise Absent(f"there is no thread {name!r}")
        return self._threads[name]

    def conversation_id(self, thread: str) -> str | None:
        """The conversation id of a thread, as the implementation knows it."""
        return self._described[thread].conversation_id

    def lacking(self, thread: str) -> tuple[Result, ...]:
        """The results that a thread's history lacks: the tool ran, and the history that anybody can see has only its call."""
        mine = {event.run for event in self._world.events if isinstance(event, RunStarted) and event.thread == thread}
        events = [event for event in self._world.events if event.run in mine]
        state = self._described[thread]
        if state.conversation_id is not None:
            id = self._world.name_of(state.conversation_id, "foreign")
            history = self._world.service(self._scenario.agent_name(thread)).transcript(id or "")
        elif state.messages is not None:
            history = state.messages
        else:
            history = tuple(each for event in events if isinstance(event, HistoryAppended) for each in event.messages)
        values: dict[str | None, str] = {}
        for event in events:
            if isinstance(event, ServiceReplied):
                for call in event.message.calls:
                    values.pop(call.id, None)  # an id may come back, of a call whose tool never ran
            elif isinstance(event, ToolReturned):
                values[event.id] = event.value
        return tuple(Result(id=id, value=values[id]) for id in open_calls(history) if id in values)

    async def create_thread(self, step: CreateThread) -> None:
        """Create a thread, where the step says so with the id of a conversation that the service has."""
        agent = await self.agent(step.agent)
        if not step.with_id:
            self._threads[step.thread] = (agent, await self._implementation.create_thread(agent, step.kind))
            return
        id = self._world.service(step.agent).another_conversation()
        self._world.record(ConversationExists, thread=step.thread, agent=step.agent, conversation_id=id)
        self._threads[step.thread] = (agent, await self._implementation.continue_conversation(agent, id))

    async def serialize(self, step: Serialize) -> None:
        """Turn a thread into data."""
        agent, thread = self.thread(step.thread)
        data = await self._implementation.serialize_thread(agent, thread)
        self._archive.file(step.thread, data, self._described[step.thread])

    async def restore(self, step: Restore) -> None:
        """Make a thread from data: always from the very same object, so that whatever shares state with it shows."""
        filed = self._archive.get(step.data)
        if filed is None:
            raise Absent(f"thread {step.data!r} was not serialized")
        agent, data = await self.agent(step.agent or self._scenario.agent_name(step.data)), filed.data
        if step.damage is not None:
            providers = [provider.id for name in self._scenario.agents for provider in self._world.contexts(name)]
            found = damaged(data, step.damage, filed.state, providers)
            if found is None:
                raise Absent(f"the data of thread {step.data!r} has no place for this damage")
            self._world.record(Damaged, source=step.data, how=step.damage.how, path=found.path, fields=found.fields)
            data = found.data
        thread = await self._implementation.restore_thread(agent, data)
        if step.damage is None:
            self._threads[step.thread] = (agent, thread)
            self._world.record(Restored, thread=step.thread, source=step.data)
        else:
            self._world.record(Restored, thread=step.thread, source=step.data, **await self._what_came_out(agent, thread))

    async def tamper(self, step: Tamper) -> None:
        """Let the caller change the messages that are its own."""
        agent, thread = self.thread(step.thread)
        await self._implementation.tamper(agent, thread, TAMPERED)
        self._world.record(Tampered, thread=step.thread, text=TAMPERED)

    async def describe(self, step: Step, watch: Watch) -> None:
        """Record every thread that the step used, every other one that it changed all the same, and data that changed."""
        for name, (agent, thread) in self._threads.items():
            try:
                async with watch.over("describe_thread: "):
                    state = cast("object", await self._implementation.describe_thread(agent, thread))
            except Stop:
                raise
            except Exception as error:
                crashed(self._world, self._implementation, "describe_thread", error)
                raise Stop from None
            if not isinstance(state, ThreadState):
                malformed(self._world, self._implementation, "describe_thread", repr(state), "a ThreadState")
            if name in _used(step) or state != self._described.get(name):
                self._described[name] = state
                self._world.record(ThreadDescribed, thread=name, run=None, **self._shown(state))
        self._archive.check()

    async def _what_came_out(self, agent: Any, thread: Any) -> dict[str, Any]:
        """How a thread is described that was made from damaged data, or why it cannot be: that is for the rules to judge."""
        try:
            state = cast("object", await self._implementation.describe_thread(agent, thread))
            return self._shown(msgspec.convert(msgspec.to_builtins(state), ThreadState))
        except Exception as error:
            return {"flaw": stable(f"{type(error).__name__}: {error}")}

    def _shown(self, state: ThreadState) -> dict[str, Any]:
        return {**msgspec.structs.asdict(state), "conversation_id": self._world.name_of(state.conversation_id, "foreign")}


def _used(step: Step) -> tuple[str, ...]:
    match step:
        case CreateThread() | Run() | Serialize() | Tamper():
            return (step.thread,)
        case Restore():
            return (step.thread, step.data)
        case Together():
            return tuple(run.thread for run in step.runs if isinstance(run, Run))
        case _:
            return ()

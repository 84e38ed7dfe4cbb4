"""How agents, workflows and the script of every fake are specified: the parts that a scenario is made of."""

from __future__ import annotations

from typing import Literal

from conformance.vocabulary import Data, IdPlace, Pattern


class ServiceSpec(Data, frozen=True, kw_only=True):
    """The chat service behind an agent.

    keeps: `nothing` (stateless), or conversations, under `one_id` for a whole conversation or `new_ids` with every reply.
    stores_by_default: what a request that leaves `store` unset means.
    surprising: keeps the conversation and returns its id even where the request says `store` false or nothing.
    strict: refuses a function call that is left unanswered, a result without a call, and what stands between the two, as real
    services do.
    repeats_call_ids: numbers its function calls anew in every run, so that ids of earlier turns come back.
    """

    keeps: Literal["nothing", "one_id", "new_ids"] = "nothing"
    stores_by_default: bool = False
    surprising: bool = False
    strict: bool = False
    repeats_call_ids: bool = False


class ToolSpec(Data, frozen=True, kw_only=True):
    """A tool: returns a text, or raises one; may end the loop after its call, or wait for approval before it.

    agent: the tool is this agent, as the framework makes a tool of one; its argument is `task`, its value what the agent answers.
    looks: it looks at the run's thread while it runs.
    """

    returns: str = "done"
    raises: str | None = None
    agent: str | None = None
    terminates: bool = False
    approval: bool = False
    looks: bool = False


class ContextSpec(Data, frozen=True, kw_only=True):
    """A context provider: adds these messages before every run; its state counts the runs that it saw.

    id: where it is not the name under which the agent has it; two of one id are a mistake that has to be refused.
    """

    adds: tuple[str, ...] = ()
    id: str | None = None


class OnConflict(Data, frozen=True, kw_only=True):
    """The three switches for a conversation id that arrives although a history provider is configured."""

    throw: bool = True
    warn: bool = True
    clear: bool = True


class AgentSpec(Data, frozen=True, kw_only=True):
    """How one agent is built.

    history: `default` (what the framework does by itself) or `provider` (the harness's history store, explicitly configured).
    client_as_is: the caller built the client stack. decorated: that stack holds the per-service-call decorator.
    observed: something looks at the thread before and after every run. reduces_to: how many messages, the new input among them, the
    first request of a run on a local thread may carry. limit: how many replies of a run, at most, may ask for tools.
    """

    service: ServiceSpec = ServiceSpec()
    tools: dict[str, ToolSpec] = {}
    history: Literal["default", "provider"] = "default"
    client_as_is: bool = False
    per_service_call: bool = False
    decorated: bool = False
    on_conflict: OnConflict = OnConflict()
    context: dict[str, ContextSpec] = {}
    observed: bool = False
    reduces_to: int | None = None
    limit: int | None = None

    @property
    def provider_ids(self) -> list[str]:
        """The ids of the context providers, in order; one that stands twice is a mistake."""
        return [provider.id or name for name, provider in self.context.items()]


class ExecutorSpec(Data, frozen=True, kw_only=True):
    """An executor of a custom workflow: its intermediate outputs, then, where given, its run-completed output.

    again: completes a second time, with this. asks: waits for someone's answer before it does anything; a refusal changes nothing.
    raises: fails after its intermediate outputs.
    """

    emits: tuple[str, ...] = ()
    completes: str | None = None
    again: str | None = None
    asks: bool = False
    raises: str | None = None


class WorkflowSpec(Data, frozen=True, kw_only=True):
    """How one workflow is built.

    participants: names of agents or of other workflows; for handoff only agents: the first one starts, each may hand off to every
    other, and the run ends when a participant answers without handing off.
    aggregates: for `concurrent`, what an aggregator of the author's answers, whatever the participants said.
    max_rounds: for `group_chat` and `magentic`, how many participants may speak. max_stalls, max_resets: for `magentic`, how often
    there may be no progress before everything begins anew, and how often that may happen.
    stages: for `custom`, the supersteps one after another, each with the names of executors and participants that work side by
    side. A participant gets the run's input and what participants of earlier stages answered.
    """

    pattern: Pattern
    participants: tuple[str, ...] = ()
    intermediate_outputs: bool = False
    aggregates: str | None = None
    max_rounds: int | None = None
    max_stalls: int | None = None
    max_resets: int | None = None
    stages: tuple[tuple[str, ...], ...] = ()
    executors: dict[str, ExecutorSpec] = {}


class CallSpec(Data, frozen=True, kw_only=True):
    """A function call in a scripted reply. cancelled: the caller cancels the run while this call's tool runs."""

    tool: str
    arguments: dict[str, str] = {}
    cancelled: bool = False


class ReplySpec(Data, frozen=True, kw_only=True):
    """One scripted reply of the chat service: a text, function calls or both, a handoff, or an error.

    without_id: the reply carries no conversation id although the service keeps the conversation. id_in: in which of its chunks the
    id stands, where the reply is streamed. cancelled: it never comes, because the caller cancels the run while it waits for it.
    """

    text: str | None = None
    calls: tuple[CallSpec, ...] = ()
    handoff: str | None = None
    error: str | None = None
    without_id: bool = False
    id_in: IdPlace = "every"
    cancelled: bool = False


class ManagerSpec(Data, frozen=True, kw_only=True):
    """What the manager of a group chat or of Magentic does: picks participants in this order, then gives this answer.

    stalls: the picks, by position from 0, at which the manager of a Magentic workflow sees no progress. errs: after its picks it
    names somebody who does not take part.
    """

    picks: tuple[str, ...] = ()
    answer: str = "the manager's answer"
    stalls: tuple[int, ...] = ()
    errs: bool = False

"""The configuration matrix: every combination of settings, service, thread kind and streaming, with a scenario that gets there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from typing import Literal

from conformance.scenario.requirements import needs
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ServiceSpec, ToolSpec
from conformance.vocabulary import Capability, Data, ErrorKind, Need, OneOf, Policies, ThreadKind, lacking

CellService = Literal["stateless", "one_id", "new_ids", "surprising"]

SERVICES: dict[CellService, ServiceSpec] = {
    "stateless": ServiceSpec(),
    "one_id": ServiceSpec(keeps="one_id"),
    "new_ids": ServiceSpec(keeps="new_ids"),
    "surprising": ServiceSpec(keeps="new_ids", surprising=True),
}
SETTINGS: dict[tuple[bool, bool], str] = {
    (False, False): "M1",
    (False, True): "M2",
    (True, False): "M3",
    (True, True): "M4",
}
"""What the specification calls the four combinations of `client_as_is` and `per_service_call`."""

KINDS: tuple[ThreadKind, ...] = ("local", "hosted", "adaptive")


class Cell(Data, frozen=True, kw_only=True):
    """One cell of the configuration matrix. With the decorator in the caller's own stack or without is the same cell."""

    client_as_is: bool
    per_service_call: bool
    service: CellService
    kind: ThreadKind
    streaming: bool

    @property
    def name(self) -> str:
        """What it is called, such as `M2 new_ids hosted, streaming`."""
        setting = SETTINGS[self.client_as_is, self.per_service_call]
        return f"{setting} {self.service} {self.kind}{', streaming' if self.streaming else ''}"

    @property
    def unsupported(self) -> bool:
        """Whether a thread of this kind must be refused here: the service keeps nothing (THR-02)."""
        return self.kind == "hosted" and self.service == "stateless"

    @property
    def refusal(self) -> ErrorKind | None:
        """The kind of error with which a run may have to be refused here: of a hosted thread, or of a conflict (PER-32)."""
        if self.unsupported:
            return "unsupported"
        return "conflict" if self.service == "surprising" and self.kind != "hosted" else None

    def needs(self, capabilities: Collection[Capability]) -> frozenset[Need]:
        """What it demands; of two capabilities that serve as well the one that is declared.

        The mode of its setting among them, and no other way of persisting: of that the matrix says nothing.
        """
        mode: Need = "history.per_service_call" if self.per_service_call else "history.per_run"
        return frozenset({mode, *(need for need in needs(self.scenario(capabilities)) if not isinstance(need, OneOf))})

    def missing(self, capabilities: Collection[Capability], policies: Policies) -> list[str]:
        """What an implementation would have to declare for this cell to be supported."""
        found = [f"capability {need}" for need in lacking(self.needs(capabilities), capabilities)]
        if self.unsupported and policies.unsupported_thread is None:
            found.append("policy unsupported_thread")
        return found

    def scenario(self, capabilities: Collection[Capability]) -> Scenario:
        """A run with a tool call and a plain one, on a thread of this kind with a history provider.

        Without the tool where none is declared. The service of a hosted thread keeps on request, or by default where that is all
        that is declared; anywhere else one that keeps by default would make something else of the thread.
        """
        service = SERVICES[self.service]
        if self.kind == "hosted" and service.keeps != "nothing" and "service.stores_on_request" not in capabilities:
            service = ServiceSpec(keeps=service.keeps, surprising=service.surprising, stores_by_default=True)
        with_tool = "tools" in capabilities
        agent = AgentSpec(
            service=service,
            tools={"weather": ToolSpec(returns="sunny")} if with_tool else {},
            history="provider",
            client_as_is=self.client_as_is,
            per_service_call=self.per_service_call,
        )
        asks = (ReplySpec(calls=(CallSpec(tool="weather"),)),) if with_tool else ()
        return Scenario(
            title=f"the configuration matrix: {self.name}",
            agents={"a": agent},
            steps=(
                CreateThread(thread="t", agent="a", kind=self.kind),
                Run(thread="t", say=("one",), stream=self.streaming, replies=(*asks, ReplySpec(text="two"))),
                Run(thread="t", say=("three",), stream=self.streaming, replies=(ReplySpec(text="four"),)),
            ),
        )


CELLS: tuple[Cell, ...] = tuple(
    Cell(client_as_is=own, per_service_call=per_call, service=service, kind=kind, streaming=streaming)
    for (own, per_call), service, kind, streaming in product(SETTINGS, SERVICES, KINDS, (False, True))
)


def cell_of(agent: AgentSpec, kind: ThreadKind, *, streaming: bool) -> Cell:
    """The cell of a run of an agent on a thread that is of this kind when it begins."""
    service: CellService = "stateless" if agent.service.keeps == "nothing" else agent.service.keeps
    return Cell(
        client_as_is=agent.client_as_is,
        per_service_call=agent.per_service_call,
        service="surprising" if agent.service.surprising else service,
        kind=kind,
        streaming=streaming,
    )


def scenarios(capabilities: Collection[Capability], policies: Policies) -> Iterator[Scenario]:
    """A scenario for each cell that an implementation supports."""
    for cell in CELLS:
        if not cell.missing(capabilities, policies):
            yield cell.scenario(capabilities)

"""The script of one run: what is left of its replies and of its manager's picks, and the order in which callers go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from conformance.scenario.specs import CallSpec, ManagerSpec, ReplySpec
from conformance.trace.messages import Call
from conformance.world.scheduling import Order

if TYPE_CHECKING:
    from conformance.trace.exchange import ThreadState


class Script:
    """What the fakes do during one run, and what they did so far.

    label: the name under which the run's service calls wait in `order`; None where participants wait under their own names.
    cancel: what cancels the run; cancelled: whether its caller did. looks: for the run's own agent, how its thread is described.
    """

    def __init__(
        self,
        number: int,
        replies: Mapping[str, Sequence[ReplySpec]],
        *,
        manager: ManagerSpec | None = None,
        order: Order | None = None,
        label: Hashable = None,
        load_fails: int | None = None,
        append_fails: int | None = None,
    ) -> None:
        self.number = number
        self.order = order or Order()
        self.label = label
        self.manager = manager or ManagerSpec()
        self.picks = deque(self.manager.picks)
        self.picked = 0
        self.latest: dict[str, bool] = {}
        self.cancel: Callable[[], object] = _nothing
        self.cancelled = False
        self.open_calls: list[tuple[str, Call]] = []
        self.looks: dict[str, Callable[[], Awaitable[ThreadState]]] = {}
        self._cancelling: set[str] = set()
        self._history_fails = {"load": load_fails, "append": append_fails}
        self._history_used = {"load": 0, "append": 0}
        self._calls_made = 0
        self._replies = {agent: deque(specs) for agent, specs in replies.items()}
        self._given: dict[str, int] = {}

    def next_reply(self, agent: str) -> ReplySpec:
        """Take the next reply of an agent's service; a plain text, different each time, where the script has no more."""
        self._given[agent] = self._given.get(agent, 0) + 1
        waiting = self._replies.get(agent)
        if waiting:
            return waiting.popleft()
        return ReplySpec(text=f"{agent} answers {self.number + 1}.{self._given[agent]}")

    def cancel_run(self) -> None:
        """As the run's caller: cancel it."""
        self.cancelled = True
        self.cancel()

    def made(self, agent: str, calls: Sequence[tuple[CallSpec | None, Call]]) -> None:
        """Note the function calls of a reply, each with how it is scripted."""
        self.open_calls.extend((agent, call) for _, call in calls)
        self._cancelling.update(call.id for spec, call in calls if spec is not None and spec.cancelled)

    def answered(self, agent: str, ids: Iterable[str]) -> None:
        """Note that a request carries the results of these calls: no tool will run for them any more, if it did not yet."""
        known = set(ids)
        self.open_calls = [(owner, call) for owner, call in self.open_calls if owner != agent or call.id not in known]

    def rejected(self, id: str | None) -> None:
        """Note that somebody rejected a call: a tool that runs is taken for it only where no other call is open."""
        self.open_calls.sort(key=lambda each: each[1].id == id)

    def cancels(self, call: str | None) -> bool:
        """Whether the caller cancels the run while the tool of a function call runs."""
        return call in self._cancelling

    def next_call_id(self) -> str:
        """An id for a function call that is fresh in this run only."""
        self._calls_made += 1
        return f"call-{self._calls_made}"

    def history_fails(self, operation: Literal["load", "append"]) -> bool:
        """Whether this use of a history store fails."""
        place = self._history_used[operation]
        self._history_used[operation] += 1
        return place == self._history_fails[operation]

    def replied(self, agent: str, *, final: bool) -> None:
        """Note an agent's latest reply, `final` where it asked for nothing more; the agents stand in the order of these replies."""
        self.latest.pop(agent, None)
        self.latest[agent] = final

    def take_call(self, agent: str, tool: str, arguments: Mapping[str, object]) -> str | None:
        """The id of the open function call that a tool's invocation belongs to: same arguments first, else same tool."""
        same_tool = [call for owner, call in self.open_calls if owner == agent and call.tool == tool]
        exact = [call for call in same_tool if call.arguments == dict(arguments)]
        for call in exact or same_tool:
            self.open_calls.remove((agent, call))
            return call.id
        return None


def _nothing() -> None:
    """What is not running cannot be cancelled."""

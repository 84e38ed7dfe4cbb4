"""The script of one run: what is left of its replies and of its manager's picks, and the order in which callers go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence

from conformance.scenario import ManagerSpec, ReplySpec
from conformance.trace import Call
from conformance.world.order import Order


class Script:
    """What the fakes do during one run, and what they did so far.

    label: the name under which the run's service calls wait in `order`; None where participants wait under their own names.
    cancel: what cancels the run; cancelled: whether its caller did.
    """

    def __init__(
        self,
        number: int,
        replies: Mapping[str, Sequence[ReplySpec]],
        *,
        manager: ManagerSpec | None = None,
        order: Order | None = None,
        label: Hashable = None,
    ) -> None:
        self.number = number
        self.order = order or Order()
        self.label = label
        self.manager = manager or ManagerSpec()
        self.picks = deque(self.manager.picks)
        self.latest: dict[str, bool] = {}
        self.cancel: Callable[[], object] = _nothing
        self.cancelled = False
        self.open_calls: list[tuple[str, Call]] = []
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

"""The tools of an agent: they return, raise, end the loop or wait for approval, as their spec says."""

from __future__ import annotations

import asyncio

from conformance.scenario.specs import ToolSpec
from conformance.trace.harness_events import ToolCalled, ToolRaised, ToolReturned
from conformance.world.errors import ToolError
from conformance.world.event_log import EventLog
from conformance.world.observer import Observer


class Tool:
    """One tool of one agent. The adapter makes it end the loop (`spec.terminates`) or wait (`spec.approval`) natively."""

    def __init__(self, log: EventLog, agent: str, name: str, spec: ToolSpec) -> None:
        self._log = log
        self._agent = agent
        self.name = name
        self.spec = spec

    async def __call__(self, **arguments: str) -> str:
        """Run the tool. Raises ToolError where its spec says so."""
        id = self._log.script.take_call(self._agent, self.name, arguments)
        self._log.record(ToolCalled, agent=self._agent, tool=self.name, arguments=arguments, id=id)
        script = self._log.script
        if self.spec.looks and self._agent in script.looks:
            await Observer(self._log, self._agent).look("within", script.looks[self._agent])
        if script.cancels(id):
            script.cancel_run()
            await asyncio.Event().wait()
        if self.spec.raises is not None:
            self._log.record(ToolRaised, agent=self._agent, tool=self.name, text=self.spec.raises, id=id)
            raise ToolError(self.spec.raises)
        self._log.record(
            ToolReturned,
            agent=self._agent,
            tool=self.name,
            value=self.spec.returns,
            id=id,
            terminated=self.spec.terminates,
        )
        return self.spec.returns

"""The tools of a run: running one call, and whether that ends the loop."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.reference.agent_tool import AgentTool
from conformance.trace.messages import Call, Result
from conformance.world.errors import ToolError
from conformance.world.tools import Tool

AnyTool = Tool | AgentTool


class Tools:
    """Runs calls one by one: those of a reply, and those that waited for an approval. named: the tools by their names.

    A handoff has no tool of its own.
    """

    def __init__(self, named: Mapping[str, AnyTool]) -> None:
        self.named = named

    async def call(self, call: Call) -> Result:
        """Run one call. A tool that raises is a result with an error."""
        tool = self.named.get(call.tool)
        if tool is None:
            return Result(id=call.id, value="handed off")
        try:
            return Result(id=call.id, value=await tool(**call.arguments))
        except ToolError as error:
            return Result(id=call.id, value=str(error), error=True)

    def ends(self, call: Call, result: Result) -> bool:
        """Whether the loop is over with this result: of a handoff, or of a tool that ends it and did not raise."""
        tool = self.named.get(call.tool)
        return tool is None or (tool.spec.terminates and not result.error)

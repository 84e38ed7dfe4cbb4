"""Microsoft's agent-framework."""

from conformance.adapters.agent_framework import versions

versions.check()  # before anything of a version that nobody tried is imported

"""Microsoft's agent-framework."""

"""Performs a scenario on an implementation and records the trace."""

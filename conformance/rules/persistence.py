"""The persistence rules."""

"""The orchestration rules."""

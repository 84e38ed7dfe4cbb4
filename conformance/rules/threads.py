"""The threads rules."""

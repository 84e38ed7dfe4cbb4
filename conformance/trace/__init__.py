"""What was observed while a scenario was performed."""

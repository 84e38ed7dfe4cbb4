"""The scenarios that must be complete: configurations, switches, finishing orders."""

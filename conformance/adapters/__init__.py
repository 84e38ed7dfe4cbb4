"""Adapters: one module an implementation, which imports its framework."""

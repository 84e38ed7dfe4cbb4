"""agent-tck: the conformance kit for agent frameworks."""

__version__ = "0.1.0"

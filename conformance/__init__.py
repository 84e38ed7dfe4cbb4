"""agent-conformance: the conformance test suite for agent frameworks."""

__version__ = "0.1.0"

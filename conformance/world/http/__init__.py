"""The chat service as an OpenAI-compatible HTTP service."""

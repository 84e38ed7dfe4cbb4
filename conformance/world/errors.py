"""The errors that the fakes raise, as an implementation meets them."""

from __future__ import annotations


class ServiceError(Exception):
    """The chat service failed or refused a request."""


class ToolError(Exception):
    """A tool raised."""


class ProviderError(Exception):
    """A history or context provider failed."""


class Endless(BaseException):
    """Too much happened for one scenario. Not an Exception: an implementation that goes on forever must not go on after it."""


class OutsideConnection(OSError):
    """Something tried to reach an address outside of loopback; the guard refused it."""

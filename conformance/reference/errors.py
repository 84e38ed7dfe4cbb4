"""What the reference raises; `Reference.errors` gives a neutral kind to each that has one, with its subclasses."""

from __future__ import annotations


class Conflict(Exception):
    """Two things that were asked for contradict each other."""


class Unsupported(Exception):
    """The chat client cannot do what was asked for."""


class Invalid(Exception):
    """A value is not one that is allowed here."""


class Abandoned(Exception):
    """The consumer of a stream left it before its end. conversation_id: the one that the chunk named which it got last."""

    conversation_id: str | None = None


class NoConversation(Exception):
    """The service was asked to keep a conversation and named none."""


class UnknownParticipant(Invalid):
    """A manager named somebody who does not take part in its workflow."""


class ExecutorFailed(Exception):
    """An executor of an author-written workflow failed."""

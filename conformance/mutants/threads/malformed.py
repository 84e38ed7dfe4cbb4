"""Faults in restoring a thread from data that is malformed."""

from __future__ import annotations

from typing import Any, cast

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.errors import Invalid
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadData, ThreadForm


def _object(data: Any) -> dict[str, Any] | None:
    """Data as an object that may be written to, where it is one."""
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


class UnknownKindIsLocal(Mutant):
    """Data of a kind that nobody knows makes a local thread."""

    imitates = "the last branch of a condition, for everything that is not hosted"
    expected = frozenset({"THR-24"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def own(self, data: Any) -> Any:
                """Read what is unknown as local."""
                own = super().own(data)
                entries = _object(own)
                if entries is not None and "kind" in entries and entries["kind"] not in ("local", "hosted", "adaptive"):
                    entries |= {"kind": "local", "conversation_id": None, "service": None}
                return own


class MissingFieldsAreEmpty(Mutant):
    """Fields that are missing in the data of a thread are taken for empty."""

    imitates = "a form in which every field has a default"
    expected = frozenset({"THR-24"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def own(self, data: Any) -> Any:
                """Fill in what is missing."""
                own = super().own(data)
                entries = _object(own)
                return own if entries is None else {**super().write(Thread(key="restored")), **entries}


class MalformedDataIsANewThread(Mutant):
    """Data that cannot be read makes a new, empty thread."""

    imitates = "https://github.com/microsoft/vscode/issues/319244"
    expected = frozenset({"THR-24"})

    class agent_type(Agent):
        """The faulty agent."""

        def restore(self, data: Any) -> Thread:
            """Begin anew."""
            try:
                return super().restore(data)
            except Invalid:
                return self.create_thread("restored", "local")


class MalformedDataIsATraceback(Mutant):
    """Data that cannot be read ends in whatever the parser raises."""

    imitates = "a parser whose errors nobody translates"
    expected = frozenset({"THR-24"})

    class agent_type(Agent):
        """The faulty agent."""

        class form_type(ThreadForm):
            """The faulty form."""

            def checked(self, data: Any) -> ThreadData:
                """Let the error pass as it comes."""
                try:
                    return super().checked(data)
                except Invalid as error:
                    raise TypeError(str(error)) from None


class MalformedFieldUnnamed(Mutant):
    """Data that cannot be read is refused without a word on which field is wrong."""

    imitates = "an error that is the same for everything"
    expected = frozenset({"THR-24"})

    class agent_type(Agent):
        """The faulty agent."""

        def restore(self, data: Any) -> Thread:
            """Say less."""
            try:
                return super().restore(data)
            except Invalid:
                raise Invalid("this is not a thread") from None

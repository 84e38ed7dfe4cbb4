"""What an agent is composed of."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.reference.approvals import Approvals
from conformance.reference.client import LeafClient, PersistingClient
from conformance.reference.history_home import HistoryHome, IncrementalHome
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Loop
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Options
from conformance.reference.thread_json import ThreadForm
from conformance.reference.threads import Threads
from conformance.reference.tools import Tools


@dataclass(frozen=True)
class Parts:
    """The class of each part. Whoever differs from the reference in one of them replaces that one: `Parts(home=MyHome)`.

    incremental: the home in the place of `home` where the history is kept in steps.
    """

    leaf: type[LeafClient] = LeafClient
    decorator: type[PersistingClient] = PersistingClient
    form: type[ThreadForm] = ThreadForm
    loop: type[Loop] = Loop
    tools: type[Tools] = Tools
    threads: type[Threads] = Threads
    options: type[Options] = Options
    approvals: type[Approvals] = Approvals
    home: type[HistoryHome] = HistoryHome
    incremental: type[HistoryHome] = IncrementalHome
    listeners: type[Listeners] = Listeners
    end: type[RunEnd] = RunEnd

import logging
import os
import subprocess
import sys

import pytest
from samples import conversation

from conformance.harness.execution import performed
from conformance.harness.output import LIMIT, kept_output
from conformance.implementation.subject import subject
from conformance.reference.implementation import Reference


def test_whatever_is_written_is_kept_in_order_and_reaches_nobody_else(capfd):
    bound = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115 (as a module takes sys.stderr when it is imported)
    with kept_output() as output:
        print("printed")
        print("to stderr", file=sys.stderr)
        print("by a stream taken before", file=bound)
        os.write(1, b"to the descriptor\n")
        subprocess.run([sys.executable, "-c", "print('by a child')"], check=True)
    assert output.text.splitlines() == ["printed", "to stderr", "by a stream taken before", "to the descriptor", "by a child"]
    assert capfd.readouterr() == ("", "")
    print("after")
    assert capfd.readouterr() == ("after\n", "")


def test_a_stream_that_is_taken_meanwhile_can_be_written_to_later(capfd):
    with kept_output():
        taken = sys.stderr
    print("later", file=taken)
    assert capfd.readouterr() == ("", "later\n")


def test_an_exception_leaves_everything_as_it_was(capfd):
    before = sys.stdout, logging.getLogger().handlers[:]
    with pytest.raises(ZeroDivisionError), kept_output():
        print("before it", 1 // 0)
    assert (sys.stdout, logging.getLogger().handlers[:]) == before
    os.write(1, b"free\n")
    assert capfd.readouterr().out == "free\n"


def test_output_is_bounded_and_shows_beginning_and_end():
    with kept_output() as output:
        for number in range(10_000):
            print(f"line {number}")
    lines = output.text.splitlines()
    assert lines[0] == "line 0"
    assert lines[-1] == "line 9999"
    assert any(line.startswith("… ") and line.endswith(" more bytes …") for line in lines)
    assert len(output.text) < LIMIT + 50


def test_bytes_that_are_no_text_do_no_harm():
    with kept_output() as output:
        os.write(1, b"\xff\xfe\n")
        print("\ud800")
    assert output.text.splitlines()[1] == "\\ud800"


class Chatty(Reference):
    name = "chatty"

    async def run(self, agent, thread, turn):
        print("said")
        logging.getLogger("chatty").warning("logged %s", "too")
        logging.getLogger("chatty").debug("below the level that the logger has")
        return await super().run(agent, thread, turn)


def test_what_an_implementation_prints_and_logs_is_kept_and_changes_no_trace(capfd):
    scenario, of = conversation("hello"), subject(Chatty)
    without = performed(scenario, of, 5)
    capfd.readouterr()
    with kept_output() as output:
        trace = performed(scenario, of, 5)
    assert output.text.splitlines() == ["said", "WARNING chatty: logged too"]
    assert trace == without
    assert capfd.readouterr() == ("", "")

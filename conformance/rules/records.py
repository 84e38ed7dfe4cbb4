"""The decision records that the rules come from: what became of each, as the specification says it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from conformance.vocabulary import Area


@cache
def status(area: Area) -> str:
    """The status of the record of an area, such as `accepted`: it stands below the title of the area's file."""
    text = (files("conformance") / "spec" / f"{area}.md").read_text(encoding="utf-8")
    found = re.search(r"^Status of the record: (.+)$", text, re.MULTILINE)
    assert found is not None, f"conformance/spec/{area}.md does not say what became of its record"
    return found[1]

"""What the plugin costs a repository that does not ask for it: pytest with it, against pytest without it.

Run with `python benchmarks/plugin.py`. The two are started in turn; only the ratio travels.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9


def seconds(folder: str, *options: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_one.py").write_text("def test_one():\n    assert True\n")
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        seconds(folder)
        pairs = [(seconds(folder), seconds(folder, "-p", "no:conformance.plugin")) for _ in range(ROUNDS)]
    ratios = [with_it / without for with_it, without in pairs]
    print(f"pytest with the plugin, not asked for: {statistics.median(ratios):.3f} times pytest without it")
    print(f"(min {min(ratios):.3f}, max {max(ratios):.3f}, {ROUNDS} pairs)")


if __name__ == "__main__":
    main()

"""Tests of the suite run pytest inside of pytest. The suite's own plugin is not named here: its entry point brings it."""

pytest_plugins = "pytester"

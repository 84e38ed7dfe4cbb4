"""The fakes that a scenario is performed in."""

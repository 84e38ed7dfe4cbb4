"""The unit tests of rules: traces written by hand, with the builder in `written`."""

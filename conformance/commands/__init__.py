"""The subcommands of `conformance`: one module each, with `add` for its arguments and a function that does it."""

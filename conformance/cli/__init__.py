"""The subcommands of `agent-tck`: one module each, with `add` for its arguments and a function that does it."""

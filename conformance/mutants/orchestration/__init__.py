"""Mutants of the orchestration area, by what is wrong with them."""

"""Mutants of the threads area, each a small, deliberate fault in the reference; the modules are named as those of the rules."""

"""Mutants of the persistence area, by what is wrong with them."""

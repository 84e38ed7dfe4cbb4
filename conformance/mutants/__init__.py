"""Mutants: deliberate faults in the reference, which show that the rules can fail."""

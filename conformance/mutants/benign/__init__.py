"""Benign variants: references that differ from the reference and conform all the same. No rule may fire on them.

Each lists the rules that do so today: they are wrong, or too narrow. The list only shrinks, which a test holds. Before an exclusion
of a rule is deleted, it is tried on these.
"""

"""Compares findings with what is declared, and gives verdicts."""

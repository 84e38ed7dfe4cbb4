"""Performing scenarios elsewhere than in this process."""

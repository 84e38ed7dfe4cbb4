"""The rules on threads."""

"""The rules on orchestrations and their outputs."""

"""The reference implementation: the rules made runnable, small enough to read in one sitting."""

from conformance.reference.implementation import Reference

__all__ = ["Reference"]

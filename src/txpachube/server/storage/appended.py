"""
The wait of a write that does nothing but add datapoints to datastreams that exist.

Such a write has been judged and understood when it begins to wait, and what it waits for is the disk. No
later request of the same client means anything else because of it, so a door may begin the next one
meanwhile; the order in which they were begun is the order in which they are committed.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

__all__ = ["Appended"]


class Appended(Deferred[None]):
    """Fires when the datapoints have been committed."""

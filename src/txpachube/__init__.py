"""The Pachube / Cosm / Xively v2 API on Twisted: data structures, client and service."""

from __future__ import annotations

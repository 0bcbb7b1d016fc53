"""
Clients of the API. `Client` speaks HTTP.

A call that fails fails with one of `txpachube.errors`. What a client needs besides its key and the
address of the service (a retry policy, the limits) has a default that fits a sensor and a desktop alike.
"""

from __future__ import annotations

from txpachube.client.http import Client
from txpachube.client.retry import NO_RETRIES, RetryPolicy

__all__ = ["NO_RETRIES", "Client", "RetryPolicy"]

"""
Clients of the API. `Client` speaks HTTP; `PAWSClient` makes the same calls over a socket, and subscribes.

A call that fails fails with one of `txpachube.errors`. What a client needs besides its key and the
address of the service (a retry policy, the limits) has a default that fits a sensor and a desktop alike.
"""

from __future__ import annotations

from txpachube.client.http import Client
from txpachube.client.paws import PAWSClient
from txpachube.client.retry import NO_RETRIES, RetryPolicy
from txpachube.client.subscription import Subscription, is_replay

__all__ = ["NO_RETRIES", "Client", "PAWSClient", "RetryPolicy", "Subscription", "is_replay"]

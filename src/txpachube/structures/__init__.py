"""
The public structures: feeds, datastreams, triggers, keys and users as objects with attributes.

Each is built from keywords named like the JSON fields, reads and writes documents with ``decode`` and
``encode``, and converts to and from dicts and XML elements. What all have in common is told in
`txpachube.structures.base`.
"""

from __future__ import annotations

from txpachube.structures.datastream import Datapoint, Datastream, Unit
from txpachube.structures.feed import Environment, EnvironmentList
from txpachube.structures.key import Key, KeyList, Permission, Resource
from txpachube.structures.location import Location, Waypoint
from txpachube.structures.trigger import Trigger, TriggerList
from txpachube.structures.user import User, UserList

__all__ = [
    "Datapoint",
    "Datastream",
    "Environment",
    "EnvironmentList",
    "Key",
    "KeyList",
    "Location",
    "Permission",
    "Resource",
    "Trigger",
    "TriggerList",
    "Unit",
    "User",
    "UserList",
    "Waypoint",
]

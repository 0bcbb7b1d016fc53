"""
Read a feed, or only the datastreams that are named, and print their current values.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/read_feed.py temp door
"""

import sys

from twisted.internet.task import react

from txpachube.client import Client


async def main(reactor: object, *wanted: str) -> None:
    client = Client(reactor=reactor)
    feed = await client.read_feed(parameters={"datastreams": wanted} if wanted else None)
    print(f"{feed.title} is {feed.status}")
    for stream in (feed.datastreams or {}).values():
        unit = stream.unit.symbol if stream.unit else None
        print(f"{stream.id}: {stream.current_value} {unit or ''} ({stream.at})")


if __name__ == "__main__":
    react(main, sys.argv[1:])

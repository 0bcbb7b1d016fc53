"""
Print what a feed, or one of its datastreams, becomes, whenever it changes; a function is called with it.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/subscribe.py
    PACHUBE_API_KEY=... python examples/subscribe.py /feeds/504/datastreams/temp

When the connection breaks, what was missed comes first. It ends with Ctrl-C.
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from txpachube import Datastream, Environment, ResponseError
from txpachube.client import PAWSClient


def show(changed: Environment | Datastream) -> None:
    streams = (changed.datastreams or {}).values() if isinstance(changed, Environment) else [changed]
    for stream in streams:
        for point in stream.datapoints or []:
            print(f"{stream.id} was {point.value} at {point.at}")
        print(f"{stream.id} is {stream.current_value} ({stream.at})", flush=True)


async def main(reactor: object, *resources: str) -> None:
    client = PAWSClient(reactor=reactor)
    if not (resources or client.feed_id):
        sys.exit("name what to watch, or set PACHUBE_FEED_ID")
    if not await client.connect():
        print("there is no service yet; it will be tried again", file=sys.stderr)
    for resource in resources or [f"/feeds/{client.feed_id}"]:
        try:
            await client.subscribe(resource, show)
        except ResponseError as error:
            sys.exit(f"it may not be watched: {error}")
        print(f"watching {resource}", flush=True)
    await Deferred()  # that never fires


if __name__ == "__main__":
    react(main, sys.argv[1:])

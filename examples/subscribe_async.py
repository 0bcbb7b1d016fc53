"""
Wait for updates of a datastream in a loop, and answer each with one: a fan that follows a temperature.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/subscribe_async.py temp fan

The loop takes one update after the other. While it is busy the client reads no more than it can keep.
"""

import sys

from twisted.internet.task import react

from txpachube import Environment
from txpachube.client import PAWSClient, is_replay

TOO_WARM = 25.0


async def main(reactor: object, temperature: str = "temp", fan: str = "fan") -> None:
    client = PAWSClient(reactor=reactor)
    await client.connect()
    subscription = client.subscribe(f"/feeds/{client.feed_id}/datastreams/{temperature}")
    await subscription
    print(f"following {temperature}", flush=True)
    async for stream in subscription:
        if is_replay(stream):
            print(f"missed {len(stream.datapoints)} values")
        try:
            speed = "1" if float(stream.current_value) > TOO_WARM else "0"
        except ValueError:
            continue  # a value is a text, which need not be a number
        update = Environment()
        update.setCurrentValue(fan, speed)
        await client.update_feed(data=update)  # which makes the datastream if there is none
        print(f"{stream.current_value}: {fan} {speed}", flush=True)


if __name__ == "__main__":
    react(main, sys.argv[1:])

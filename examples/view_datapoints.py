"""
Print the datapoints that a feed's datastreams got in the last ten minutes.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/view_datapoints.py
"""

from twisted.internet.task import react

from txpachube.client import Client


async def main(reactor: object) -> None:
    client = Client(reactor=reactor)
    # interval 0 asks for every point, not for one per minute; at most 1000 come in one answer.
    feed = await client.read_feed(parameters={"duration": "10minutes", "interval": 0, "limit": 1000})
    for stream in (feed.datastreams or {}).values():
        points = stream.datapoints or []
        print(f"{stream.id}: {len(points)} datapoints")
        for point in points:
            print(f"  {point.at}  {point.value}")


if __name__ == "__main__":
    react(main)

"""
Create a feed with a place, two datastreams and a first value, and print its id.

    PACHUBE_API_KEY=... python examples/create_feed.py
"""

from twisted.internet.task import react

from txpachube import Datastream, Environment, Location, Unit
from txpachube.client import Client


async def main(reactor: object) -> None:
    greenhouse = Environment(
        title="Greenhouse",
        tags=["glass", "tomato"],
        location=Location(
            name="Hut 3", exposure=Location.Outdoor, domain=Location.Physical, lat=52.1043, lon=9.3612
        ),
        datastreams=[Datastream(id="temp", unit=Unit(label="Celsius", symbol="C")), Datastream(id="door")],
    )
    greenhouse.setCurrentValue("temp", "21.50")
    print(await Client(reactor=reactor).create_feed(data=greenhouse))


if __name__ == "__main__":
    react(main)

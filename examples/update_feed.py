"""
Update a feed from EEML written by hand.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/update_feed.py
"""

from twisted.internet.task import react

from txpachube import DataFormats
from txpachube.client import Client

EEML = """\
<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="0.5.1">
  <environment>
    <data id="temp">
      <current_value>19.75</current_value>
      <unit type="derivedSI" symbol="C">Celsius</unit>
    </data>
    <data id="door">
      <current_value>open</current_value>
    </data>
  </environment>
</eeml>
"""


async def main(reactor: object) -> None:
    await Client(reactor=reactor).update_feed(format=DataFormats.XML, data=EEML)
    print("updated")


if __name__ == "__main__":
    react(main)

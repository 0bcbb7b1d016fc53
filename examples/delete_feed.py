"""
Delete a feed and everything in it. It cannot be undone.

    PACHUBE_API_KEY=... python examples/delete_feed.py 504
"""

import sys

from twisted.internet.task import react

from txpachube import NotFound
from txpachube.client import Client


async def main(reactor: object, feed_id: str) -> None:
    try:
        await Client(reactor=reactor).delete_feed(feed_id=feed_id)
    except NotFound:
        sys.exit(f"there is no feed {feed_id}")
    print(f"deleted feed {feed_id}")


if __name__ == "__main__":
    react(main, sys.argv[1:2])

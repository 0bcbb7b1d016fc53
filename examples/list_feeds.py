"""
List the newest feeds that the key may see.

    PACHUBE_API_KEY=... python examples/list_feeds.py
"""

from twisted.internet.task import react

from txpachube.client import Client


async def main(reactor: object) -> None:
    page = await Client(reactor=reactor).list_feeds(parameters={"content": "summary", "per_page": 20})
    for feed in page.feeds:
        print(f"{feed.id}  {feed.status}  {feed.title}")
    print(f"{len(page.feeds)} of {page.total_results} feeds")


if __name__ == "__main__":
    react(main)
